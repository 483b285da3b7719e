#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/net/ecn.h"
#include "culvert/packet/checksum.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/tun_packet.h"

namespace culvert::packet {

/// Why a packet read from the TUN device yields no wire packets.
enum class SegmentError : std::uint8_t {
    kMalformed,        ///< Not an acceptable IP packet (see IpPacket::parse).
    kKindMismatch,     ///< The offload names another protocol than the packet.
    kBadSegmentSize,   ///< Zero, or header and segment exceed kMaxIpPacket.
    kBadChecksumField  ///< The checksum field lies outside the packet.
};

[[nodiscard]] std::string_view to_string(SegmentError error);

/// Turns what the TUN device delivered into complete wire packets: cuts TCP and UDP super-packets as the kernel's own
/// segmentation would, and fills in checksums that were left to us (spec/io-and-performance.md section 13.2). What was
/// put together out of fragments (Reassembler) leaves in fragments again.
///
/// Nothing is copied but headers: each segment's header is written into the bytes in front of its payload, which belong
/// to segments that were handed out before. So consume a segment before asking for the next one, and do not use the
/// super-packet's bytes afterwards.
///
/// A packet that cannot be segmented yields nothing and says why in error().
class Segmenter {
public:
    /// Validates and parses the packet.
    explicit Segmenter(TunPacket packet);
    /// For a packet that is parsed already (with kMaxSuperPacket), and possibly translated.
    Segmenter(const IpPacket& packet, const Offload& offload);
    /// One complete packet.
    explicit Segmenter(const IpPacket& packet) : Segmenter{packet, Offload{}} {}

    /// The next wire packet with all checksums, at most kMaxIpPacket bytes. Valid until the next call.
    [[nodiscard]] std::optional<MutableByteSpan> next();
    /// The same for a packet that has to wait: one that is to leave in fragments is handed out whole, so that it can be
    /// judged when it leaves.
    [[nodiscard]] std::optional<MutableByteSpan> next_to_keep();

    [[nodiscard]] std::optional<SegmentError> error() const { return error_; }

    /// ECN bits of all segments.
    [[nodiscard]] net::Ecn ecn() const { return ecn_; }
    /// How many packets next() will still return.
    [[nodiscard]] std::size_t remaining() const;

private:
    void prepare_single(const IpPacket& packet, const Offload& offload);
    void prepare_super_packet(const IpPacket& packet, const Offload& offload);
    void prepare_fragments(const IpPacket& packet);
    MutableByteSpan build_segment();
    MutableByteSpan build_fragment();

    std::byte* data_ = nullptr;
    std::uint32_t length_ = 0;
    std::uint32_t payload_offset_ = 0;  // of the next segment
    bool is_exhausted_ = true;
    /// One packet leaves as it is.
    enum class Cut : std::uint8_t { kNone, kSegments, kFragments };
    Cut cut_ = Cut::kNone;
    net::Ecn ecn_ = net::Ecn::kNotEct;
    std::optional<SegmentError> error_;

    // Of a super-packet only, of which header_, header_length_ and segment_size_ also of one that leaves in fragments:
    bool is_v4_ = false;
    bool is_tcp_ = false;
    std::uint8_t tcp_flags_ = 0;
    std::uint16_t l4_offset_ = 0;
    std::uint16_t header_length_ = 0;
    std::uint16_t segment_size_ = 0;
    std::uint16_t index_ = 0;
    std::uint16_t ipv4_identification_ = 0;
    std::uint32_t tcp_sequence_ = 0;
    Checksum ipv4_sum_;  // header without length, identification and checksum
    Checksum l4_sum_;    // pseudo-header and L4 header without lengths, sequence, flags and checksum
    std::array<std::byte, kMaxIpPacket> header_;  // pristine; only the first header_length_ bytes are set
};

}  // namespace culvert::packet
