#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

/// Names and other short texts as people and devices give them.
namespace culvert::portal {

/// Without white space at both ends.
[[nodiscard]] inline std::string_view trim(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n\v\f";
    const auto first = text.find_first_not_of(kSpace);
    return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// As people count, not bytes.
[[nodiscard]] inline std::size_t count_characters(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

/// Whether `text` has `part` in it, be its ASCII letters large or small.
[[nodiscard]] inline bool contains_text(std::string_view text, std::string_view part) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    return std::ranges::search(text, part, {}, lower, lower).begin() != text.end() || part.empty();
}

/// Whether they are the same but for the size of ASCII letters.
[[nodiscard]] inline bool equals_text(std::string_view a, std::string_view b) {
    return a.size() == b.size() && contains_text(a, b);
}

}  // namespace culvert::portal
