#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <tuple>

#include "culvert/base/bytes.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/constants.h"

namespace culvert::tunnel {

/// IP packets that wait for a connection, oldest first; a full buffer overwrites its oldest packet. Packets that leave
/// in fragments wait as a whole, and as many bytes wait as the others may have, or one of the longest packets.
///
/// Applications retransmit while they wait, so equal packets are kept once, and of a repeated TCP SYN the newest copy,
/// whose timestamps are fresh (spec/tunnel.md section 3.9, "unique packet buffer").
class PacketBuffer {
public:
    enum class Outcome { kAppended, kDuplicate, kReplacedSyn, kOverwroteOldest };

    /// Requires capacity > 0.
    explicit PacketBuffer(std::size_t capacity)
        : capacity_{capacity}, max_bytes_{std::max(capacity * packet::kMaxIpPacket, packet::kMaxSuperPacket)} {}

    Outcome push(ByteSpan packet);

    [[nodiscard]] std::size_t size() const { return packets_.size(); }
    [[nodiscard]] bool empty() const { return packets_.empty(); }

    /// The i-th oldest packet. Requires i < size().
    [[nodiscard]] ByteSpan operator[](std::size_t i) const { return packets_[i].bytes; }

private:
    /// Addresses, ports and sequence number.
    using Syn = std::tuple<net::IpAddress, net::IpAddress, std::uint16_t, std::uint16_t, std::uint32_t>;

    struct Packet {
        Bytes bytes;
        std::optional<Syn> syn;
    };

    [[nodiscard]] static std::optional<Syn> syn_of(MutableByteSpan packet);

    void drop_oldest();

    std::size_t capacity_;
    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::deque<Packet> packets_;
};

}  // namespace culvert::tunnel
