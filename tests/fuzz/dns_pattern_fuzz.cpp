// Patterns, a line each, and in the last line a name: the set must find what trying one after the other finds, also
// after some have gone.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "culvert/dns/pattern_set.h"

namespace {

using namespace culvert;
using namespace culvert::dns;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::string_view take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return line;
}

/// A closing bracket by itself stands in no address: in the order of patterns it would pass for the end of a set.
bool has_lone_bracket(const Pattern& pattern) {
    for (const auto& token : pattern.tokens()) {
        if (token.first() == ']') {
            return true;
        }
    }
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest{reinterpret_cast<const char*>(data), size};
    PatternSet set;
    std::map<ResourceId, Pattern> patterns;
    std::optional<Name> name;
    for (std::uint8_t number = 0; !rest.empty() && number < 50; ++number) {
        const auto line = take_line(rest);
        name = Name::parse(line);
        const auto pattern = Pattern::parse(line);
        if (pattern && !has_lone_bracket(*pattern)) {
            const ResourceId id{Uuid{std::array<std::uint8_t, 16>{number}}};
            set.add(id, *pattern);
            patterns.emplace(id, *pattern);
        }
    }
    if (!name) {
        return 0;
    }
    while (true) {
        std::optional<Pattern> best;
        for (const auto& [id, pattern] : patterns) {
            if (pattern.matches(*name) && (!best || pattern < *best)) {
                best = pattern;
            }
        }
        const auto found = set.match(*name);
        require(found.has_value() == best.has_value());
        if (!found) {
            break;
        }
        require(patterns.at(*found) == *best);
        set.remove(*found);
        patterns.erase(*found);
    }
    require(set.size() == patterns.size());
    return 0;
}
