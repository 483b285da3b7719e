#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/dns/name.h"
#include "culvert/dns/pattern_token.h"

namespace culvert::dns {

enum class PatternError : std::uint8_t { kBadLength, kEmptyLabel, kBadStars, kBadSet };
[[nodiscard]] std::string_view to_string(PatternError error);

/// The address of a DNS resource: a name in which `?` stands for one character, `*` for any number of them within a
/// label and `**` for any number of labels, `[a-z]` and `[!a-z]` for one character of a set or not of it
/// (spec/dns.md section 5). `*.example.com` matches `example.com` as well. Nothing matches the root.
class Pattern {
public:
    static constexpr std::size_t kMaxSize = 255;

    [[nodiscard]] static std::expected<Pattern, PatternError> parse(std::string_view text);

    [[nodiscard]] bool matches(const Name& name) const;

    /// As it was written.
    [[nodiscard]] const std::string& text() const { return text_; }
    /// From right to left.
    [[nodiscard]] const std::vector<Token>& tokens() const { return tokens_; }

    /// Which of several patterns that match counts: the least one (section 5.2).
    friend std::strong_ordering operator<=>(const Pattern& a, const Pattern& b) { return a.rank_ <=> b.rank_; }
    friend bool operator==(const Pattern& a, const Pattern& b) { return a.rank_ == b.rank_; }

private:
    std::string text_;
    std::vector<Token> tokens_;
    std::string rank_;
};

}  // namespace culvert::dns
