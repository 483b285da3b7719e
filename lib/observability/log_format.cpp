#include "culvert/observability/log_format.h"

#include <array>
#include <cstdio>

namespace culvert::log {
namespace {

std::string_view level_name(Level level) {
    static constexpr std::array<std::string_view, 6> kNames{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};
    return kNames.at(static_cast<std::size_t>(level));
}

void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (byte < 0x20 || byte == 0x7f) {
            std::array<char, 8> code{};
            std::snprintf(code.data(), code.size(), "\\u%04x", byte);
            out += code.data();
        } else {
            out.push_back(c);
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    append_escaped(out, text);
    out.push_back('"');
}

bool needs_quotes(std::string_view text) {
    return text.empty() || text.find_first_of(" \"=\\") != std::string_view::npos ||
           text.find_first_of(std::string_view{"\n\r\t\x1b\x7f", 5}) != std::string_view::npos;
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
        if (needs_quotes(field.value)) {
            append_quoted(line, field.value);
        } else {
            append_escaped(line, field.value);
        }
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
