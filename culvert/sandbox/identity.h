#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>

namespace culvert::sandbox {

/// A user to run as.
struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name;  ///< for people; the number if no account has it

    friend bool operator==(const Identity&, const Identity&) = default;
};

/// Who a program becomes when root starts it.
struct ServiceAccount {
    std::string_view name;
    /// For hosts without that account. From 60706-61183, which neither Debian nor systemd gives to anybody.
    id_t spare_id;
};

inline constexpr ServiceAccount kRelayAccount{"culvert-relay", 60910};
inline constexpr ServiceAccount kPortalAccount{"culvert-portal", 60911};
inline constexpr ServiceAccount kGatewayAccount{"culvert-gateway", 60912};
inline constexpr ServiceAccount kClientAccount{"culvert-client", 60913};

/// The account `wanted` (name or number); if it is empty, the service's own; without that, the service's spare id.
/// Never root. The error is for a person.
[[nodiscard]] std::expected<Identity, std::string> find_identity(const std::string& wanted,
                                                                 const ServiceAccount& service);

/// The user with that number, whether or not an account has it.
[[nodiscard]] Identity identity_of(uid_t uid);

}  // namespace culvert::sandbox
