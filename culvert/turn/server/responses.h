#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/base/uuid.h"
#include "culvert/net/socket_address.h"
#include "culvert/stun/integrity.h"
#include "culvert/stun/message.h"

/// The relay's answers, attribute by attribute in the order peers observe (spec/relay.md sections 2.5 and 2.6).
namespace culvert::turn {

[[nodiscard]] bool is_served(stun::Method method);
/// As in logs and metrics: "allocate", "channel bind". Requires is_served(method).
[[nodiscard]] std::string_view method_name(stun::Method method);
[[nodiscard]] std::string_view reason_phrase(std::uint16_t code);

[[nodiscard]] Bytes binding_success(const stun::Header& request, const net::SocketAddress& mapped,
                                    std::string_view software);

struct AllocateSuccess {
    std::optional<net::SocketAddress> relayed_v4;
    std::optional<net::SocketAddress> relayed_v6;
    net::SocketAddress mapped;
    std::chrono::seconds lifetime;
};
[[nodiscard]] Bytes allocate_success(const stun::Header& request, const AllocateSuccess& success,
                                     std::string_view software, const stun::LongTermKey& key);
[[nodiscard]] Bytes refresh_success(const stun::Header& request, std::chrono::seconds lifetime,
                                    std::string_view software, const stun::LongTermKey& key);
/// ChannelBind and CreatePermission.
[[nodiscard]] Bytes plain_success(const stun::Header& request, std::string_view software, const stun::LongTermKey& key);

/// `nonce` goes with 401 and 438 and brings the realm along. Unsigned without a key.
[[nodiscard]] Bytes error_response(const stun::Header& request, std::uint16_t code, const std::optional<Uuid>& nonce,
                                   std::string_view software, const std::optional<stun::LongTermKey>& key);

}  // namespace culvert::turn
