#include "tests/model/observer/probe_checks.h"

#include <algorithm>
#include <array>

#include "culvert/tunnel/constants.h"
#include "culvert/wireguard/constants.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// Client and connection each keep so many packets while a connection is being set up (spec/tunnel.md section 1.2).
constexpr std::ptrdiff_t kSetupBuffer{tunnel::kWaitingPackets};
constexpr Duration kSetup = 3s;
/// Packets that wait for a handshake (spec/connectivity.md section 7.6).
constexpr std::ptrdiff_t kHandshakeBuffer{wireguard::kMaxQueuedPackets};
/// A session that begins to be renewed after 120 s of age ends after 180 s (WireGuard paper 6.1): after a pause of so
/// long there may be none.
constexpr Duration kSessionEnds = wireguard::kRejectAfterTime - wireguard::kRekeyAfterTime;
/// Packets on the old path may be overtaken by those on the new one.
constexpr Duration kPathSwitch = 1s;

PacketKey key_of(const TransferStarted& event) {
    return {.source = event.client.ip,
            .destination = event.server.ip,
            .protocol = kProtocolTcp,
            .source_port = event.client.port,
            .destination_port = event.server.port};
}

InnerPacket request_of(const TransferStarted& event) {
    InnerPacket packet;
    packet.source = event.client.ip;
    packet.destination = event.server.ip;
    packet.protocol = kProtocolTcp;
    packet.source_port = event.client.port;
    packet.destination_port = event.server.port;
    return packet;
}

std::string_view protocol_name(std::uint8_t protocol) {
    switch (protocol) {
        case kProtocolTcp:
            return "tcp";
        case kProtocolUdp:
            return "udp";
        default:
            return "icmp";
    }
}

}  // namespace

void ProbeChecks::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void ProbeChecks::judge_until(Instant now) {
    while (!due_.empty() && due_.begin()->first < now) {
        const auto [due, key] = *due_.begin();
        due_.erase(due_.begin());
        judge(key, probes_.at(key), due);
    }
    judge_deadlines(now);
}

void ProbeChecks::judge_deadlines(Instant now) {
    std::erase_if(deadlines_, [&](const auto& entry) {
        const auto& [sender, deadline] = entry;
        const bool is_missed = deadline.until < now;
        if (is_missed) {
            verdict_.check(deadline.rule, false, deadline.until, [&] {
                return "no answer to client" + std::to_string(sender.first.value) + " within " +
                       std::to_string((deadline.until - deadline.since) / 1ms) + " ms";
            });
        }
        return is_missed;
    });
}

void ProbeChecks::handle(const ActionTaken& event, Instant now) {
    congestion_.handle(event, now);
    const auto* expect = std::get_if<Expect>(&event.step.action);
    if (expect != nullptr) {
        deadlines_.insert_or_assign({expect->client, expect->source_port}, Deadline{now, now + expect->within});
    }
}

void ProbeChecks::finish() {
    for (const auto& [due, key] : due_) {
        verdict_.count(probes_.at(key).answered > 0 ? "probe delivered" : "probe unfinished");
    }
    due_.clear();
}

ProbeChecks::Probe* ProbeChecks::find(const std::optional<PacketKey>& key) {
    const auto found = key ? probes_.find(*key) : probes_.end();
    return found == probes_.end() ? nullptr : &found->second;
}

// --- There ---

void ProbeChecks::handle(const PacketSubmitted& event, Instant now) {
    const auto packet = read_packet(event.packet);
    const auto key = packet ? key_of_request(*packet) : std::nullopt;
    if (!key) {
        return;
    }
    submissions_[event.client].push_back(now);
    auto [entry, is_new] = probes_.try_emplace(*key);
    auto& probe = entry->second;
    ++probe.submissions;
    if (!is_new) {
        return;  // TCP says it again
    }
    probe.expectation = expect(situation_, event.client, *packet, now);
    attempts_.add(probe.expectation);
    if (const auto deadline = deadlines_.find({event.client, key->source_port}); deadline != deadlines_.end()) {
        deadline->second.rule = rule_at_stake(situation_, probe.expectation);
    }
    probe.packet = to_bytes(event.packet);
    probe.udp_checksum = packet->udp_checksum;
    probe.order = next_order_++;
    due_.emplace(now + time_limit(situation_, probe.expectation), *key);
}

