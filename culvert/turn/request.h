#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "culvert/base/bytes.h"
#include "culvert/net/socket_address.h"
#include "culvert/stun/constants.h"
#include "culvert/stun/integrity.h"
#include "culvert/turn/retransmission_timer.h"

namespace culvert::turn {

struct BindingRequest {};
struct AllocateRequest {};
struct RefreshRequest {
    bool deletes_allocation = false;  ///< LIFETIME 0
    bool is_probe = false;            ///< asks only whether the relay is alive
};
struct ChannelBindRequest {
    std::uint16_t channel = 0;
    net::SocketAddress peer;
};
using RequestKind = std::variant<BindingRequest, AllocateRequest, RefreshRequest, ChannelBindRequest>;

[[nodiscard]] stun::Method method_of(const RequestKind& kind);

/// A request that waits for its response.
struct Request {
    RequestKind kind;
    net::SocketAddress destination;
    RetransmissionTimer timer;
    // Of the last transmission:
    stun::TransactionId id{};
    bool had_nonce = false;
    Bytes bytes;
    /// How often the relay wanted it with another nonce.
    unsigned challenges = 0;
};

/// What an authenticated request is signed with.
struct Authentication {
    std::string_view username;
    std::string_view realm;
    std::optional<std::string_view> nonce;
    const stun::LongTermKey& key;
};

/// The message, attributes in the order of spec/connectivity.md section 5.2. Binding requests are not authenticated;
/// the others require `authentication`.
[[nodiscard]] Bytes encode_request(const RequestKind& kind, const stun::TransactionId& id, std::string_view software,
                                   const Authentication* authentication);

}  // namespace culvert::turn
