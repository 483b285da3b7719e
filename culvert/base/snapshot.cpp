#include "culvert/base/snapshot.h"

#include <algorithm>
#include <span>

namespace culvert {

Snapshot& Snapshot::line(std::string_view name) {
    if (!text_.empty()) {
        text_ += '\n';
    }
    text_.append(2 * depth_, ' ').append(name);
    return *this;
}

std::string Snapshot::key_of(std::string_view constant) {
    std::string key;
    for (const char c : constant.substr(1)) {
        const bool is_upper = c >= 'A' && c <= 'Z';
        if (is_upper && !key.empty()) {
            key += '_';
        }
        key += is_upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return key;
}

/// Line breaks of a hostile value must not look like state.
void Snapshot::append(std::string_view value) {
    const auto begin = text_.size();
    text_ += value;
    std::ranges::replace(std::span{text_}.subspan(begin), '\n', ' ');
}

void Snapshot::append(Instant value) {
    const auto difference = (value - now_).count();
    text_ += (difference < 0 ? "" : "+") + std::to_string(difference) + "ns";
}

}  // namespace culvert
