#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// Passwords of people, and what is stored of them (Argon2id, RFC 9106).
namespace culvert::admin {

/// What it costs to try one password.
struct PasswordCost {
    unsigned long long passes = 2;
    std::size_t memory = std::size_t{64} << 20U;
};

/// What is wrong with `password`, as the end of a sentence that begins with "password"; nullopt: nothing.
[[nodiscard]] std::optional<std::string> password_problem(std::string_view password);

/// With a salt of its own, and all that it takes to check it. Slow on purpose, a tenth of a second: not for the event
/// loop. Throws std::runtime_error for want of memory.
[[nodiscard]] std::string hash_password(std::string_view password, const PasswordCost& cost = {});

/// As slow as that.
[[nodiscard]] bool password_matches(std::string_view password, const std::string& hash);

}  // namespace culvert::admin
