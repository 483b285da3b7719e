#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

namespace culvert {

namespace detail {

/// `kRefresh`, or something with a parenthesis, `Due)3`, if no enumerator has this value: the end of what the compiler
/// calls this function.
template <auto Value>
consteval std::string_view enumerator_name() {
    constexpr std::string_view kParameter = "Value = ";
    std::string_view text = std::source_location::current().function_name();
    text = text.substr(text.find(kParameter) + kParameter.size());
    text = text.substr(0, text.find_first_of(";]"));
    const auto scope = text.rfind("::");
    return scope == std::string_view::npos ? text : text.substr(scope + 2);
}

template <typename Enum, std::size_t Value = 0>
consteval std::size_t count_enumerators() {
    if constexpr (enumerator_name<static_cast<Enum>(Value)>().contains(')')) {
        return Value;
    } else {
        return count_enumerators<Enum, Value + 1>();
    }
}

}  // namespace detail

/// How many enumerators an enumeration has. They must be numbered from 0 on, and its type be fixed (`enum class`).
template <typename Enum>
    requires std::is_scoped_enum_v<Enum>
inline constexpr std::size_t kEnumeratorCount = detail::count_enumerators<Enum>();

/// Their names as the source spells them, in order: `kRefresh`, ...
template <typename Enum>
inline constexpr auto kEnumeratorNames = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array{detail::enumerator_name<static_cast<Enum>(I)>()...};
}(std::make_index_sequence<kEnumeratorCount<Enum>>{});

}  // namespace culvert
