#include "culvert/observability/log_format.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "culvert/base/sabotage.h"

namespace culvert::log {
namespace {

std::string_view level_name(Level level) {
    static constexpr std::array<std::string_view, 6> kNames{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};
    return kNames.at(static_cast<std::size_t>(level));
}

/// The well-formed UTF-8 character at the start of `text` (RFC 3629); length 0 if there is none.
struct Character {
    char32_t code = 0;
    std::size_t length = 0;
};

Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = byte(0);
    if (first < 0x80) {
        return {first, 1};
    }
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length > text.size()) {
        return {};
    }
    char32_t code = first & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) {
            return {};
        }
        code = code << 6 | (byte(i) & 0x3fU);
    }
    static constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
    if (code < kSmallest.at(length) || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return {};
    }
    return {code, length};
}

/// Whether a reader sees the character where it stands, and nothing else because of it.
bool is_harmless(char32_t code) {
    const auto is_in = [&](char32_t first, char32_t last) { return code >= first && code <= last; };
    return !(code < 0x20 || is_in(0x7f, 0x9f) ||                    // control characters, C1 as well
             is_in(0x2028, 0x2029) ||                               // separators of lines and paragraphs
             code == 0x061c || is_in(0x200e, 0x200f) ||             // marks of direction
             is_in(0x202a, 0x202e) || is_in(0x2066, 0x2069) ||      // embeddings, overrides, isolates
             code == 0x200b || code == 0x2060 || code == 0xfeff ||  // nothing to see
             is_in(0xe0000, 0xe0fff) || is_in(0xfff0, 0xfffb));     // tags, annotations
}

void append_code(std::string& out, unsigned code) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "\\u%04x", code & 0xffffU);
    out += text.data();
}

/// JSON's escapes, of which human format has a use as well.
void append_escaped(std::string& out, std::string_view text) {
    const bool is_cut = text.size() > kMaxLoggedText;
    text = text.substr(0, kMaxLoggedText);
    while (!text.empty()) {
        const auto [code, length] = first_character(text);
        if (length == 0) {
            append_code(out, static_cast<unsigned char>(text[0]));  // no UTF-8: its bytes
        } else if (code == '"' || code == '\\') {
            out.append(1, '\\').append(text.substr(0, 1));
        } else if (is_harmless(code) || CULVERT_SABOTAGE(kLogsTakeLinesFromStrangers)) {
            out.append(text.substr(0, length));
        } else {
            append_code(out, code > 0xffff ? 0xfffd : static_cast<unsigned>(code));
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    if (is_cut) {
        out += "...";
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    append_escaped(out, text);
    out.push_back('"');
}

/// A value in human format: without quotes if nobody could take it for more than one.
void append_value(std::string& out, std::string_view text) {
    const auto start = out.size();
    append_escaped(out, text);
    const auto written = std::string_view{out}.substr(start);
    if (written.empty() || written.find_first_of(" \"=\\") != std::string_view::npos) {
        out.insert(start, 1, '"').push_back('"');
    }
}

}  // namespace

std::string format_human(Level level, std::string_view target, std::string_view message,
                         const std::vector<TextField>& fields) {
    std::string line;
    const auto name = level_name(level);
    line.append(5 - name.size(), ' ').append(name).append(" ").append(target).append(": ");
    append_escaped(line, message);
    for (const auto& field : fields) {
        line.append(" ").append(field.key).append("=");
        append_value(line, field.value);
    }
    return line;
}

std::string format_json(Level level, std::string_view target, std::string_view message,
                        const std::vector<TextField>& fields, std::string_view time) {
    std::string line = "{";
    if (!time.empty()) {
        line.append("\"time\":\"").append(time).append("\",");
    }
    line.append("\"severity\":\"").append(level_name(level)).append("\",\"message\":");
    append_quoted(line, message);
    line.append(",\"target\":");
    append_quoted(line, target);
    for (const auto& field : fields) {
        line.push_back(',');
        append_quoted(line, field.key);
        line.push_back(':');
        if (field.is_number) {
            line.append(field.value);
        } else {
            append_quoted(line, field.value);
        }
    }
    line.push_back('}');
    return line;
}

}  // namespace culvert::log
