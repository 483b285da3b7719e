#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/observability/log.h"

namespace culvert::log {

/// Which lines are wanted, in the notation of RUST_LOG: comma-separated directives, each `level`, `target` or
/// `target=level` with levels trace, debug, info, warn, error, off. The longest target that matches decides. A target
/// matches itself with or without the prefix `culvert::`, and everything below it.
class LevelFilter {
public:
    /// The error says which directive is wrong.
    [[nodiscard]] static std::expected<LevelFilter, std::string> parse(std::string_view directives);

    /// Level for everything; the default lets INFO and above pass.
    explicit LevelFilter(Level level = Level::kInfo) : default_{level} {}

    [[nodiscard]] Level level_for(std::string_view target) const;

    /// The most verbose level that any target may use.
    [[nodiscard]] Level most_verbose() const;

private:
    struct Directive {
        std::string target;
        Level level;
    };

    Level default_;
    std::vector<Directive> directives_;  // longest target first
};

}  // namespace culvert::log
