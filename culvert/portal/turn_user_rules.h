#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "culvert/portal/session.h"
#include "culvert/portal/storage.h"
#include "culvert/portal_api/messages.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal {

/// What relays are told about the users that the portal gave credentials to: whose are revoked, whose last longer than
/// their user names say. A relay that joins is told everything, later what is new.
///
/// Credentials are derived from the device's key and the relay's secret, so nothing but the relay can refuse them
/// before they expire.
class TurnUserRules {
public:
    void relay_joined(SessionId session);
    void relay_left(SessionId session) { relays_.erase(session); }

    /// All revocations there are now, those that count most first. One that is gone before its time was lifted.
    void set_revoked(std::vector<RevokedTurnUser> revoked, UnixSeconds now);
    [[nodiscard]] bool is_revoked(const std::string& salt) const { return revoked_.contains(salt); }
    void extend(const std::string& salt, UnixSeconds until);

    struct Push {
        SessionId session;
        portal_api::TurnUsers message;
    };
    [[nodiscard]] std::optional<Push> poll_push();

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    using Rules = std::vector<portal_api::TurnUserRule>;

    void push(SessionId session, const Rules& revoked, const Rules& extended);
    void push_to_all(const Rules& revoked, const Rules& extended);

    std::set<SessionId> relays_;
    std::map<std::string, UnixSeconds> revoked_;
    std::map<std::string, UnixSeconds> extended_;
    std::deque<Push> pushes_;
};

}  // namespace culvert::portal
