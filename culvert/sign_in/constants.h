#pragma once

#include <chrono>
#include <cstddef>

/// Times and limits of how people sign in on their devices.
namespace culvert::sign_in {

/// How long the page with the form may stay open. A person looks for a password meanwhile, no more.
inline constexpr std::chrono::seconds kFormLifetime = std::chrono::minutes{30};

/// How long a browser may take to hand over to the app (spec/portal-protocol.md section 13.3).
inline constexpr std::chrono::seconds kHandoverLifetime = std::chrono::minutes{2};

/// What is remembered of sign-ins that were finished: only those count who knew a password.
inline constexpr std::size_t kMaxHandovers = 4096;
inline constexpr std::size_t kMaxUsedForms = 65'536;

/// Client tokens of one person: many more than devices, and few enough to be looked through.
inline constexpr std::size_t kMaxTokensOfPerson = 200;

/// What an app may send: 64 characters each (spec/session-and-apps.md section 4.6), and what tokens can begin with.
inline constexpr std::size_t kMaxState = 256;
inline constexpr std::size_t kMaxNonce = 128;

/// Fields of the form: it has five.
inline constexpr std::size_t kMaxFields = 16;
inline constexpr std::size_t kMaxEmail = 160;

/// Entries in the log of attempts in the name of nobody: at once, and one more in each interval.
inline constexpr unsigned kStrangersLogged = 100;
inline constexpr std::chrono::seconds kStrangersLoggedInterval{6};

}  // namespace culvert::sign_in
