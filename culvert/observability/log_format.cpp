#include "culvert/observability/log_format.h"

#include <array>

#include "culvert/base/printable.h"

namespace culvert::log {
namespace {

std::string_view level_name(Level level) {
    static constexpr std::array<std::string_view, 6> kNames{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};
    return kNames.at(static_cast<std::size_t>(level));
}

/// JSON's escapes, of which human format has a use as well. Whatever the text holds, the line stays one line and acts
/// on no terminal.
void append_escaped(std::string& out, std::string_view text) {
    const bool is_cut = text.size() > kMaxLoggedText;
    std::string quoted;
    for (const char c : text.substr(0, kMaxLoggedText)) {
        if (c == '"' || c == '\\') {
            quoted.push_back('\\');
        }
        quoted.push_back(c);
    }
    out += escape_unprintable(quoted);
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
