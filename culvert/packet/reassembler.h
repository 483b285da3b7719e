#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/fragment.h"

namespace culvert::packet {

/// Puts IP packets together that came in fragments, so that whoever judges packets only ever sees whole ones: nothing
/// passes in pieces that would be refused as a whole.
///
/// Strict: fragments that overlap, contradict each other about the end, or are too many make the whole packet one that
/// never was, including what comes of it later (RFC 5722); the same fragment twice is taken once.
///
/// Bounded, per party and in all; what is not complete after kReassemblyTime is forgotten. Who sends too much loses the
/// oldest of his own, and if there is too much of all, it is the party that keeps most that loses.
///
/// Sans-IO (base/sans_io.h). Allocates, so off the hot path: no packet but fragments comes here.
class Reassembler {
public:
    /// Who answers for fragments: the peer that sent them, or of those from the host, the peer that they go to.
    using Party = std::variant<Uuid, net::IpAddress>;

    /// The whole packet of which `fragment` was the last one missing. Valid until the next call. nullopt: others are
    /// missing, or it is no valid fragment.
    [[nodiscard]] std::optional<MutableByteSpan> add(const Party& party, ByteSpan fragment, Instant now);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return next_sweep_; }

    /// Packets of which something is missing, and what their pieces cost.
    [[nodiscard]] std::size_t size() const { return packets_.size(); }
    [[nodiscard]] std::size_t cost() const { return cost_; }

private:
    struct Key {
        Party party;
        net::IpAddress source;
        net::IpAddress destination;
        std::uint32_t identification = 0;
        std::uint8_t protocol = 0;  ///< IPv4 only.

        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Packet {
        Instant since;
        /// By offset.
        std::map<std::size_t, Bytes> pieces;
        Bytes header;  ///< Of the first fragment, once it is there.
        std::size_t received = 0;
        std::optional<std::size_t> end;
        std::size_t cost = 0;
        net::Ecn first_ecn = net::Ecn::kNotEct;
        bool has_congestion_mark = false;
        bool has_not_ect = false;
        /// Was found out to be no packet, and is only remembered.
        bool is_refused = false;

        [[nodiscard]] bool is_complete() const { return end && received == *end && !header.empty(); }
    };
    struct Share {
        std::size_t packets = 0;
        std::size_t cost = 0;
    };
    using Packets = std::map<Key, Packet>;

    [[nodiscard]] Packets::iterator find_or_begin(const Key& key, Instant now);
    enum class Fit : std::uint8_t { kFits, kRepeats, kContradicts };
    [[nodiscard]] static Fit fit(const Packet& packet, const Fragment& fragment);
    void take(Packets::iterator entry, const Fragment& fragment);
    [[nodiscard]] MutableByteSpan join(const Packet& packet);
    void refuse(Packets::iterator entry);
    void charge(Packets::iterator entry, std::size_t cost);
    Packets::iterator erase(Packets::iterator entry);
    void make_room(const Party& party);
    [[nodiscard]] bool has_too_much(const Party& party) const;
    void erase_oldest_of(const Party& party);
    void erase_all_of_largest();

    Packets packets_;
    std::map<Party, Share> shares_;
    std::size_t cost_ = 0;
    std::optional<Instant> next_sweep_;
    Bytes whole_;
};

}  // namespace culvert::packet
