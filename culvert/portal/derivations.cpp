#include "culvert/portal/derivations.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "culvert/base/base64.h"
#include "culvert/crypto/hash.h"
#include "culvert/crypto/pbkdf2.h"
#include "culvert/portal/base32.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/model.h"
#include "culvert/turn/server/credentials.h"

namespace culvert::portal {
namespace {

UnixSeconds end_of_turn_period(portal_api::Role role, UnixSeconds now, int periods,
                               const std::optional<UnixSeconds>& limit) {
    const bool is_gateway = role == portal_api::Role::kGateway;
    const auto end = is_gateway ? kNever : UnixSeconds{(now.time_since_epoch() / kTurnPeriod + periods) * kTurnPeriod};
    return limit ? std::min(end, *limit) : end;
}

}  // namespace

std::string turn_salt(const crypto::PublicKey& device) {
    return to_base64(crypto::sha256(as_bytes(device.to_string())), Base64::kStandardNoPadding);
}

UnixSeconds turn_expiry(portal_api::Role role, UnixSeconds now, const std::optional<UnixSeconds>& token_expires_at) {
    return end_of_turn_period(role, now, 2, token_expires_at);
}

UnixSeconds latest_turn_expiry(portal_api::Role role, UnixSeconds now,
                               const std::optional<UnixSeconds>& token_expires_at) {
    return end_of_turn_period(role, now, 3, token_expires_at);
}

TurnCredentials turn_credentials(const crypto::PublicKey& device, std::string_view stamp_secret,
                                 UnixSeconds expires_at) {
    const auto salt = turn_salt(device);
    const turn::RelayUsername username{.expiry = static_cast<std::uint64_t>(expires_at.time_since_epoch().count()),
                                       .salt = salt};
    return {username.to_string(), turn::relay_password(username, stamp_secret)};
}

PairIceCredentials ice_credentials(const ClientId& client, const crypto::PublicKey& client_key,
                                   const GatewayId& gateway, const crypto::PublicKey& gateway_key) {
    const auto input =
        client.to_string() + ":" + client_key.to_string() + ":" + gateway.to_string() + ":" + gateway_key.to_string();
    const auto text = to_base32_lower(crypto::sha256(as_bytes(input)));
    return {{text.substr(0, 4), text.substr(4, 22)}, {text.substr(26, 4), text.substr(30, 22)}};
}

crypto::PresharedKey preshared_key(const ClientId& client, const crypto::PublicKey& client_key,
                                   const crypto::Secret<32>& client_psk_base, const GatewayId& gateway,
                                   const crypto::PublicKey& gateway_key, const crypto::Secret<32>& gateway_psk_base) {
    crypto::Secret<64> password;
    std::memcpy(password.reveal().data(), client_psk_base.reveal().data(), 32);
    std::memcpy(password.reveal().data() + 32, gateway_psk_base.reveal().data(), 32);
    const auto salt = "WG_PSK|C_ID:" + client.to_string() + "|G_ID:" + gateway.to_string() +
                      "|C_PK:" + client_key.to_string() + "|G_PK:" + gateway_key.to_string();

    auto key = crypto::pbkdf2_hmac_sha256(password.reveal(), as_bytes(salt), 1, 32);
    const auto secret = crypto::PresharedKey::from_bytes(key);
    crypto::zeroise(key);
    return secret;
}

}  // namespace culvert::portal
