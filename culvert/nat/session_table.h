#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/net/address_pair_hash.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::nat {

/// The sessions of clients with DNS resources: which proxy IP and port of a client stand for which real IP and port
/// (spec/tunnel.md sections 6.6 and 6.8). The destination port is no part of it, as usual for a NAT.
///
/// A session keeps its real IP for as long as it lives, whatever the name resolves to meanwhile. It is opened by the
/// client, never by the other side. The client's own port is kept if it is free towards the real IP: several proxy IPs
/// may stand for the same one.
///
/// A session ends when it is idle for too long, with a TCP RST, or to make room: at most Limits::per_client are kept
/// for one client and Limits::total for all. The one that goes is of the client that opens another, or, if the table is
/// full, of the client that has most; so nobody loses a session to others while he has no more than they. What is over
/// goes first, then echoes, TCP connections that are being opened or closed, datagrams, and established TCP
/// connections; of each kind the one that was idle for longest. What is over is remembered for a while, so that what
/// still comes for it is not taken for something else, and its port, as the other side saw it, is nobody else's yet.
///
/// Translating changes packets in place and allocates nothing; only open() does, and seldom, and ICMP errors.
class SessionTable {
public:
    struct Limits {
        std::size_t total = 262'144;
        /// At most half of the ports, or looking for a free one could take long.
        std::size_t per_client = 16'384;
    };

    /// `rng` draws the secret of the hash function, so that no client can choose sessions that slow down the search.
    SessionTable(const Limits& limits, Rng rng);

    enum class Out : std::uint8_t {
        kTranslated,
        kNoSession,       ///< Open one, if the client may.
        kUntranslatable,  ///< Neither TCP nor UDP nor an ICMP echo.
        kAnswerToNothing  ///< Could only be part of a session, and there is none: a RST, a SYN-ACK, an echo reply.
    };
    /// A packet of the client to a proxy IP. Where it may go is not checked: see Translations.
    [[nodiscard]] Out translate_out(const ClientId& client, packet::IpPacket& packet, Instant now);

    /// Of the client's port as the other side is to see it.
    using MayUsePort = std::function<bool(std::uint16_t port)>;
    /// Begins a session with `real` and translates its first packet. False: no port is free, and the packet stays as it
    /// is. Requires that translate_out() found none, and an IP of the packet's version. `may_use`: whether nothing else
    /// that the client has open would look the same from there.
    [[nodiscard]] bool open(const ClientId& client, packet::IpPacket& packet, const net::IpAddress& real, Instant now,
                            const MayUsePort& may_use = {});

    enum class In : std::uint8_t {
        kTranslated,
        kLate,          ///< For a session that is over.
        kNotTranslated  ///< Of no session: from something else than a DNS resource.
    };
    /// A packet from a real IP to the client. After kTranslated its source is the proxy IP.
    [[nodiscard]] In translate_in(const ClientId& client, packet::IpPacket& packet, Instant now);

    /// What a client calls one side of a session.
    struct Inside {
        net::IpAddress proxy;
        std::uint16_t value = 0;
    };
    /// The session that a packet of the client would look like a part of if it went to its destination as it is.
    [[nodiscard]] std::optional<Inside> session_like(const ClientId& client, const packet::IpPacket& packet,
                                                     Instant now) const;

    /// An ICMP error to the client about one of its packets, as the client has to see it: from the proxy IP, about a
    /// packet to it. Empty after kLate and kNotTranslated.
    struct ErrorIn {
        In result;
        Bytes packet;
    };
    [[nodiscard]] ErrorIn translate_error_in(const ClientId& client, const packet::IcmpError& error, Instant now) const;

    /// An ICMP error of the client about a packet that came from a proxy IP, as the real one has to see it. nullopt: of
    /// no session.
    [[nodiscard]] std::optional<Bytes> translate_error_out(const ClientId& client, const packet::IpPacket& packet,
                                                           const packet::IcmpError& error, Instant now) const;

    /// Its sessions are over.
    void finish_client(const ClientId& client, Instant now);
    /// Those with some proxy IPs are.
    void finish_proxies(const ClientId& client, const std::function<bool(const net::IpAddress&)>& is_gone, Instant now);

    /// Those that are over as well, while they are remembered.
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t size(const ClientId& client) const;

private:
    using Index = std::uint32_t;
    static constexpr Index kNone = ~Index{0};

    /// In the order in which sessions make room for others.
    enum class Kind : std::uint8_t { kOver, kEcho, kTransitoryTcp, kDatagrams, kEstablishedTcp };
    static constexpr std::size_t kKinds = 5;

    /// One side of a session: the client's address, the other one, and the client's port as that side sees it.
    struct Side {
        net::IpAddress client;
        net::IpAddress other;
        packet::L4Value value;

        friend constexpr bool operator==(const Side&, const Side&) = default;
    };
    struct List {
        Index newest = kNone;
        Index oldest = kNone;
    };
    struct Client {
        std::array<List, kKinds> lists;
        std::size_t size = 0;

        [[nodiscard]] List& list(Kind kind) { return lists[static_cast<std::size_t>(kind)]; }
    };
    struct Session {
        Side inside;   ///< The other one is the proxy IP.
        Side outside;  ///< The other one is the real IP.
        ClientId client_id;
        Client* client = nullptr;
        Instant used_at;
        std::uint8_t state = 0;
        Kind kind = Kind::kEcho;
        Index next_inside = kNone;
        Index next_outside = kNone;
        Index newer = kNone;
        Index older = kNone;
    };
    using Link = Index Session::*;

    [[nodiscard]] static Side outward_side(const packet::IpPacket& packet, packet::L4Value source);
    [[nodiscard]] Index find_inside(const ClientId& client, const Side& side) const;
    [[nodiscard]] Index find_outside(const Side& side) const;
    [[nodiscard]] bool is_free(const ClientId& client, const Side& inside, const Side& outside, Instant now) const;

    void note_sent(Index index, const packet::IpPacket& packet, Instant now);
    void note_received(Index index, const packet::IpPacket& packet, Instant now);
    void update(Index index, std::uint8_t state, Instant now);
    /// No packet of the client belongs to it any more.
    void finish(Index index, Instant now);
    [[nodiscard]] static Kind kind_of(const Session& session);
    [[nodiscard]] static bool is_expired(const Session& session, Instant now);

    Index insert(const ClientId& client_id, const Side& inside, const Side& outside, Instant now);
    void make_room(Client& client, Instant now);
    [[nodiscard]] Index expired_of(Client& client, Instant now) const;
    [[nodiscard]] static Index first_to_go(Client& client);
    [[nodiscard]] Client& largest_client(const Client& newcomer);
    void erase(Index index);

    [[nodiscard]] std::size_t bucket_of(const Side& side) const;
    [[nodiscard]] Index search(const std::vector<Index>& buckets, Link next, Side Session::* side,
                               const Side& key) const;
    void unlink(std::vector<Index>& buckets, Link next, const Side& key, Index index);
    void grow_buckets();
    void put_first(Index index);
    void take_out(Index index);

    Limits limits_;
    Rng rng_;
    net::AddressPairHash hash_;
    std::vector<Session> sessions_;
    Index free_ = kNone;
    std::vector<Index> inside_;
    std::vector<Index> outside_;
    std::size_t size_ = 0;
    std::map<ClientId, Client> clients_;
};

}  // namespace culvert::nat
