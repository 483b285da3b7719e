#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <variant>

#include "culvert/base/overloaded.h"

namespace culvert::model {

/// A thing of a scenario: its number among things of its kind, from 1 on. Scripts write `client1`, `resource3`.
template <typename Tag>
struct Number {
    std::uint8_t value = 1;

    friend auto operator<=>(const Number&, const Number&) = default;
};

using ClientNo = Number<struct ClientNoTag>;
using GatewayNo = Number<struct GatewayNoTag>;
using RelayNo = Number<struct RelayNoTag>;
using SiteNo = Number<struct SiteNoTag>;
using GroupNo = Number<struct GroupNoTag>;
using ResourceNo = Number<struct ResourceNoTag>;

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

}  // namespace culvert::model
