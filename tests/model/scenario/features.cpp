#include "tests/model/scenario/features.h"

#include <string>
#include <type_traits>
#include <utility>

#include "culvert/base/overloaded.h"
#include "tests/model/scenario/values.h"

namespace culvert::model {
namespace {

/// "action attack"; kept, because verdicts refer to it.
template <typename S>
std::string_view action_feature() {
    static const auto text = "action " + std::string{S::kShape.name};
    return text;
}

/// "attack garbage", "attack stun-binding", ...
template <typename S, typename Kind>
const std::vector<std::string>& kind_features() {
    static const auto texts = [] {
        std::vector<std::string> result;
        for (const auto& name : names_of<Kind>()) {
            result.push_back(std::string{S::kShape.name} + " " + name);
        }
        return result;
    }();
    return texts;
}

/// Calls `visit` with the feature names of every field that says of which kind an S is, and the field.
template <typename S, typename Visit>
void for_each_kind(const Visit& visit) {
    const auto visit_kind = [&]<typename T>(T S::* member) {
        if constexpr (std::is_enum_v<T>) {
            visit(kind_features<S, T>(), member);
        }
    };
    for_each_field<S>(overloaded{[&]<typename T>(const Word<S, T>& field) { visit_kind(field.member); },
                                 [&]<typename T>(const Option<S, T>& field) { visit_kind(field.member); },
                                 [](const auto&) {}});
}

template <typename Visit>
void for_each_action(const Visit& visit) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (visit(std::type_identity<std::variant_alternative_t<I, Action>>{}), ...);
    }(std::make_index_sequence<std::variant_size_v<Action>>{});
}

}  // namespace

std::vector<std::string_view> features_of(const Action& action) {
    return std::visit(
        []<typename S>(const S& held) {
            std::vector<std::string_view> result{action_feature<S>()};
            for_each_kind<S>([&](const std::vector<std::string>& names, auto member) {
                result.push_back(names.at(static_cast<std::size_t>(std::to_underlying(held.*member))));
            });
            return result;
        },
        action);
}

std::vector<std::string_view> all_action_features() {
    std::vector<std::string_view> result;
    for_each_action([&]<typename S>(std::type_identity<S>) { result.push_back(action_feature<S>()); });
    return result;
}

std::vector<std::string_view> all_kind_features() {
    std::vector<std::string_view> result;
    for_each_action([&]<typename S>(std::type_identity<S>) {
        for_each_kind<S>([&](const std::vector<std::string>& names, auto) {
            result.insert(result.end(), names.begin(), names.end());
        });
    });
    return result;
}

}  // namespace culvert::model
