#include "tests/model/wire/wire_checker.h"

#include <algorithm>

#include "culvert/base/overloaded.h"
#include "culvert/packet/constants.h"
#include "culvert/turn/constants.h"
#include "tests/model/wire/findings.h"
#include "tests/model/wire/hosts.h"
#include "tests/model/wire/ice_rules.h"
#include "tests/model/wire/idle_rules.h"
#include "tests/model/wire/relay_rules.h"
#include "tests/model/wire/signalling_rules.h"
#include "tests/model/wire/turn_client_rules.h"
#include "tests/model/wire/wireguard_rules.h"

namespace culvert::model {
namespace {

using namespace wire;

/// How long a process may take to notice that its addresses changed.
constexpr Duration kNotice = std::chrono::seconds{10};
/// A connection without a path (spec/connectivity.md section 8.3).
constexpr Duration kGivesUp = std::chrono::seconds{45};
using turn::kRelayPort;

bool is_channel_data(ByteSpan datagram) {
    if (datagram.size() < 4) {
        return false;
    }
    const auto channel = load_be<std::uint16_t>(datagram);
    return channel >= turn::kFirstChannel && channel <= turn::kLastChannel;
}

}  // namespace

struct WireChecker::Rules {
    explicit Rules(const Setup& setup) : hosts{setup} {}

    void handle(const DatagramSent& sent, Instant now);
    void handle(const DatagramReceived& received, Instant now);
    void handle(const MessageToDevice& message, Instant now);

    void handle(const FaultChanged& fault) { is_lied_to = is_lied_to || fault.name == "deceit"; }

    [[nodiscard]] static Complaint judge_form(ByteSpan datagram);
    [[nodiscard]] Complaint judge(Host& host, const DatagramSent& sent, Instant now);
    [[nodiscard]] Complaint judge_channel_data(Host& host, const DatagramSent& sent, Instant now);
    [[nodiscard]] Complaint judge_between_peers(const PeerDatagram& datagram);
    void receive_between_peers(const PeerDatagram& datagram);