void ProbeChecks::handle(const PacketForwarded& event, Instant now) {
    const auto packet = read_packet(event.packet);
    const auto key = packet ? key_of_request(*packet) : std::nullopt;
    auto* probe = find(key);
    if (probe == nullptr) {
        return;
    }
    ++probe->forwarded;
    verdict_.check("CON-2", probe->forwarded <= probe->submissions, now,
                   [&] { return "left a gateway more often than it was sent: " + describe(*key, *probe); });
    const auto client = probe->expectation.client;
    check_intact("it was", probe->packet, event.packet,
                 congestion_.is_possible(client, event.gateway, probe->expectation.at, now), *key, *probe, now);
    verdict_.check("SEC-1", probe->expectation.outcome != Outcome::kDropped, now,
                   [&] { return "left a gateway: " + describe(*key, *probe); });
    if (probe->forwarded == 1) {
        probe->forwarded_at = now;
        check_route(*key, *probe, event.gateway, now);
        check_order(*key, *probe, event.gateway, now);
    }
}

void ProbeChecks::check_intact(std::string_view what, ByteSpan before, ByteSpan after, bool may_be_marked,
                               const PacketKey& key, const Probe& probe, Instant now) {
    const auto sent = read_packet(before);
    const auto arrived = read_packet(after);
    if (!sent || !arrived) {
        return;
    }
    const bool is_marked = arrived->ecn != sent->ecn;
    if (is_marked) {
        verdict_.count("congestion experienced");
    }
    verdict_.check("CON-6", is_unchanged(*sent, *arrived) && (!is_marked || may_be_marked), now, [&] {
        return std::string{what} + " changed on its way, " + first_difference(before, after) + ": " +
               describe(key, probe);
    });
}

/// The narrowest resource that permits a packet decides where it goes, even if a gateway of a wider one would let it
/// pass.
void ProbeChecks::check_route(const PacketKey& key, const Probe& probe, GatewayNo gateway, Instant now) {
    const auto& expectation = probe.expectation;
    if (expectation.outcome != Outcome::kDelivered && expectation.outcome != Outcome::kEither) {
        return;
    }
    const auto& told = situation_.told(expectation.client);
    if (situation_.access().changed_at(expectation.client) >= expectation.at ||
        std::ranges::any_of(told.covering(key.destination),
                            [&](const auto* resource) { return told.told_at(resource->id) > expectation.at; })) {
        verdict_.tolerate(Excuse::kChangeCrossed);  // a repetition may take another way
        return;
    }
    const bool is_right = std::ranges::any_of(expectation.resources, [&](const ResourceId& id) {
        const auto* resource = situation_.access().find(id);
        return resource != nullptr && std::ranges::count(situation_.gateways_of(*resource), gateway) > 0;
    });
    verdict_.check("SEC-1", is_right, now,
                   [&] { return "left by the gateway of another resource: " + describe(key, probe); });
}

void ProbeChecks::check_order(const PacketKey& key, const Probe& probe, GatewayNo gateway, Instant now) {
    auto& newest = newest_[key.flow()];
    if (probe.order > newest.order) {
        newest = {probe.order, now};
        verdict_.check("CON-3", true, now, [] { return ""; });
        return;
    }
    const auto client = probe.expectation.client;
    const auto switched = situation_.path_switched_at(client);
    const auto& calm = situation_.calm();
    if (!calm.holds(client, probe.expectation.at) || !calm.holds(gateway, probe.expectation.at) ||
        calm.lied_since() <= now) {
        return;  // the rule is about networks that keep the order
    }
    if (switched && *switched + kPathSwitch >= probe.expectation.at) {
        verdict_.tolerate(Excuse::kPathSwitch);
    } else {
        verdict_.check("CON-3", false, now, [&] { return "overtaken by a later packet: " + describe(key, probe); });
    }
}

