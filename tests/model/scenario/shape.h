#pragma once

#include <string_view>
#include <tuple>

/// What the parts of a scenario consist of: every part describes each of its fields, once, in its `kShape`. Scripts are
/// printed and parsed, references found, parts compared and simplified from that.
namespace culvert::model {

/// Always there, in order.
template <typename S, typename T>
struct Word {
    std::string_view name;
    T S::* member;
};
/// `name=value`, left out if the member has its default.
template <typename S, typename T>
struct Option {
    std::string_view name;
    T S::* member;
};
/// `name`, there if the member has not its default.
template <typename S>
struct Flag {
    std::string_view name;
    bool S::* member;
};
/// The fields of the member stand among those of the part.
template <typename S, typename T>
struct Inline {
    T S::* member;
};

template <typename... Fields>
struct Shape {
    std::string_view name;
    std::tuple<Fields...> fields;
};

template <typename S, typename T>
constexpr Word<S, T> word(std::string_view name, T S::* member) {
    return {name, member};
}
template <typename S, typename T>
constexpr Option<S, T> option(std::string_view name, T S::* member) {
    return {name, member};
}
template <typename S>
constexpr Flag<S> flag(std::string_view name, bool S::* member) {
    return {name, member};
}
template <typename S, typename T>
constexpr Inline<S, T> fields_of(T S::* member) {
    return {member};
}
template <typename... Fields>
constexpr Shape<Fields...> shape(std::string_view name, Fields... fields) {
    return {name, {fields...}};
}

/// Calls `visit` with a Word, Option, Flag or Inline for each field of S, in order.
template <typename S, typename Visit>
void for_each_field(Visit&& visit) {
    std::apply([&](const auto&... field) { (visit(field), ...); }, S::kShape.fields);
}

template <typename S>
    requires requires { S::kShape.fields; }
[[nodiscard]] constexpr bool operator==([[maybe_unused]] const S& a, [[maybe_unused]] const S& b) {
    return std::apply([&](const auto&... field) { return (... && (a.*field.member == b.*field.member)); },
                      S::kShape.fields);
}

}  // namespace culvert::model
