#include "tests/model/observer/state_text.h"

#include <algorithm>

namespace culvert::model {
namespace {

constexpr std::size_t kIndent = 2;

/// Takes the text up to the first `end`, which is dropped, off the front of `text`.
std::string_view take_until(std::string_view& text, char end) {
    const auto length = std::min(text.find(end), text.size());
    const auto part = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    return part;
}

StateLine read_line(std::string_view line) {
    StateLine result;
    const auto indent = std::min(line.find_first_not_of(' '), line.size());
    result.depth = indent / kIndent;
    line.remove_prefix(indent);
    result.name = take_until(line, ' ');
    while (!line.empty()) {
        auto word = take_until(line, ' ');
        if (word.contains('=')) {
            const auto key = take_until(word, '=');
            result.fields.emplace_back(key, word);
        }
    }
    return result;
}

}  // namespace

std::string_view StateLine::operator[](std::string_view key) const {
    const auto found = std::ranges::find(fields, key, &std::pair<std::string_view, std::string_view>::first);
    return found == fields.end() ? std::string_view{} : found->second;
}

std::vector<StateLine> read_state(std::string_view text) {
    std::vector<StateLine> lines;
    while (!text.empty()) {
        const auto line = take_until(text, '\n');
        if (!line.empty()) {
            lines.push_back(read_line(line));
        }
    }
    return lines;
}

}  // namespace culvert::model
