#include "culvert/io/forward_obstacle.h"

namespace culvert::io {
namespace {

std::string_view trimmed(std::string_view line) {
    const auto begin = line.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view{} : line.substr(begin);
}

/// What stands between `prefix` and " {", if the line is of that form.
std::string_view title_of(std::string_view line, std::string_view prefix) {
    constexpr std::string_view kOpening = " {";
    return line.starts_with(prefix) && line.ends_with(kOpening)
               ? line.substr(prefix.size(), line.size() - prefix.size() - kOpening.size())
               : std::string_view{};
}

bool drops_forwarded(std::string_view line) {
    return line.starts_with("type filter hook forward ") && line.find("policy drop") != std::string_view::npos;
}

}  // namespace

std::vector<std::string> forward_obstacles(std::string_view ruleset, std::string_view tun_name) {
    const auto our_interface = '"' + std::string{tun_name} + '"';
    std::vector<std::string> obstacles;
    std::vector<std::string> of_table;
    std::string_view table;
    std::string_view chain;
    bool speaks_of_us = false;
    while (!ruleset.empty()) {
        const auto end = ruleset.find('\n');
        const auto raw = ruleset.substr(0, end);
        ruleset = end == std::string_view::npos ? std::string_view{} : ruleset.substr(end + 1);
        const auto line = trimmed(raw);
        if (const auto title = title_of(line, "table "); !title.empty()) {
            table = title;
            of_table.clear();
            speaks_of_us = false;
        } else if (const auto name = title_of(line, "chain "); !name.empty()) {
            chain = name;
        } else if (drops_forwarded(line)) {
            of_table.push_back(std::string{table} + ' ' + std::string{chain});
        } else if (line.find(our_interface) != std::string_view::npos) {
            speaks_of_us = true;
        } else if (raw == "}" && !speaks_of_us) {  // the end of the table
            obstacles.insert(obstacles.end(), of_table.begin(), of_table.end());
        }
    }
    return obstacles;
}

std::string advice_about(std::string_view chain, std::string_view tun_name) {
    const auto rule = [&](std::string_view direction) {
        return "nft insert rule " + std::string{chain} + ' ' + std::string{direction} + " " + std::string{tun_name} +
               " accept";
    };
    return rule("iifname") + " && " + rule("oifname");
}

}  // namespace culvert::io
