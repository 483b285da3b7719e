#include "tests/model/observer/attack_checks.h"

#include <utility>

#include "culvert/base/overloaded.h"

namespace culvert::model {
namespace {

/// So long after it was made, a connection may be led elsewhere by a recorded check.
constexpr Duration kNewFor = std::chrono::seconds{5};

/// Whether a datagram is a success response to a connectivity check, by itself or in ChannelData.
bool is_answer_to_check(ByteSpan datagram) {
    constexpr std::uint16_t kBindingSuccess = 0x0101;
    if (datagram.size() > 4 && (std::to_integer<unsigned>(datagram[0]) & 0xc0U) == 0x40U) {
        datagram = datagram.subspan(4);
    }
    return datagram.size() >= 2 && load_be<std::uint16_t>(datagram) == kBindingSuccess;
}

}  // namespace

void AttackChecks::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void AttackChecks::handle(const DatagramReceived& event, Instant) {
    attack_.reset();
    if (event.is_attack) {
        // A relay's users have to tell somebody that it refuses them.
        attack_ = Attack{as_process(event.host),
                         event.from,
                         event.is_authentic,
                         is_answer_to_check(event.payload),
                         !situation_.is_liar(event.from.ip),
                         {}};
    }
}

void AttackChecks::handle(const LogLine& event, Instant) {
    // No datagram reaches a device's channel to the portal, which is driven in the same turn.
    if (attack_ && attack_->process == event.process && attack_->is_alone && event.level > log::Level::kDebug &&
        event.target != "portal_channel") {
        attack_->noise = std::string{event.target} + ": " + std::string{event.message};
    }
}

void AttackChecks::handle(const AttackHandled& event, Instant now) {
    if (!attack_) {
        return;
    }
    const auto attack = *std::exchange(attack_, std::nullopt);
    const auto judge_devices = [&](const auto& before, const auto& after) {
        return judge(attack, before.connections, after.connections, event.local_now, now);
    };
    const bool is_explained =
        std::visit(overloaded{[&](const tunnel::ClientState& before, const tunnel::ClientState& after) {
                                  return judge_devices(before, after);
                              },
                              [&](const tunnel::GatewayState& before, const tunnel::GatewayState& after) {
                                  return judge_devices(before, after);
                              },
                              [&](const turn::ServerAllocations& before, const turn::ServerAllocations& after) {
                                  return judge(attack, before, after, now);
                              },
                              [](const auto&, const auto&) { return true; }},  // it does not run, or no longer
                   event.before, event.after);
    verdict_.check("SEC-9", is_explained || attack.noise.empty(), now,
                   [&] { return "a stranger's datagram makes noise: " + attack.noise; });
}

bool AttackChecks::judge(const Attack& attack, const connectivity::ConnectionStates& before,
                         const connectivity::ConnectionStates& after, Instant local_now, Instant now) {
    bool has_moved = false;
    for (const auto& [id, was] : before) {
        const auto is = after.find(id);
        if (!attack.is_alone || (is != after.end() && is->second.socket == was.socket)) {
            continue;
        }
        has_moved = true;
        if (is != after.end() && (!was.socket || was.created_at + kNewFor >= local_now)) {
            verdict_.tolerate(Excuse::kRecordedCheck);  // only what is known to work is not given up for it
        } else if (is != after.end() && attack.is_answer) {
            verdict_.tolerate(Excuse::kRecordedAnswer);  // it does not matter (spec/connectivity.md section 4.3)
        } else {
            verdict_.check("SEC-9", false, now, [&] {
                return "a stranger's datagram from " + attack.from.to_string() + " ends or redirects a connection";
            });
        }
    }
    return has_moved || !attack.is_alone;
}

bool AttackChecks::judge(const Attack& attack, turn::ServerAllocations before, turn::ServerAllocations after,
                         Instant now) {
    if (attack.is_authentic) {
        before.erase(attack.from);
        after.erase(attack.from);
        if (!attack.noise.empty()) {
            verdict_.tolerate(Excuse::kValidRequest);
        }
    }
    verdict_.check("SEC-9", before == after, now, [&] {
        return "a stranger's or repeated datagram from " + attack.from.to_string() +
               " changed what a relay keeps for its users";
    });
    return attack.is_authentic;
}

}  // namespace culvert::model
