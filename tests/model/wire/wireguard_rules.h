#pragma once

#include <bitset>
#include <map>
#include <optional>

#include "tests/model/wire/datagram.h"
#include "tests/model/wire/findings.h"
#include "tests/model/wire/ice_rules.h"
#include "tests/model/wire/wireguard_message.h"

namespace culvert::model::wire {

/// Checks WireGuard between peers without its keys: who starts handshakes and when, whose indices are used for how
/// long, that counters never repeat. Source: spec/connectivity.md 2.7, 7.1 to 7.4; WireGuard paper 6.
class WireGuardRules {
public:
    WireGuardRules(Hosts& hosts, const IceRules& ice, Findings& findings)
        : hosts_{hosts}, ice_{ice}, findings_{findings} {}

    /// An IP packet of this size went into a client's tunnel.
    void handle_packet(const Device& client, std::size_t size);
    void handle_sent(const PeerDatagram& datagram, const WireGuardMessage& message);
    void handle_received(const PeerDatagram& datagram, const WireGuardMessage& message);

private:
    /// A session index that a device announced, as seen by the peer that is to use it.
    struct Announced {
        Device owner;
        /// Of the device that uses it.
        Uuid peer;
        bool by_initiation = false;
        bool is_received = false;   ///< the announcement reached the peer
        bool is_answered = false;   ///< initiations: by a response
        bool is_confirmed = false;  ///< the owner used the session itself, which the responder has to wait for
        std::uint64_t next_counter = 0;
        /// By the clock of the device that uses it: when it had the session's keys.
        Instant since;
    };
    struct Initiator {
        std::uint32_t last_index = 0;
        Instant last_at;
        bool is_answered = true;
        std::optional<Instant> established;
        Leg leg;
    };
    using User = std::pair<std::uint32_t, Device>;

    [[nodiscard]] Complaint judge_initiation(const PeerDatagram& datagram, const WireGuardMessage& message);
    [[nodiscard]] Complaint judge_pace(const PeerDatagram& datagram, const WireGuardMessage& message,
                                       const Grant& grant);
    [[nodiscard]] Complaint judge_response(const PeerDatagram& datagram, const WireGuardMessage& message);
    [[nodiscard]] Complaint judge_cookie(const PeerDatagram& datagram);
    [[nodiscard]] Complaint judge_data(const PeerDatagram& datagram, const WireGuardMessage& message);
    /// Whether the peer has been silent for so long that either side may start a handshake.
    [[nodiscard]] bool is_silent(const Host& host, const Uuid& peer, Instant now) const;
    void judge_open(const PeerDatagram& datagram, const Uuid& peer);
    /// Whether the host answered a handshake of the peer that no data followed yet.
    [[nodiscard]] bool has_unconfirmed_session(const Host& host, const Uuid& peer) const;
    void end_silence(const Host& host, const Uuid& peer, Instant now);
    [[nodiscard]] bool may_initiate(const PeerDatagram& datagram, const WireGuardMessage& message,
                                    const Grant& grant) const;

    Hosts& hosts_;
    const IceRules& ice_;
    Findings& findings_;
    std::map<User, Announced> announced_;
    /// Responses whose session the initiator has not used yet: by the responder's index and the responder.
    std::map<User, User> unconfirmed_;
    /// Who sends to an index, by the index and the device that announced it.
    std::map<User, Uuid> senders_;
    /// By device and the constant part of its indices, which is a tunnel.
    std::map<std::pair<Device, std::uint32_t>, Initiator> initiators_;
    std::map<Device, unsigned> handshakes_received_;
    /// Since when, by the sender's clock, its packets to the peer got nothing in return.
    std::map<std::pair<Device, Uuid>, Instant> unanswered_;
    /// When the host last heard again from a peer that had been silent for too long.
    std::map<std::pair<Device, Uuid>, Instant> silences_;
    std::map<Device, std::bitset<2048>> packet_sizes_;
    /// When a session between the two, the first of which is a gateway, was last agreed on, by the gateway's clock.
    std::map<std::pair<Device, Uuid>, Instant> agreed_;
};

}  // namespace culvert::model::wire
