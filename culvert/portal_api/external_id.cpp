#include "culvert/portal_api/external_id.h"

#include <algorithm>
#include <array>

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

std::string_view trim(std::string_view text) {
    constexpr std::string_view kWhiteSpace = " \t\r\n";
    const auto first = text.find_first_not_of(kWhiteSpace);
    return first == std::string_view::npos ? std::string_view{}
                                           : text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

/// UUIDs that vendors left in the firmware of many machines, as digits.
constexpr std::array<std::string_view, 3> kSharedUuids{
    "03000200040005000006000700080009", "12345678123456789012123456789012", "0123456789abcdef0123456789abcdef"};

}  // namespace

bool is_placeholder_id(std::string_view text) {
    std::string digits;
    for (const char c : trim(text)) {
        if (is_hex_digit(c)) {
            digits += static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
        } else if (c != '-' && c != '{' && c != '}') {
            return false;
        }
    }
    // Short ones may be people's own numbering.
    constexpr std::size_t kMinUuidDigits = 16;
    const bool is_one_digit =
        digits.size() >= kMinUuidDigits && std::ranges::all_of(digits, [&](char c) { return c == digits.front(); });
    return digits.empty() || is_one_digit || std::ranges::find(kSharedUuids, digits) != kSharedUuids.end();
}

bool is_machine_id(std::string_view text) {
    const auto id = trim(text);
    return id.size() == 32 && std::ranges::all_of(id, is_hex_digit) && !is_placeholder_id(id);
}

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
