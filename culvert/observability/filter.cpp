#include "culvert/observability/filter.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace culvert::log {
namespace {

constexpr std::string_view kPrefix = "culvert::";

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    return text;
}

std::optional<Level> parse_level(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, Level>, 6> kNames{{{"trace", Level::kTrace},
                                                                               {"debug", Level::kDebug},
                                                                               {"info", Level::kInfo},
                                                                               {"warn", Level::kWarn},
                                                                               {"error", Level::kError},
                                                                               {"off", Level::kOff}}};
    std::string lower{text};
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const auto& [name, level] : kNames) {
        if (name == lower) {
            return level;
        }
    }
    return std::nullopt;
}

bool matches(std::string_view directive, std::string_view target) {
    if (!target.starts_with(directive)) {
        return false;
    }
    return target.size() == directive.size() || target.substr(directive.size()).starts_with("::");
}

bool is_target(std::string_view text) {
    const auto may_be_in_it = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-' ||
               c == ':';
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), may_be_in_it);
}

}  // namespace

std::expected<LevelFilter, std::string> LevelFilter::parse(std::string_view text) {
    LevelFilter filter{Level::kError};
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto part = trim(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        if (part.empty()) {
            continue;
        }
        const auto equals = part.find('=');
        auto target = part.substr(0, equals);
        auto level = Level::kTrace;
        if (equals != std::string_view::npos) {
            const auto parsed = parse_level(part.substr(equals + 1));
            if (!parsed) {
                return std::unexpected{"unknown level in \"" + std::string{part} +
                                       "\": use trace, debug, info, warn, error or off"};
            }
            level = *parsed;
        } else if (const auto parsed = parse_level(part)) {
            filter.default_ = *parsed;
            continue;
        }
        if (!is_target(target)) {
            return std::unexpected{"\"" + std::string{part} +
                                   "\" is neither a level nor COMPONENT=LEVEL. Separate several with commas, such as "
                                   "info,ice=debug"};
        }
        if (target == "culvert") {
            filter.default_ = level;
            continue;
        }
        if (target.starts_with(kPrefix)) {
            target.remove_prefix(kPrefix.size());
        }
        filter.directives_.push_back({std::string{target}, level});
    }
    std::stable_sort(filter.directives_.begin(), filter.directives_.end(),
                     [](const auto& a, const auto& b) { return a.target.size() > b.target.size(); });
    return filter;
}

Level LevelFilter::level_for(std::string_view target) const {
    for (const auto& directive : directives_) {
        if (matches(directive.target, target)) {
            return directive.level;
        }
    }
    return default_;
}

Level LevelFilter::most_verbose() const {
    auto level = default_;
    for (const auto& directive : directives_) {
        level = std::min(level, directive.level);
    }
    return level;
}

}  // namespace culvert::log
