#include "culvert/portal_api/external_id.h"

#include <algorithm>

#include "culvert/base/uuid.h"
#include "culvert/crypto/hash.h"
#include "culvert/crypto/hmac.h"

namespace culvert::portal_api {
namespace {

bool is_hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_uuid(std::string_view text) {
    static constexpr std::string_view kUrn = "urn:uuid:";
    if (text.starts_with(kUrn)) {
        return Uuid::parse(text.substr(kUrn.size())).has_value();
    }
    if (text.size() >= 2 && text.starts_with('{') && text.ends_with('}')) {
        return Uuid::parse(text.substr(1, text.size() - 2)).has_value();
    }
    return Uuid::parse(text).has_value() || (text.size() == 32 && std::ranges::all_of(text, is_hex_digit));
}

}  // namespace

std::string to_external_id(std::string_view device_id) {
    return is_uuid(device_id) ? to_hex(crypto::sha256(as_bytes(device_id))) : std::string{device_id};
}

std::string derive_device_id(std::string_view app_id, std::string_view machine_id) {
    return to_hex(crypto::hmac_sha256(as_bytes(app_id), {as_bytes(machine_id)}));
}

std::string generate_device_id(Rng& rng) {
    return to_hex(crypto::sha256(as_bytes(Uuid::random(rng).to_string())));
}

}  // namespace culvert::portal_api
