#include "culvert/admin/password.h"

#include <sodium.h>

#include <array>
#include <stdexcept>

#include "culvert/admin/constants.h"
#include "culvert/base/printable.h"

namespace culvert::admin {
namespace {

void require_library() {
    static const bool kIsReady = sodium_init() >= 0;
    if (!kIsReady) {
        throw std::runtime_error{"libsodium cannot be used on this system"};
    }
}

}  // namespace

std::optional<std::string> password_problem(std::string_view password) {
    if (password.size() < kShortestPassword || password.size() > kLongestPassword) {
        return "must have " + std::to_string(kShortestPassword) + " to " + std::to_string(kLongestPassword) + " bytes";
    }
    if (!is_utf8(password) || has_control_characters(password)) {
        return "must not have control characters";
    }
    return std::nullopt;
}

std::string hash_password(std::string_view password, const PasswordCost& cost) {
    require_library();
    std::array<char, crypto_pwhash_STRBYTES> hash{};
    if (crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), cost.passes, cost.memory,
                              crypto_pwhash_ALG_ARGON2ID13) != 0) {
        throw std::runtime_error{"there is not enough memory to check a password"};
    }
    return hash.data();
}

bool password_matches(std::string_view password, const std::string& hash) {
    require_library();
    return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

}  // namespace culvert::admin
