#pragma once

#include <cstdint>
#include <string_view>

namespace culvert::portal_api {

/// What a peer of the portal is. Decides the endpoint, the topic of its one channel and the set of its messages.
enum class Role : std::uint8_t { kClient, kGateway, kRelay };

/// The name of the role on the wire: the channel's topic and a segment of the URL.
[[nodiscard]] constexpr std::string_view to_topic(Role role) {
    switch (role) {
        case Role::kClient:
            return "client";
        case Role::kGateway:
            return "gateway";
        case Role::kRelay:
            break;
    }
    return "relay";
}

}  // namespace culvert::portal_api
