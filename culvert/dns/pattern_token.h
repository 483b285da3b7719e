#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "culvert/dns/name.h"

/// How patterns are compared with names: from the right end, a token at a time, with all positions of the name at once
/// where the tokens so far may end. Nothing is tried twice, whatever stars a pattern has.
namespace culvert::dns {

/// A set of positions in a NameText.
class Positions {
public:
    /// The longest name has 250 octets of four characters each, and three separators.
    static constexpr std::size_t kSize = 1024;

    void add(std::size_t at) {
        words_[at / 64] |= std::uint64_t{1} << at % 64;
        first_ = std::min(first_, at / 64);
        end_ = std::max(end_, at / 64 + 1);
    }
    [[nodiscard]] bool contains(std::size_t at) const { return (words_[at / 64] >> at % 64 & 1) != 0; }
    [[nodiscard]] bool empty() const { return end_ == 0; }

    /// Calls visit(position) in ascending order.
    template <typename Visit>
    void for_each(Visit visit) const {
        for (auto i = first_; i < end_; ++i) {
            for (auto word = words_[i]; word != 0; word &= word - 1) {
                visit(i * 64 + static_cast<std::size_t>(std::countr_zero(word)));
            }
        }
    }

private:
    static constexpr std::size_t kWords = kSize / 64;

    std::array<std::uint64_t, kWords> words_{};
    // Words outside are zero: most names fit into the first one.
    std::size_t first_ = kWords;
    std::size_t end_ = 0;
};

/// A name as patterns see it: presentation form from right to left, in lower case, with separators that are unlike any
/// dot within a label.
class NameText {
public:
    static constexpr char kSeparator = '\0';

    explicit NameText(const Name& name);

    [[nodiscard]] std::size_t size() const { return text_.size(); }
    [[nodiscard]] char operator[](std::size_t at) const { return text_[at]; }
    /// Whether a label ends in front of `at`.
    [[nodiscard]] bool is_label_end(std::size_t at) const {
        return at == text_.size() || (at < text_.size() && text_[at] == kSeparator);
    }
    /// What `?` and `*` stand for: not the dot of a label with a dot, as nothing but `**` does.
    [[nodiscard]] bool is_wild(std::size_t at) const {
        return at < text_.size() && text_[at] != kSeparator && text_[at] != '.';
    }
    /// Which characters stand at one of `positions`.
    [[nodiscard]] std::bitset<256> characters_at(const Positions& positions) const;
    /// A position behind the end: the dot of `*.example.com`, where `example.com` has none.
    [[nodiscard]] std::size_t apex() const { return text_.size() + 1; }

private:
    std::string text_;
};

/// A piece of a pattern.
class Token {
public:
    enum class Kind : std::uint8_t {
        kLiteral,
        kSeparator,
        kOne,             // ?
        kMany,            // *
        kSet,             // [...]
        kLabels,          // ** as the last label: one label or more
        kSeparatorLabels  // ** with the dot behind it: any number of labels, none as well
    };

    [[nodiscard]] static Token literal(char c) { return Token{Kind::kLiteral, c}; }
    [[nodiscard]] static Token of(Kind kind) { return Token{kind, '\0'}; }
    /// `source` is what stands in the brackets, and not empty.
    [[nodiscard]] static Token set(std::string source);

    [[nodiscard]] Kind kind() const { return kind_; }
    /// Characters that stand for themselves, and nothing else.
    [[nodiscard]] bool is_literal() const { return kind_ == Kind::kLiteral || kind_ == Kind::kSeparator; }

    /// Where this token may end if it begins at one of `from`. `is_behind_literals`: all tokens before were literal, so
    /// that the name may be what follows `*.`.
    [[nodiscard]] Positions advance(const NameText& text, const Positions& from, bool is_behind_literals) const;
    /// The same for a literal, which has at most one such place for each, from a single one. Requires is_literal().
    [[nodiscard]] std::optional<std::size_t> advance(const NameText& text, std::size_t from,
                                                     bool is_behind_literals) const {
        if (from < text.size() &&
            text[from] == (kind_ == Kind::kSeparator ? NameText::kSeparator : to_lower(literal_))) {
            return from + 1;
        }
        const bool is_apex = kind_ == Kind::kSeparator && from == text.size() && is_behind_literals;
        return is_apex ? std::optional{text.apex()} : std::nullopt;
    }

    /// The one character, in lower case, that this token can begin with; nullopt for all but literals.
    [[nodiscard]] std::optional<char> first() const {
        return kind_ == Kind::kLiteral ? std::optional{to_lower(literal_)} : std::nullopt;
    }

    /// Contribution to the order of patterns: of two that differ here, the lesser is tried first (spec/dns.md section
    /// 5.2).
    [[nodiscard]] std::string rank() const;

    friend bool operator==(const Token& a, const Token& b) { return a.rank() == b.rank(); }

private:
    Token(Kind kind, char c) : kind_{kind}, literal_{c} {}
    [[nodiscard]] bool has_member(char c) const;

    Kind kind_;
    char literal_;
    std::shared_ptr<const std::string> set_;
};

}  // namespace culvert::dns
