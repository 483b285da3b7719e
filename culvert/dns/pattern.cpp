#include "culvert/dns/pattern.h"

#include <algorithm>

namespace culvert::dns {

namespace {

using Kind = Token::Kind;
using Label = std::vector<Token>;

/// The stars at the beginning of `rest`, removed from it.
std::expected<Token, PatternError> take_stars(std::string_view& rest, bool is_at_label_start) {
    const auto count = std::min(rest.find_first_not_of('*'), rest.size());
    rest.remove_prefix(count);
    if (count == 1) {
        return Token::of(Kind::kMany);
    }
    if (count == 2 && is_at_label_start && (rest.empty() || rest[0] == '.')) {
        return Token::of(Kind::kLabels);
    }
    return std::unexpected{PatternError::kBadStars};
}

std::expected<Token, PatternError> take_set(std::string_view& rest) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) {
        return std::unexpected{PatternError::kBadSet};
    }
    const auto members = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (members.empty() || members == "!") {
        return std::unexpected{PatternError::kBadSet};
    }
    return Token::set(std::string{members});
}

std::expected<Token, PatternError> take_token(std::string_view& rest, bool is_at_label_start) {
    const char c = rest[0];
    if (c == '*') {
        return take_stars(rest, is_at_label_start);
    }
    if (c == '[') {
        return take_set(rest);
    }
    rest.remove_prefix(1);
    return c == '?' ? Token::of(Kind::kOne) : Token::literal(c);
}

std::expected<Label, PatternError> take_label(std::string_view& rest) {
    Label label;
    while (!rest.empty() && rest[0] != '.') {
        const auto token = take_token(rest, label.empty());
        if (!token) {
            return std::unexpected{token.error()};
        }
        label.push_back(*token);
    }
    if (label.empty()) {
        return std::unexpected{PatternError::kEmptyLabel};
    }
    return label;
}

std::expected<std::vector<Label>, PatternError> split(std::string_view rest) {
    std::vector<Label> labels;
    while (true) {
        auto label = take_label(rest);
        if (!label) {
            return std::unexpected{label.error()};
        }
        if (labels.empty() || *label != labels.back() || label->front().kind() != Kind::kLabels) {
            labels.push_back(std::move(*label));  // `**.**` is `**`
        }
        if (rest.empty()) {
            return labels;
        }
        rest.remove_prefix(1);
        if (rest.empty()) {
            return std::unexpected{PatternError::kEmptyLabel};
        }
    }
}

std::vector<Token> from_right_to_left(const std::vector<Label>& labels) {
    std::vector<Token> tokens;
    for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
        if (tokens.empty()) {
            tokens.assign(label->rbegin(), label->rend());
        } else if (label->front().kind() == Kind::kLabels) {
            tokens.push_back(Token::of(Kind::kSeparatorLabels));
        } else {
            tokens.push_back(Token::of(Kind::kSeparator));
            tokens.insert(tokens.end(), label->rbegin(), label->rend());
        }
    }
    return tokens;
}

}  // namespace

std::string_view to_string(PatternError error) {
    switch (error) {
        case PatternError::kBadLength:
            return "empty or too long";
        case PatternError::kEmptyLabel:
            return "a label is empty";
        case PatternError::kBadStars:
            return "three stars, or two within a label";
        case PatternError::kBadSet:
            return "brackets are empty or not closed";
    }
    return "";
}

std::expected<Pattern, PatternError> Pattern::parse(std::string_view text) {
    if (text.empty() || text.size() > kMaxSize) {
        return std::unexpected{PatternError::kBadLength};
    }
    const auto labels = split(text);
    if (!labels) {
        return std::unexpected{labels.error()};
    }
    Pattern pattern;
    pattern.text_ = text;
    pattern.tokens_ = from_right_to_left(*labels);
    for (const auto& token : pattern.tokens_) {
        pattern.rank_ += token.rank();
    }
    return pattern;
}

bool Pattern::matches(const Name& name) const {
    if (name.is_root()) {
        return false;
    }
    const NameText text{name};
    Positions ends;
    ends.add(0);
    bool is_literal = true;
    for (const auto& token : tokens_) {
        ends = token.advance(text, ends, is_literal);
        is_literal = is_literal && token.is_literal();
    }
    return ends.contains(text.size()) || ends.contains(text.apex());
}

}  // namespace culvert::dns