// --- And back ---

void ProbeChecks::handle(const PacketReturned& event, Instant now) {
    const auto packet = read_packet(event.packet);
    if (auto* probe = packet ? find(key_of_answered(*packet)) : nullptr) {
        ++probe->returned;
        probe->returned_at = std::min(probe->returned_at, now);
        probe->gateway = event.gateway;
        probe->answer = to_bytes(event.packet);
    }
}

void ProbeChecks::handle(const PacketDelivered& event, Instant now) {
    const auto packet = read_packet(event.packet);
    if (!packet || situation_.is_hostile(event.client)) {
        return;
    }
    if (const auto quoted = packet->is_prohibited() ? key_of_quoted(*packet) : std::nullopt) {
        if (!lies_.contains(*quoted)) {
            handle_rejection(*quoted, *read_quoted(*packet), now);
        }
        return;
    }
    const auto key = key_of_answered(*packet);
    auto* probe = find(key);
    if (probe == nullptr) {
        return;
    }
    ++probe->answered;
    if (const auto deadline = deadlines_.find({event.client, key->source_port});
        deadline != deadlines_.end() && packet->is_echo_reply() && probe->expectation.at >= deadline->second.since) {
        verdict_.check(deadline->second.rule, true, now, [] { return ""; });
        deadlines_.erase(deadline);
    }
    verdict_.check("CON-2", probe->answered <= probe->returned, now,
                   [&] { return "its answer was delivered more often than it was given: " + describe(*key, *probe); });
    check_intact("the answer was", probe->answer, event.packet,
                 congestion_.is_possible(probe->gateway, event.client, probe->returned_at, now), *key, *probe, now);
}

void ProbeChecks::handle(const PacketBetrayed& event, Instant) {
    const auto packet = read_packet(event.packet);
    if (const auto quoted = packet && packet->is_prohibited() ? key_of_quoted(*packet) : std::nullopt) {
        lies_.insert(*quoted);
    }
}

void ProbeChecks::handle_rejection(const PacketKey& key, const InnerPacket& quoted, Instant now) {
    const auto first = probes_.lower_bound(key.flow());
    const bool is_known = first != probes_.end() && first->first.flow() == key.flow();
    verdict_.check("CON-2", is_known, now, [&] {
        return "rejected, but not sent: " + key.source.to_string() + " > " + key.destination.to_string();
    });
    if (!is_known) {
        return;
    }
    auto rejected = probes_.find(key);
    if (key.number == 0 && key.protocol == kProtocolUdp) {
        // A quote that ends before the number tells the flow's datagrams apart by their checksum, if they have one.
        rejected = std::find_if(first, probes_.end(), [&](const auto& entry) {
            return entry.first.flow() != key.flow() ||
                   (!entry.second.is_judged && entry.second.udp_checksum == quoted.udp_checksum &&
                    entry.second.rejected + entry.second.forwarded < entry.second.submissions);
        });
    }
    if (rejected != probes_.end() && rejected->first.flow() == key.flow()) {
        ++rejected->second.rejected;
    }
}

// --- In the end ---

void ProbeChecks::judge(const PacketKey& key, Probe& probe, Instant due) {
    probe.is_judged = true;
    if (probe.answered > 0) {
        verdict_.count("probe delivered");
    } else if (probe.rejected > 0) {
        verdict_.count("probe rejected");
    }
    const auto holds = [&] {
        switch (probe.expectation.outcome) {
            case Outcome::kDelivered:
                return probe.answered > 0;
            case Outcome::kRejected:
                return probe.rejected > 0;
            case Outcome::kEither:
                return probe.answered > 0 || probe.rejected > 0;
            case Outcome::kDropped:
            case Outcome::kOpen:
                return true;
        }
        return true;
    }();
    if (probe.expectation.outcome == Outcome::kDropped) {
        verdict_.count("probe dropped");
    } else if (probe.expectation.outcome == Outcome::kOpen) {
        verdict_.count("probe without prediction");
        if (probe.expectation.excuse) {
            verdict_.tolerate(*probe.expectation.excuse);
        }
    } else if (!is_due(situation_, probe.expectation, attempts_, due)) {
        verdict_.count(holds ? "probe in a disturbed world" : "probe lost in a disturbed world");
    } else if (!holds && overflowed_buffers(probe, due)) {
        verdict_.tolerate(Excuse::kFullBuffers);
    } else {
        verdict_.count("probe judged");
        verdict_.check(rule_at_stake(situation_, probe.expectation), holds, due,
                       [&] { return "came to nothing: " + describe(key, probe); });
    }
}

