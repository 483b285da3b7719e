// Which devices may be, and what one party may take up.

#include <algorithm>
#include <chrono>

#include "culvert/observability/log.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/derivations.h"

namespace culvert::portal {
namespace {

using portal_api::Role;

constexpr log::Logger kLog{"portal"};

}  // namespace

std::optional<Refusal> ControlPlane::admit(const Token& token, const std::optional<Applicant>& applicant, Instant now,
                                           const std::function<bool(const Uuid& owner)>& is_crowded) {
    using namespace std::chrono_literals;
    const auto count = sessions_of_token_.find(token.id);
    if (count != sessions_of_token_.end() && count->second >= limits_.sessions_per_token) {
        return Refusal{503, "limits_exceeded",
                       "Too many connections with this token. See --max-sessions of the portal.", 60s};
    }
    const auto owner = applicant ? applicant->identity.owner : token.id.uuid();
    if (is_crowded && is_crowded(owner)) {
        return Refusal{503, "overload", "Too much waits for devices of this owner to read it. Try again soon.", 5s};
    }
    auto& of_owner = owners_[owner];
    if (!of_owner.connects.take(kConnects, now)) {
        return Refusal{503, "rate_limit", "Too many connections at once. Try again soon.",
                       2s + of_owner.turns.next(kConnects, kLongestTurn, now)};
    }
    return applicant ? admit(*applicant, now) : std::nullopt;
}

std::optional<Refusal> ControlPlane::admit(const Applicant& applicant, Instant now) {
    using namespace std::chrono_literals;
    const auto verdict = claims_.claim(applicant.identity, applicant.public_key, now);
    const auto holder = claims_.holder(applicant.identity);
    if (verdict.is_discovered && holder) {
        const auto& session = sessions_.at(*holder);
        kLog.warn(
            "Two machines use the same device id, such as a disk and its copy; the one that is connected stays. Give "
            "the "
            "other one an id of its own: set FIREZONE_ID there, or remove its id file",
            log::field("external_id", applicant.identity.external_id), log::field("role", to_topic(session.role)));
    }
    switch (verdict.kind) {
        case DeviceClaims::Verdict::Kind::kAdmitted:
            return std::nullopt;
        case DeviceClaims::Verdict::Kind::kWait:
            return Refusal{503, "device_in_use",
                           "Another machine is connected with this device id. Trying again may help.", 15s};
        case DeviceClaims::Verdict::Kind::kDuplicate:
            break;
    }
    // Not 401: the token is good, and devices would delete it. This ends older devices, with the text for their user;
    // later ones wait until the other machine is gone.
    return Refusal{
        409, "device_in_use",
        "Another machine uses this device id, perhaps because the disk was copied. Give this one an id of its "
        "own: set FIREZONE_ID, or remove the file with its id, and start again.",
        60s};
}

Duration ControlPlane::charge_frame(Session& session, std::size_t size, Instant now) {
    const auto& rates = session.role == Role::kClient    ? kClientFrames
                        : session.role == Role::kGateway ? kGatewayFrames
                                                         : kRelayFrames;
    const auto begun = (size + kFrameUnit - 1) / kFrameUnit;
    const auto count = static_cast<std::uint32_t>(std::max<std::size_t>(begun, 1));
    const Duration owner_pause = owner_of(session).frames.charge(rates.owner, now, count);
    return std::max(session.frames.charge(rates.session, now, count),
                    std::min<Duration>(owner_pause, kLongestOwnerPause));
}

ControlPlane::Owner& ControlPlane::owner_of(const Session& session) {
    return owners_[session.identity ? session.identity->owner : session.token.uuid()];
}

Uuid ControlPlane::owner(SessionId id) const {
    const auto& session = sessions_.at(id);
    return session.identity ? session.identity->owner : session.token.uuid();
}

void ControlPlane::set_congested(SessionId id, bool is_congested) {
    if (const auto session = sessions_.find(id); session != sessions_.end()) {
        session->second.is_congested = is_congested;
    }
}

/// All devices that connect meet it, so each is told another time.
Refusal ControlPlane::storage_failure() {
    const auto choices = (kLongestStorageWait - kShortestStorageWait).count() + 1;
    const auto more = rng_.below(static_cast<std::uint64_t>(choices));
    return {503, "unavailable", "Storage failure", kShortestStorageWait + std::chrono::seconds{more}};
}

/// The newest connection of a device counts; an older one is a remnant, or of another machine (DeviceClaims).
void ControlPlane::claim_device(const Session& session, const crypto::PublicKey& key, Instant now) {
    const auto before = claims_.joined(*session.identity, session.id, key, now);
    if (!before) {
        return;
    }
    if (const auto old = sessions_.find(*before); old != sessions_.end()) {
        kLog.debug("A device came back; closed its older connection", log::field("now_from", session.remote_ip),
                   log::field("before_from", old->second.remote_ip));
        close(*before, "the device has connected again", now);
    }
}

std::vector<portal_api::Relay> ControlPlane::give_relays(Session& session, const crypto::PublicKey& key,
                                                         UnixSeconds wall_now) {
    if (session.turn_expires_at < wall_now + kTurnRenewAhead) {
        session.turn_expires_at = turn_expiry(session.role, wall_now, session.expires_at);
    }
    return relays_.device_joined(session.id, {session.role, key, session.turn_expires_at, session.expires_at});
}

/// A device whose credentials were revoked has shown a token that is good: its relays must know before it does.
void ControlPlane::lift_revocation(const Session& session, UnixSeconds wall_now) {
    const auto is_revoked = [&](const auto& state) {
        if constexpr (requires { state.device.public_key; }) {
            return turn_users_.is_revoked(turn_salt(state.device.public_key));
        }
        return false;
    };
    if (std::visit(is_revoked, session.state)) {
        update_turn_users(wall_now);
        send_relay_pushes();
    }
}

void ControlPlane::update_turn_users(UnixSeconds wall_now) {
    turn_users_.set_revoked(storage_.revoked_turn_users(wall_now), wall_now);
}

}  // namespace culvert::portal