    Findings findings;
    Hosts hosts;
    TurnClientRules turn{hosts, findings};
    IceRules ice{hosts, findings};
    WireGuardRules wireguard{hosts, ice, findings};
    RelayRules relays{hosts, findings};
    SignallingRules signalling{hosts, turn, findings};
    IdleRules idle{hosts, findings};
    /// A relay has begun to lie. What devices do then rests on answers and addresses that are not true, so that only
    /// the form of what they send is judged from then on.
    bool is_lied_to = false;
};

WireChecker::WireChecker(const Setup& setup) : rules_{std::make_unique<Rules>(setup)} {}
WireChecker::~WireChecker() = default;

void WireChecker::observe(const Observation& observation, Instant now) {
    auto& rules = *rules_;
    rules.hosts.observe(observation, now);
    std::visit(
        overloaded{
            [&](const DatagramSent& sent) { rules.handle(sent, now); },
            [&](const DatagramReceived& received) { rules.handle(received, now); },
            [&](const MessageToDevice& message) { rules.handle(message, now); },
            [&](const MessageToPortal& message) {
                auto& host = rules.hosts.at(message.device);
                if (!host.is_hostile && !rules.is_lied_to) {
                    rules.signalling.handle_message(host, message.message, now);
                }
            },
            [&](const FaultChanged& fault) { rules.handle(fault); },
            [&](const PacketSubmitted& packet) {
                rules.wireguard.handle_packet(packet.client, packet.packet.size());
                rules.idle.note_activity(rules.hosts.at(packet.client), now);
            },
            [&](const PacketReturned& packet) { rules.idle.note_activity(rules.hosts.at(packet.gateway), now); },
            ignores<ActionTaken, ProcessChanged, HostAttached, NatReplaced, PacketDelivered, PacketForwarded,
                    AttackHandled, PacketForged, PacketBetrayed, TransferStarted, TransferEnded, SessionOpened,
                    SessionClosed, DeviceFailed, InterfaceConfigured, ResourcesListed, LogLine, Settled, StatesShown>},
        observation);
}

bool WireChecker::has_found_violations() const {
    return !rules_->findings.verdict().violations().empty();
}

Verdict WireChecker::finish(Instant now) {
    if (!rules_->is_lied_to) {
        rules_->turn.finish(now);
    }
    return rules_->findings.verdict();
}

void WireChecker::Rules::handle(const MessageToDevice& message, Instant now) {
    auto& host = hosts.at(message.device);
    idle.note_activity(host, now);
    const auto handle = overloaded{
        [&](const portal_api::GatewayIceCandidates& m) {
            ice.handle_candidates(host, m.gateway_id.uuid(), m.candidates, now);
        },
        [&](const portal_api::ClientIceCandidates& m) {
            ice.handle_candidates(host, m.client_id.uuid(), m.candidates, now);
        },
        [&](const portal_api::FlowCreated& m) { signalling.handle_end_of_flow(host, m.resource_id, now); },
        [&](const portal_api::ResourceDeleted& m) { signalling.handle_end_of_flow(host, m.resource_id, now); },
        [&](const portal_api::ResourceCreatedOrUpdated& m) {
            signalling.handle_end_of_flow(host, std::visit([](const auto& r) { return r.id; }, m.resource), now);
        },
        [&](const portal_api::FlowCreationFailed& m) {
            if (m.reason == portal_api::FlowFailure::kOffline) {
                signalling.handle_end_of_flow(host, m.resource_id, now);
            }
        },
        ignores<portal_api::ClientInit, portal_api::ConfigChanged, portal_api::RelaysPresence,
                portal_api::DevicePoolCreatedOrUpdated, portal_api::DeviceAccessAuthorized,
                portal_api::DeviceAccessDenied, portal_api::ClientIceCandidateError, portal_api::ResourceFiltersUpdated,
                portal_api::InvalidateGatewayIceCandidates, portal_api::GatewayInit, portal_api::AuthorizeFlow,
                portal_api::AccessAuthorizationExpiryUpdated, portal_api::RejectAccess, portal_api::ResourceUpdated,
                portal_api::InvalidateClientIceCandidates, portal_api::RelayInit, portal_api::TurnUsers>};
    std::visit([&](const auto& to) { std::visit(handle, to); }, message.message);
}

// --- Sent ---

void WireChecker::Rules::handle(const DatagramSent& sent, Instant now) {
    auto& host = hosts.at(sent.host);
    const auto complaint = judge(host, sent, now);
    findings.judge("PRO-1", complaint, now, [&] {
        return host.name() + " " + sent.from.to_string() + " -> " + sent.to.to_string() + ", " +
               to_hex(sent.payload.first(std::min<std::size_t>(sent.payload.size(), 24)));
    });
}

Complaint WireChecker::Rules::judge(Host& host, const DatagramSent& sent, Instant now) {
    if (!host.has_address(sent.from.ip)) {
        // A process may not have noticed yet that its host moved, or has no other path to a peer and has not given it
        // up; the kernel would refuse.
        const bool has_just_moved =
            host.former_addresses.contains(sent.from.ip) && (hosts.calm().disturbed_at(host.device) >= now - kNotice ||
                                                             (host.changed_at && *host.changed_at >= now - kGivesUp));
        return has_just_moved ? Complaint{} : "a datagram is sent from an address that the host does not have";
    }
    if (sent.from.family() != sent.to.family()) {
        return "a datagram is sent to another family than it is sent from";
    }
    if (sent.payload.size() > packet::kMaxTunnelDatagram) {
        return "a datagram is longer than any may be";
    }
    if (is_lied_to) {
        return host.is_relay() ? Complaint{} : judge_form(sent.payload);
    }
    if (host.is_relay()) {
        relays.handle_sent(host, sent.from, sent.to, sent.payload, now);
        return {};
    }
    if (host.may_still_use(sent.to, now) && (is_channel_data(sent.payload) || !host.relays.contains(sent.to))) {
        findings.tolerate(Excuse::kQueued);
        return {};
    }
    if (is_channel_data(sent.payload)) {
        return judge_channel_data(host, sent, now);
    }
    const bool is_to_relay = sent.to.port == kRelayPort && host.relays.contains(sent.to);
    if (is_to_relay && StunMessage::looks_like(sent.payload)) {
        const auto message = StunMessage::decode(sent.payload);
        if (!message) {
            return message.error();
        }
        turn.handle_sent(host, sent.to, *message, now);
        idle.handle_request_sent(host, sent.to, *message, now);
        return sent.ecn == net::Ecn::kNotEct ? Complaint{} : "TURN control is sent with ECN";
    }
    return judge_between_peers(
        {.host = host, .leg = {sent.from, sent.to, false}, .ecn = sent.ecn, .bytes = sent.payload, .now = now});
}

Complaint WireChecker::Rules::judge_form(ByteSpan datagram) {
    if (is_channel_data(datagram)) {
        return load_be<std::uint16_t>(datagram.subspan(2)) == datagram.size() - 4
                   ? judge_form(datagram.subspan(4))
                   : "the length of ChannelData is not that of the datagram";
    }
    if (StunMessage::looks_like(datagram)) {
        const auto message = StunMessage::decode(datagram);
        return message ? Complaint{} : message.error();
    }
    const auto message = WireGuardMessage::decode(datagram);
    return message ? Complaint{} : message.error();
}

Complaint WireChecker::Rules::judge_channel_data(Host& host, const DatagramSent& sent, Instant now) {
    if (load_be<std::uint16_t>(sent.payload.subspan(2)) != sent.payload.size() - 4) {
        return "the length of ChannelData is not that of the datagram";
    }
    const auto peer = turn.find_peer(host, sent.to, load_be<std::uint16_t>(sent.payload), now);
    if (!peer) {
        return peer.error();
    }
    return judge_between_peers(
        {.host = host, .leg = {sent.to, *peer, true}, .ecn = sent.ecn, .bytes = sent.payload.subspan(4), .now = now});
}

Complaint WireChecker::Rules::judge_between_peers(const PeerDatagram& datagram) {
    if (StunMessage::looks_like(datagram.bytes)) {
        const auto message = StunMessage::decode(datagram.bytes);
        if (!message) {
            return message.error();
        }
        ice.handle_sent(datagram, *message);
        idle.handle_check_sent(datagram, *message);
        return {};
    }
    if (!WireGuardMessage::looks_like(datagram.bytes)) {
        return "a datagram is neither STUN nor ChannelData nor WireGuard";
    }
    const auto message = WireGuardMessage::decode(datagram.bytes);
    if (!message) {
        return message.error();
    }
    wireguard.handle_sent(datagram, *message);
    idle.handle_wireguard_sent(datagram, *message);
    return {};
}

// --- Received ---

void WireChecker::Rules::handle(const DatagramReceived& received, Instant now) {
    auto& host = hosts.at(received.host);
    if (is_lied_to || (host.state != ProcessState::kRunning && host.state != ProcessState::kHung)) {
        return;
    }
    if (host.is_relay()) {
        relays.handle_received(host, received.from, received.to, received.payload, received.is_attack);
        return;
    }
    PeerDatagram datagram{.host = host,
                          .leg = {received.to, received.from, false},
                          .bytes = received.payload,
                          .now = now,
                          .is_attack = received.is_attack};
    if (received.from.port == kRelayPort && host.relays.contains(received.from)) {
        if (StunMessage::looks_like(received.payload)) {
            if (const auto message = StunMessage::decode(received.payload)) {
                turn.handle_received(host, received.from, *message, now);
            }
            return;
        }
        if (is_channel_data(received.payload)) {
            const auto peer = turn.find_peer(host, received.from, load_be<std::uint16_t>(received.payload), now);
            if (!peer) {
                return;
            }
            datagram.leg = {received.from, *peer, true};
            datagram.bytes = received.payload.subspan(4);
        }
    }
    receive_between_peers(datagram);
}

void WireChecker::Rules::receive_between_peers(const PeerDatagram& datagram) {
    if (StunMessage::looks_like(datagram.bytes)) {
        if (const auto message = StunMessage::decode(datagram.bytes)) {
            ice.handle_received(datagram, *message);
            idle.handle_check_received(datagram, *message);
        }
    } else if (WireGuardMessage::looks_like(datagram.bytes)) {
        if (const auto message = WireGuardMessage::decode(datagram.bytes)) {
            wireguard.handle_received(datagram, *message);
            idle.handle_wireguard_received(datagram, *message);
        }
    }
}

}  // namespace culvert::model