bool ProbeChecks::overflowed_buffers(const Probe& probe, Instant due) const {
    const auto& expectation = probe.expectation;
    const auto& told = situation_.told(expectation.client);
    const bool was_set_up = std::ranges::any_of(expectation.resources, [&](const ResourceId& id) {
        const auto* flow = told.flow(id);
        return flow == nullptr || flow->created_at + kSetup >= expectation.at;
    });
    const auto& all = submissions_.at(expectation.client);
    const auto around =
        std::ranges::count_if(all, [&](Instant at) { return at + kSetup >= expectation.at && at <= due; });
    // Those that have waited for longer, for a portal that was out of reach, say, take the same room.
    const auto waiting = std::ranges::count_if(probes_, [&](const auto& entry) {
        const auto& other = entry.second;
        const bool may_wait = other.expectation.outcome == Outcome::kDelivered ||
                              other.expectation.outcome == Outcome::kRejected ||
                              other.expectation.outcome == Outcome::kEither;
        return may_wait && other.expectation.client == expectation.client &&
               other.expectation.at + kSetup < expectation.at && other.forwarded_at >= expectation.at &&
               other.rejected == 0;
    });
    if (was_set_up) {
        return around + waiting > kSetupBuffer;
    }
    // A session that has ended is set up anew by the packets themselves.
    const auto burst = std::ranges::lower_bound(all, expectation.at - kSetup);
    const bool was_idle = burst == all.begin() || *std::prev(burst) + kSessionEnds < expectation.at;
    return was_idle && around > kHandshakeBuffer;
}

std::string ProbeChecks::describe(const PacketKey& key, const Probe& probe) const {
    std::string text{protocol_name(key.protocol)};
    text += " " + key.source.to_string() + "." + std::to_string(key.source_port) + " > " + key.destination.to_string() +
            "." + std::to_string(key.destination_port) + " #" + std::to_string(key.number) + ", expected";
    constexpr std::array<std::string_view, 5> kOutcomes{" an answer (", " a rejection (", " an answer or a rejection (",
                                                        " nothing (", " anything ("};
    text += kOutcomes.at(static_cast<std::size_t>(probe.expectation.outcome));
    text += probe.expectation.why;
    text += "), sent " + std::to_string(probe.submissions) + ", forwarded " + std::to_string(probe.forwarded) +
            ", answered " + std::to_string(probe.answered) + ", rejected " + std::to_string(probe.rejected);
    for (const auto gateway : probe.expectation.gateways) {
        text += ", gateway" + std::to_string(gateway.value);
    }
    return text;
}

// --- Transfers ---

void ProbeChecks::handle(const TransferStarted& event, Instant now) {
    const auto client = event.transfer.client;
    transfers_.insert_or_assign(key_of(event), expect(situation_, client, request_of(event), now));
}

void ProbeChecks::handle(const TransferEnded& event, Instant now) {
    const auto key = key_of({event.transfer, event.client, event.server});
    const auto found = transfers_.find(key);
    if (found == transfers_.end()) {
        return;
    }
    const auto expectation = found->second;
    transfers_.erase(found);
    verdict_.count(event.is_complete ? "transfer complete" : "transfer failed");
    if (event.is_complete || expectation.outcome != Outcome::kDelivered) {
        return;
    }
    if (is_due(situation_, expectation, attempts_, now)) {
        verdict_.check(rule_at_stake(situation_, expectation), false, now, [&] {
            return "transfer failed: " + event.client.to_string() + " > " + event.server.to_string();
        });
    }
}

}  // namespace culvert::model
