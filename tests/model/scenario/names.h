#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culvert/base/overloaded.h"

namespace culvert::model {

/// A thing of a scenario: its number among things of its kind, from 1 on. Scripts write `client1`, `resource3`.
template <typename Tag>
struct Number {
    std::uint8_t value = 1;

    static constexpr std::string_view kKind = Tag::kName;

    friend auto operator<=>(const Number&, const Number&) = default;
};

struct ClientTag {
    static constexpr std::string_view kName = "client";
};
struct GatewayTag {
    static constexpr std::string_view kName = "gateway";
};
struct RelayTag {
    static constexpr std::string_view kName = "relay";
};
struct SiteTag {
    static constexpr std::string_view kName = "site";
};
struct GroupTag {
    static constexpr std::string_view kName = "group";
};
struct ResourceTag {
    static constexpr std::string_view kName = "resource";
};
using ClientNo = Number<ClientTag>;
using GatewayNo = Number<GatewayTag>;
using RelayNo = Number<RelayTag>;
using SiteNo = Number<SiteTag>;
using GroupNo = Number<GroupTag>;
using ResourceNo = Number<ResourceTag>;

/// There is one; it has no number.
struct PortalNo {
    friend auto operator<=>(const PortalNo&, const PortalNo&) = default;
};

/// What connects to the portal.
using Device = std::variant<ClientNo, GatewayNo, RelayNo>;
/// What runs as a program.
using Process = std::variant<ClientNo, GatewayNo, RelayNo, PortalNo>;

[[nodiscard]] inline Process as_process(const Device& device) {
    return std::visit([](auto number) -> Process { return number; }, device);
}

/// The device that `process` is, unless it is the portal.
[[nodiscard]] inline std::optional<Device> as_device(const Process& process) {
    return std::visit(overloaded{[](PortalNo) -> std::optional<Device> { return std::nullopt; },
                                 [](auto number) -> std::optional<Device> { return number; }},
                      process);
}

/// The number of the element at this index of a list.
template <typename No>
[[nodiscard]] constexpr No number(std::size_t index) {
    return No{static_cast<std::uint8_t>(index + 1)};
}
/// Those of all elements of a list with so many.
template <typename No>
[[nodiscard]] std::vector<No> numbers(std::size_t count) {
    std::vector<No> all;
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(number<No>(i));
    }
    return all;
}

template <typename Tag>
[[nodiscard]] std::string name(Number<Tag> thing) {
    return std::string{Tag::kName} + std::to_string(thing.value);
}
[[nodiscard]] inline std::string name(PortalNo) {
    return "portal";
}
template <typename... Things>
[[nodiscard]] std::string name(const std::variant<Things...>& thing) {
    return std::visit([](auto held) { return name(held); }, thing);
}

}  // namespace culvert::model
