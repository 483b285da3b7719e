#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"
#include "culvert/packet/constants.h"

/// Sizes and times of the user-space TCP endpoints. Source: spec/dns.md section 8, unless it is said otherwise.
namespace culvert::tcp {

/// Payload of the longest segment: the MTU of the tunnel less the IP and TCP headers without options.
[[nodiscard]] constexpr std::uint16_t max_segment_size(bool is_v4) {
    const auto ip_header = is_v4 ? packet::kIpv4HeaderLength : packet::kIpv6HeaderLength;
    return static_cast<std::uint16_t>(packet::kMaxIpPacket - ip_header - packet::kTcpHeaderLength);
}
/// What a peer takes that does not say (RFC 9293 section 3.7.1).
[[nodiscard]] constexpr std::uint16_t default_segment_size(bool is_v4) {
    return is_v4 ? 536 : 1220;
}
/// Less than this nobody means: it would make us send mostly headers. Linux takes no less either (tcp_min_snd_mss).
inline constexpr std::uint16_t kMinSegmentSize = 48;

/// Received and not yet read. As much as a window without scaling can offer.
inline constexpr std::size_t kReceiveBuffer = 65535;
/// Written and not yet acknowledged: the longest DNS message and its length are 65,537 bytes, and have to fit.
inline constexpr std::size_t kSendBuffer = std::size_t{128} * 1024;

/// RFC 6298 sections 2 and 5, with what the target starts from.
inline constexpr Duration kInitialRetransmissionTime = std::chrono::milliseconds{700};
inline constexpr Duration kMinRetransmissionTime = std::chrono::milliseconds{200};
inline constexpr Duration kMaxRetransmissionTime = std::chrono::seconds{10};

/// How long an acknowledgement may wait for data to travel with.
inline constexpr Duration kAcknowledgementDelay = std::chrono::milliseconds{10};

/// Segments of the first flight (RFC 6928).
inline constexpr std::size_t kInitialFlight = 10;
/// Equal acknowledgements after which a segment counts as lost (RFC 5681 section 3.2).
inline constexpr unsigned kDuplicateAcknowledgements = 3;

/// A peer learns at most this often that a segment of his made no sense, unless it carried data (RFC 5961 section 7).
/// Per connection: with a limit for all, somebody else could find out who is connected to whom. Also what keeps two
/// ends from answering each other for ever.
inline constexpr Duration kChallengeInterval = std::chrono::milliseconds{500};

// When a connection is given up. Ours to choose: longer than anybody waits for a DNS answer.

/// Until both ends have agreed to be connected.
inline constexpr Duration kHandshakeTime = std::chrono::seconds{20};
/// While the peer acknowledges nothing of what was sent, or has no room for it.
inline constexpr Duration kStallTime = std::chrono::seconds{30};
/// After we have finished, for the peer to do so as well. Starts again while somebody reads what still comes.
inline constexpr Duration kFinWaitTime = std::chrono::seconds{30};

/// How long a connection that has ended is remembered, for the peer's last segments to find it.
inline constexpr Duration kTimeWaitTime = std::chrono::seconds{10};

/// Ports that a connection may come from (RFC 6335 section 6: dynamic ports).
inline constexpr std::uint16_t kFirstDynamicPort = 49152;
inline constexpr std::uint16_t kLastDynamicPort = 65535;

/// Packets that wait to be polled. What exceeds that is lost, and repeated as anything that is lost.
inline constexpr std::size_t kMaxQueuedPackets = 4096;

// DNS over TCP.

/// A client's connection without a query in this time is closed, and one with only a part of a query is reset (RFC 7766
/// section 6.2.3: in the order of seconds).
inline constexpr Duration kDnsServerIdleTime = std::chrono::seconds{30};
/// After which our own connection to a resolver is closed if nobody asks.
inline constexpr Duration kDnsClientIdleTime = std::chrono::seconds{10};
/// How long a resolver has for its answer, the connection included.
inline constexpr Duration kDnsQueryTime = std::chrono::seconds{10};

}  // namespace culvert::tcp
