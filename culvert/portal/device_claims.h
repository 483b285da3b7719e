#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "culvert/portal/registration.h"
#include "culvert/portal/session.h"

namespace culvert::portal {

/// Tells two machines with one device id (a cloned disk) from one machine that comes back.
///
/// Both look like "a new connection of a device whose old one is still open": after a network was lost the old TCP
/// connection lingers. What tells them apart is the key, which is random for each process and never the same again: a
/// key that comes back although another one was used after it belongs to a process that was alive all the time. So is
/// the process that holds the connection, if it sends something after that. Then two machines exist, and the one that
/// holds the connection keeps it: if the newest always won, the two would throw each other out for ever, since devices
/// reconnect at once.
class DeviceClaims {
public:
    struct Verdict {
        enum class Kind : std::uint8_t {
            kAdmitted,
            kWait,       ///< not clear yet, or a new process of one of two machines
            kDuplicate,  ///< certainly a second machine
        };
        Kind kind = Kind::kAdmitted;
        /// That there are two machines has become clear just now.
        bool is_discovered = false;
    };
    [[nodiscard]] Verdict claim(const DeviceIdentity& device, const crypto::PublicKey& key, Instant now);

    /// The device joined; whoever held it is to be told to go. That one, if there is one.
    [[nodiscard]] std::optional<SessionId> joined(const DeviceIdentity& device, SessionId session,
                                                  const crypto::PublicKey& key, Instant now);
    void heard(const DeviceIdentity& device, SessionId session, Instant now);
    void left(const DeviceIdentity& device, SessionId session);

    [[nodiscard]] std::optional<SessionId> holder(const DeviceIdentity& device) const;
    /// Removes devices that are not connected and not in dispute.
    void prune(Instant now);
    [[nodiscard]] std::size_t size() const { return claims_.size(); }

private:
    struct Claim {
        std::optional<SessionId> holder;
        crypto::PublicKey key;
        Instant heard_at;
        std::deque<crypto::PublicKey> former;
        /// Of the dispute that is going on.
        std::optional<Instant> disputed_since;
        Instant refused_at;
        bool is_proven = false;
    };

    std::map<DeviceIdentity, Claim> claims_;
};

}  // namespace culvert::portal
