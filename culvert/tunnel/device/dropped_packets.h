#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "culvert/net/socket_address.h"

namespace culvert::tunnel {

/// One datagram that led to nothing, for a person who reads the log.
struct DroppedPacket {
    /// A constant text.
    std::string_view reason;
    /// What exactly was objected to, as a constant text; may be empty.
    std::string_view cause;
    net::SocketAddress local;
    net::SocketAddress from;
    std::size_t bytes = 0;
    /// It comes from a peer that was disconnected moments ago.
    bool is_expected = false;
};

/// What was dropped since the last report. Strangers cause drops at will, so only the first kMaxDropsPerReport are
/// kept.
struct DroppedPackets {
    std::vector<DroppedPacket> packets;
    /// How many more there were.
    std::size_t omitted = 0;
    /// How many there were of each reason, those omitted included.
    std::vector<std::pair<std::string_view, std::size_t>> counts;

    void add(const DroppedPacket& packet);
    [[nodiscard]] bool empty() const { return packets.empty(); }
};

/// Writes a report into the log: DEBUG at the most, since a remote can cause each line (spec/tunnel.md section 7.4).
void log_report(const DroppedPackets& report);

}  // namespace culvert::tunnel
