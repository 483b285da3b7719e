#pragma once

#include <algorithm>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/overloaded.h"
#include "tests/model/scenario/values.h"

/// The words of one line of a script: from a described part, and back.
namespace culvert::model {

template <typename S>
void write_fields(std::vector<std::string>& words, const S& part) {
    static const S kDefaults{};
    for_each_field<S>(overloaded{
        [&]<typename T>(const Word<S, T>& field) { Text<T>::write(words.emplace_back(), part.*field.member); },
        [&]<typename T>(const Option<S, T>& field) {
            if (part.*field.member != kDefaults.*field.member) {
                Text<T>::write(words.emplace_back(std::string{field.name} + "="), part.*field.member);
            }
        },
        [&](const Flag<S>& field) {
            if (part.*field.member != kDefaults.*field.member) {
                words.emplace_back(field.name);
            }
        },
        [&]<typename T>(const Inline<S, T>& field) { write_fields(words, part.*field.member); },
    });
}

namespace detail {

// The first word for which `matches` holds, removed from `words`.
template <typename Matches>
std::optional<std::string_view> take(std::vector<std::string_view>& words, Matches matches) {
    const auto found = std::ranges::find_if(words, matches);
    if (found == words.end()) {
        return std::nullopt;
    }
    const auto word = *found;
    words.erase(found);
    return word;
}

// Sets `target` to what `text` says, or `error` to why that is impossible.
template <typename T>
void read_value(std::string_view text, std::string_view name, T& target, std::string& error) {
    if (auto value = Text<T>::read(text)) {
        target = std::move(*value);
    } else if (error.empty()) {
        error = "\"" + std::string{text} + "\" is no " + std::string{name};
    }
}

template <typename S>
void take_fields(std::vector<std::string_view>& words, S& part, std::string& error) {
    for_each_field<S>(overloaded{
        [&]<typename T>(const Word<S, T>& field) {
            if (const auto word = take(words, [](std::string_view) { return true; })) {
                read_value(*word, field.name, part.*field.member, error);
            } else if (error.empty()) {
                error = std::string{field.name} + " is missing";
            }
        },
        [&]<typename T>(const Option<S, T>& field) {
            const auto key = std::string{field.name} + "=";
            if (const auto word = take(words, [&](std::string_view w) { return w.starts_with(key); })) {
                read_value(word->substr(key.size()), field.name, part.*field.member, error);
            }
        },
        [&](const Flag<S>& field) {
            if (take(words, [&](std::string_view w) { return w == field.name; })) {
                part.*field.member = !(part.*field.member);
            }
        },
        [&]<typename T>(const Inline<S, T>& field) { take_fields(words, part.*field.member, error); },
    });
}

}  // namespace detail

/// Sets the fields of `part`, which has its defaults, to what the words say. The error says what is wrong with them.
template <typename S>
[[nodiscard]] std::expected<void, std::string> read_fields(std::vector<std::string_view> words, S& part) {
    std::string error;
    detail::take_fields(words, part, error);
    if (error.empty() && !words.empty()) {
        error = "do not understand \"" + std::string{words.front()} + "\"";
    }
    return error.empty() ? std::expected<void, std::string>{} : std::unexpected{std::move(error)};
}

}  // namespace culvert::model
