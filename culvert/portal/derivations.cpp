#include "culvert/portal/derivations.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

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

struct IceHalves {
    portal_api::IceCredentials first;
    portal_api::IceCredentials second;
};
IceHalves derive_ice(const std::string& id, const crypto::PublicKey& key, const std::string& other_id,
                     const crypto::PublicKey& other_key) {
    const auto input = id + ":" + key.to_string() + ":" + other_id + ":" + other_key.to_string();
    const auto text = to_base32_lower(crypto::sha256(as_bytes(input)));
    return {{text.substr(0, 4), text.substr(4, 22)}, {text.substr(26, 4), text.substr(30, 22)}};
}

crypto::PresharedKey derive_key(const crypto::Secret<32>& base, const crypto::Secret<32>& other_base,
                                const std::string& salt) {
    crypto::Secret<64> password;
    std::memcpy(password.reveal().data(), base.reveal().data(), 32);
    std::memcpy(password.reveal().data() + 32, other_base.reveal().data(), 32);
    auto key = crypto::pbkdf2_hmac_sha256(password.reveal(), as_bytes(salt), 1, 32);
    const auto secret = crypto::PresharedKey::from_bytes(key);
    crypto::zeroise(key);
    return secret;
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
    auto [first, second] = derive_ice(client.to_string(), client_key, gateway.to_string(), gateway_key);
    return {std::move(first), std::move(second)};
}

crypto::PresharedKey preshared_key(const ClientId& client, const crypto::PublicKey& client_key,
                                   const crypto::Secret<32>& client_psk_base, const GatewayId& gateway,
                                   const crypto::PublicKey& gateway_key, const crypto::Secret<32>& gateway_psk_base) {
    return derive_key(client_psk_base, gateway_psk_base,
                      "WG_PSK|C_ID:" + client.to_string() + "|G_ID:" + gateway.to_string() +
                          "|C_PK:" + client_key.to_string() + "|G_PK:" + gateway_key.to_string());
}

ClientIceCredentials client_ice_credentials(const ClientId& leader, const crypto::PublicKey& leader_key,
                                            const ClientId& follower, const crypto::PublicKey& follower_key) {
    auto [first, second] = derive_ice(leader.to_string(), leader_key, follower.to_string(), follower_key);
    return {std::move(first), std::move(second)};
}

crypto::PresharedKey client_preshared_key(const ClientId& leader, const crypto::PublicKey& leader_key,
                                          const crypto::Secret<32>& leader_psk_base, const ClientId& follower,
                                          const crypto::PublicKey& follower_key,
                                          const crypto::Secret<32>& follower_psk_base) {
    return derive_key(leader_psk_base, follower_psk_base,
                      "WG_PSK_CC|CA_ID:" + leader.to_string() + "|CB_ID:" + follower.to_string() +
                          "|CA_PK:" + leader_key.to_string() + "|CB_PK:" + follower_key.to_string());
}

}  // namespace culvert::portal
