#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/rate_limiter.h"

/// Times and limits of the administrators' API.
namespace culvert::admin {

/// Bytes; what Argon2 libraries commonly take, and what a person can be asked for.
inline constexpr std::size_t kShortestPassword = 12;
inline constexpr std::size_t kLongestPassword = 72;

/// A working day (spec/portal-product.md section 1.12).
inline constexpr std::chrono::seconds kSessionLifetime = std::chrono::hours{10};

/// Attempts to sign in: at once, and one more in each interval. An address is an IPv4 address or an IPv6 /48.
inline constexpr unsigned kSignInBurst = 10;
inline constexpr std::chrono::seconds kSignInInterval{6};
/// The same for one account, whoever tries. Whoever knows an address can keep its owner from signing in by a password
/// for as long as he goes on; so it must not be much less.
inline constexpr unsigned kAccountBurst = 20;
inline constexpr std::chrono::seconds kAccountInterval{6};
/// The same for the code of the first run, for all who try together.
inline constexpr unsigned kSetupBurst = 10;
inline constexpr std::chrono::seconds kSetupInterval{6};
/// For how many addresses or accounts that is remembered.
inline constexpr std::size_t kMaxThrottled = 16'384;
/// The length of a prefix of IPv6 addresses that is one place.
inline constexpr std::uint8_t kV6PlaceLength = 48;

/// Requests of one administrator or one token: pages ask for a dozen things at once.
inline constexpr Rate kRequests{20, 200};

/// Objects of one answer.
inline constexpr std::size_t kDefaultLimit = 50;
inline constexpr std::size_t kMaxLimit = 100;

/// Bytes of a request's body: a resource with all the filters that a person writes has less than a tenth.
inline constexpr std::size_t kMaxBody = 256 * 1024;
/// The same of those who have not signed in: an e-mail address and a password.
inline constexpr std::size_t kMaxStrangersBody = 8 * 1024;
/// Characters of what a person looks for.
inline constexpr std::size_t kMaxSearchText = 255;

/// Of the log of changes.
inline constexpr std::chrono::seconds kAuditKept = std::chrono::days{3650};
inline constexpr std::size_t kMaxAuditEntries = 1'000'000;

/// How long new tokens live unless told otherwise; gateways' and relays' for ever would be forgotten for ever.
inline constexpr std::chrono::seconds kTokenLifetime = std::chrono::days{365};

/// How old the record may be that a token was used.
inline constexpr std::chrono::seconds kTokenUseAge{60};

/// Base32 characters of the code of the first run, without the hyphens.
inline constexpr std::size_t kSetupCodeBytes = 10;

}  // namespace culvert::admin
