#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/base/overloaded.h"
#include "tests/model/scenario/action.h"

namespace culvert::model {

template <typename S, typename Visit>
void for_each_reference(S& part, Visit&& visit);

namespace detail {

template <typename T>
struct ReferencesIn {
    template <typename Visit>
    static void visit(T& /*value*/, Visit&& /*visit*/) {}
};
template <typename Tag>
struct ReferencesIn<Number<Tag>> {
    template <typename Visit>
    static void visit(Number<Tag>& value, Visit&& visit) {
        visit(value);
    }
};
template <typename... Ts>
struct ReferencesIn<std::variant<Ts...>> {
    template <typename Visit>
    static void visit(std::variant<Ts...>& value, Visit&& visit) {
        std::visit([&]<typename T>(T& held) { ReferencesIn<T>::visit(held, visit); }, value);
    }
};
template <typename T>
struct ReferencesIn<std::vector<T>> {
    template <typename Visit>
    static void visit(std::vector<T>& values, Visit&& visit) {
        for (auto& value : values) {
            ReferencesIn<T>::visit(value, visit);
        }
    }
};
template <>
struct ReferencesIn<HostOf> {
    template <typename Visit>
    static void visit(HostOf& value, Visit&& visit) {
        visit(value.resource);
    }
};
template <>
struct ReferencesIn<TunnelOf> {
    template <typename Visit>
    static void visit(TunnelOf& value, Visit&& visit) {
        ReferencesIn<decltype(value.owner)>::visit(value.owner, visit);
    }
};

}  // namespace detail

/// Calls `visit` with every number in the fields of `part`: with everything it speaks about.
template <typename S, typename Visit>
void for_each_reference(S& part, Visit&& visit) {
    for_each_field<S>(overloaded{
        [&]<typename T>(const Word<S, T>& field) { detail::ReferencesIn<T>::visit(part.*field.member, visit); },
        [&]<typename T>(const Option<S, T>& field) { detail::ReferencesIn<T>::visit(part.*field.member, visit); },
        [](const Flag<S>&) {},
        [&]<typename T>(const Inline<S, T>& field) { for_each_reference(part.*field.member, visit); },
    });
}

template <typename Visit>
void for_each_reference(Action& action, Visit&& visit) {
    std::visit([&](auto& held) { for_each_reference(held, visit); }, action);
}

[[nodiscard]] inline bool exists(const Setup& setup, ClientNo client) {
    return client.value <= setup.clients.size();
}
[[nodiscard]] inline bool exists(const Setup& setup, GatewayNo gateway) {
    return gateway.value <= setup.gateways.size();
}
[[nodiscard]] inline bool exists(const Setup& setup, RelayNo relay) {
    return relay.value <= setup.relays.size();
}
[[nodiscard]] inline bool exists(const Setup& setup, ResourceNo resource) {
    return resource.value <= setup.resources.size();
}
[[nodiscard]] inline bool exists(const Setup& setup, SiteNo site) {
    return site.value <= setup.sites;
}
[[nodiscard]] inline bool exists(const Setup& setup, GroupNo group) {
    return group.value <= setup.groups;
}

}  // namespace culvert::model
