#include "culvert/dns/pattern_token.h"

#include <algorithm>

namespace culvert::dns {

namespace {

constexpr char kRankOfOne = '\xfe';
constexpr char kRankOfMany = '\xff';
constexpr unsigned kRankOfHighest = 0xfd;

/// The greater character first, but wildcards last, and `?` before `*`.
char rank_of(char c) {
    if (c == '?' || c == '*') {
        return c == '?' ? kRankOfOne : kRankOfMany;
    }
    const auto value = std::min<unsigned>(static_cast<unsigned char>(c), kRankOfHighest - 1);
    return static_cast<char>(kRankOfHighest - value);
}

char to_upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

NameText::NameText(const Name& name) {
    name.for_each_label([&](std::string_view label) {
        if (!text_.empty()) {
            text_ += kSeparator;
        }
        append_presentation(text_, label);
    });
    std::ranges::reverse(text_);
    std::ranges::transform(text_, text_.begin(), to_lower);
}

std::bitset<256> NameText::characters_at(const Positions& positions) const {
    std::bitset<256> found;
    positions.for_each([&](std::size_t at) {
        if (at < text_.size()) {
            found.set(static_cast<unsigned char>(text_[at]));
        }
    });
    return found;
}

Token Token::set(std::string source) {
    Token token{Kind::kSet, '\0'};
    token.set_ = std::make_shared<const std::string>(std::move(source));
    return token;
}

Positions Token::advance(const NameText& text, const Positions& from, bool is_behind_literals) const {
    Positions to;
    const auto size = text.size();
    switch (kind_) {
        case Kind::kLiteral:
        case Kind::kSeparator:
            from.for_each([&](std::size_t at) {
                if (const auto end = advance(text, at, is_behind_literals)) {
                    to.add(*end);
                }
            });
            return to;
        case Kind::kOne:
            from.for_each([&](std::size_t at) {
                if (text.is_wild(at)) {
                    to.add(at + 1);
                }
            });
            return to;
        case Kind::kSet:
            from.for_each([&](std::size_t at) {
                if (text.is_wild(at) && has_member(text[at])) {
                    to.add(at + 1);
                }
            });
            return to;
        case Kind::kMany:
            from.for_each([&](std::size_t at) {
                to.add(at);
                for (; text.is_wild(at) && !to.contains(at + 1); ++at) {
                    to.add(at + 1);
                }
            });
            return to;
        case Kind::kLabels:
            for (std::size_t at = 1; at <= size; ++at) {
                if (text.is_label_end(at)) {
                    to.add(at);
                }
            }
            return to;
        case Kind::kSeparatorLabels:
            from.for_each([&](std::size_t at) {
                for (auto end = at; text.is_label_end(at) && end <= size; ++end) {
                    if (to.contains(end)) {
                        break;
                    }
                    if (text.is_label_end(end)) {
                        to.add(end);
                    }
                }
            });
            return to;
    }
    return to;
}

std::string Token::rank() const {
    switch (kind_) {
        case Kind::kLiteral:
            return {rank_of(literal_)};
        case Kind::kSeparator:
            return {rank_of('.')};
        case Kind::kOne:
            return {kRankOfOne};
        case Kind::kMany:
            return {kRankOfMany};
        case Kind::kLabels:
            return {kRankOfMany, kRankOfMany};
        case Kind::kSeparatorLabels:
            return {rank_of('.'), kRankOfMany, kRankOfMany};
        case Kind::kSet: {
            std::string rank{rank_of(']')};
            std::transform(set_->rbegin(), set_->rend(), std::back_inserter(rank), rank_of);
            return rank + rank_of('[');
        }
    }
    return {};
}

/// `c` is in lower case.
bool Token::has_member(char c) const {
    std::string_view members = *set_;
    const bool is_inverted = members[0] == '!';
    if (is_inverted) {
        members.remove_prefix(1);
    }
    const auto is_between = [&](char low, char high) {
        return (low <= c && c <= high) || (low <= to_upper(c) && to_upper(c) <= high);
    };
    bool found = false;
    while (!members.empty()) {
        const bool is_range = members.size() >= 3 && members[1] == '-';
        found = found || is_between(members[0], members[is_range ? 2 : 0]);
        members.remove_prefix(is_range ? 3 : 1);
    }
    return found != is_inverted;
}

}  // namespace culvert::dns
