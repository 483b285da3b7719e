#pragma once

#include <string>
#include <string_view>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/crypto/keys.h"
#include "culvert/portal_api/messages.h"

/// Secrets the portal derives instead of storing, so that asking twice gives the same answer. Source:
/// spec/portal-protocol.md sections 10.3 and 10.5.
namespace culvert::portal {

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

}  // namespace culvert::portal
