#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/crypto/keys.h"
#include "culvert/portal_api/messages.h"
#include "culvert/portal_api/role.h"

/// Secrets the portal derives instead of storing, so that asking twice gives the same answer. Source:
/// spec/portal-protocol.md sections 10.3 and 10.5.
namespace culvert::portal {

/// What relays know a device by: the part of its user names that stays. Its public key is the text's only input.
[[nodiscard]] std::string turn_salt(const crypto::PublicKey& device);

/// Until when credentials that are given out now count: the token's end, or, for gateways, kNever, and for clients a
/// point that is 30 to 60 days ahead and the same for 30 days. Devices replace an allocation whose credentials changed,
/// which interrupts what is relayed, so that must not happen at each reconnect.
[[nodiscard]] UnixSeconds turn_expiry(portal_api::Role role, UnixSeconds now,
                                      const std::optional<UnixSeconds>& token_expires_at);
/// No credentials that are given out before the next renewal count longer than this.
[[nodiscard]] UnixSeconds latest_turn_expiry(portal_api::Role role, UnixSeconds now,
                                             const std::optional<UnixSeconds>& token_expires_at);

struct TurnCredentials {
    std::string username;
    std::string password;

    friend bool operator==(const TurnCredentials&, const TurnCredentials&) = default;
};

/// `stamp_secret` is the text the relay sent when it joined.
[[nodiscard]] TurnCredentials turn_credentials(const crypto::PublicKey& device, std::string_view stamp_secret,
                                               UnixSeconds expires_at);

struct PairIceCredentials {
    portal_api::IceCredentials client;
    portal_api::IceCredentials gateway;
};

[[nodiscard]] PairIceCredentials ice_credentials(const ClientId& client, const crypto::PublicKey& client_key,
                                                 const GatewayId& gateway, const crypto::PublicKey& gateway_key);

[[nodiscard]] crypto::PresharedKey preshared_key(const ClientId& client, const crypto::PublicKey& client_key,
                                                 const crypto::Secret<32>& client_psk_base, const GatewayId& gateway,
                                                 const crypto::PublicKey& gateway_key,
                                                 const crypto::Secret<32>& gateway_psk_base);

// Between two clients (spec/newer-dialect.md section 12.2). Which of the two leads is for the caller to decide, once
// for both directions.
struct ClientIceCredentials {
    portal_api::IceCredentials leader;
    portal_api::IceCredentials follower;
};

[[nodiscard]] ClientIceCredentials client_ice_credentials(const ClientId& leader, const crypto::PublicKey& leader_key,
                                                          const ClientId& follower,
                                                          const crypto::PublicKey& follower_key);

[[nodiscard]] crypto::PresharedKey client_preshared_key(const ClientId& leader, const crypto::PublicKey& leader_key,
                                                        const crypto::Secret<32>& leader_psk_base,
                                                        const ClientId& follower, const crypto::PublicKey& follower_key,
                                                        const crypto::Secret<32>& follower_psk_base);

}  // namespace culvert::portal
