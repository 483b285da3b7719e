#pragma once

#include <cstdint>

namespace culvert::portal_api {

/// How messages are named on a connection; its path decides, whatever versions its ends have (spec/newer-dialect.md
/// sections 1 and 6.1). Typed messages are the same in both.
enum class Dialect : std::uint8_t {
    kV1,  ///< `/client/websocket` and `/gateway/websocket`; also relays, which have no other
    kV2   ///< `/client/v2/websocket` and `/gateway/v2/websocket`
};

}  // namespace culvert::portal_api
