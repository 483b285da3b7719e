#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/portal/model.h"
#include "culvert/portal/session.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal {

/// Which relays are online, which of them each client and gateway was given, and what to tell those when that changes.
///
/// Sans-IO. Source: spec/portal-protocol.md sections 10.1 to 10.4. Two differences from the reference, both where the
/// specification calls it a quirk: a relay that comes back within the debounce time with unchanged credentials is never
/// reported, whatever else the device has; and a device with one relay is given a second one when one appears.
class RelayPresence {
public:
    explicit RelayPresence(const Rng& rng) : rng_{rng} {}

    /// `takes_turn_users`: the relay can be told to let a user's credentials count longer.
    void relay_joined(SessionId session, const RelayServer& relay, const std::string& stamp_secret,
                      bool takes_turn_users);
    void relay_left(SessionId session, const RelayId& relay, Instant now);

    /// Whoever needs relays, with credentials that are valid until `expires_at` and renewed up to `limit`.
    struct User {
        portal_api::Role role = portal_api::Role::kClient;
        crypto::PublicKey key;
        UnixSeconds expires_at;
        std::optional<UnixSeconds> limit;
    };
    /// Chooses relays for a device that joins, or joins again.
    [[nodiscard]] std::vector<portal_api::Relay> device_joined(SessionId session, const User& user);
    void device_left(SessionId session) { devices_.erase(session); }

    /// What device_joined() or the last push gave to the device.
    [[nodiscard]] std::vector<portal_api::Relay> relays_of(SessionId session) const;

    /// Looks for credentials that will expire soon. A device is given others only if its relay cannot be told to let
    /// the old ones count: it would replace its allocation, and what is relayed is interrupted.
    struct Renewal {
        SessionId session;
        std::string salt;
        /// For relays; unset if the device was given other credentials.
        std::optional<UnixSeconds> extended_until;
    };
    [[nodiscard]] std::vector<Renewal> renew(UnixSeconds now);

    struct Push {
        SessionId session;
        portal_api::RelaysPresence message;
    };
    [[nodiscard]] std::optional<Push> poll_push();

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    [[nodiscard]] std::size_t online_count() const { return online_.size(); }
    [[nodiscard]] bool is_online(const RelayId& relay) const { return online_.contains(relay); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    /// What credentials and addresses of a relay depend on.
    struct Stamp {
        std::string secret;
        std::optional<net::SocketAddress> v4;
        std::optional<net::SocketAddress> v6;

        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    struct Process {
        SessionId session;
        Stamp stamp;
        bool takes_turn_users = false;
    };
    struct Assignment {
        Stamp stamp;
        /// As the user name says.
        UnixSeconds expires_at;
        /// As the relay was told, if that is later.
        UnixSeconds counts_until = expires_at;
    };
    struct Device {
        /// Its expiry is that of credentials for further relays.
        User user;
        std::map<RelayId, Assignment> assigned;
        /// Assigned relays that went away, and when to report that unless they are back.
        std::map<RelayId, Instant> leaving;
    };

    void fill_up(Device& device);
    [[nodiscard]] std::vector<portal_api::Relay> entries(const Device& device) const;
    void push(SessionId session, const Device& device, std::vector<RelayId> disconnected);
    [[nodiscard]] const Process* find_online(const RelayId& relay) const;

    Rng rng_;
    /// Newest last: that process holds the port, so its secret counts.
    std::map<RelayId, std::vector<Process>> online_;
    std::map<SessionId, Device> devices_;
    std::deque<Push> pushes_;
    /// The times in all `leaving`, in ascending order; some may be of relays that are back.
    std::deque<Instant> debounce_ends_;
};

}  // namespace culvert::portal
