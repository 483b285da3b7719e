#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/virtio_net.h"

namespace culvert::packet {

/// Collects the decrypted packets of one receive call for the TUN device and merges runs of one TCP or UDP flow into
/// super-packets, so that the kernel takes up to 64 KiB per write (spec/io-and-performance.md section 13.3).
///
/// Merges what the kernel's own GRO would merge and never reorders a flow. Packets stay where and as they are: an item
/// is an iovec list for one writev(). All storage is kept between batches.
///
/// Merged packets leave their L4 checksum to the kernel, which trusts it; see set_verify_checksums().
class Coalescer {
public:
    /// IOV_MAX of Linux.
    static constexpr std::size_t kMaxPieces = 1024;
    /// What the 16-bit length fields can say.
    static constexpr std::size_t kMaxItemBytes = 65535;
    /// UDP_SEGMENT accepts 64 segments on every kernel that has it.
    static constexpr std::size_t kMaxUdpSegments = 64;
    /// Packets of one batch, several times what one receive call can bring.
    static constexpr std::size_t kMaxPackets = 8192;

    /// One write to the TUN device.
    struct Item {
        const VirtioNetHeader& header;
        /// pieces[0] is the header; drop it for a device without IFF_VNET_HDR (with coalescing off). Of merged packets
        /// the IP and L4 headers follow, then one payload after the other.
        std::span<const iovec> pieces;
        std::size_t packets;
    };

    Coalescer();

    /// Which protocols to merge; both are merged at first. When off, each packet is an item with an all-zero header.
    void set_coalescing(bool tcp, bool udp);
    /// Merge only packets whose checksums are right, so that merging never repairs a packet which was corrupt before it
    /// entered the tunnel. Off at first.
    void set_verify_checksums(bool verify) { verify_checksums_ = verify; }

    /// Appends a packet whose memory stays valid, and is ours to change, until clear(). Returns false and drops it if
    /// the batch holds kMaxPackets already.
    bool push(const IpPacket& packet);
    /// As above for a packet that is not parsed yet. One that is no acceptable IP packet is passed on as it is.
    bool push(MutableByteSpan packet);
    /// Appends a copy.
    bool push_copy(ByteSpan packet);

    [[nodiscard]] bool empty() const { return items_.empty(); }
    /// Number of items.
    [[nodiscard]] std::size_t size() const { return items_.size(); }

    /// The i-th item in order of its first packet; valid until the next call of item(), push() or clear().
    /// Requires i < size().
    [[nodiscard]] Item item(std::size_t i);

    /// The packets of the i-th item as they were pushed, for a device that does not take them merged.
    [[nodiscard]] std::vector<ByteSpan> packets(std::size_t i) const;

    void clear();

private:
    /// One packet (the first of its item) or the payload of one.
    struct Piece {
        std::byte* data;
        std::uint32_t length;
        std::uint32_t next;
    };

    /// An item, and what the next packet must be like to be merged into it.
    struct Record {
        VirtioNetHeader header;
        std::uint32_t first_piece = 0;
        std::uint32_t last_piece = 0;
        std::uint32_t packets = 0;
        std::uint32_t bytes = 0;
        std::uint32_t next_sequence = 0;        // TCP only
        std::uint16_t next_identification = 0;  // IPv4 only
        std::uint16_t l4_offset = 0;
        std::uint16_t header_length = 0;  // IP and L4
        std::uint16_t segment_size = 0;
        bool is_v4 = false;
        bool is_tcp = false;
        bool has_push = false;
    };

    static constexpr std::size_t kFlowSlots = 64;
    static constexpr std::uint32_t kNone = 0xffffffff;

    bool append_item(MutableByteSpan packet);
    [[nodiscard]] bool is_candidate(const IpPacket& packet) const;
    [[nodiscard]] bool is_same_flow(const Record& record, const IpPacket& packet) const;
    [[nodiscard]] bool can_merge(const Record& record, const IpPacket& packet) const;
    /// These two return whether more packets may follow in the item.
    [[nodiscard]] static bool start(Record& record, const IpPacket& packet);
    [[nodiscard]] bool merge(Record& record, const IpPacket& packet);
    void write_super_header(Record& record);
    [[nodiscard]] MutableByteSpan head_of(const Record& record) const;
    MutableByteSpan allocate(std::size_t length);

    bool coalesce_tcp_ = true;
    bool coalesce_udp_ = true;
    bool verify_checksums_ = false;

    std::vector<Record> items_;
    std::vector<Piece> pieces_;
    /// By flow hash: the item to which the flow's next packet may be added. Two flows in one slot evict each other,
    /// which costs merging but never order.
    std::array<std::uint32_t, kFlowSlots> last_item_of_flow_{};
    std::vector<iovec> iovecs_;
    /// Of the last item(): IPv6 and the longest TCP header.
    std::array<std::byte, 40 + 60> super_header_{};

    // Memory of push_copy(): chunks that are filled one after the other and reused.
    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    std::size_t chunk_ = 0;
    std::size_t chunk_used_ = 0;
};

}  // namespace culvert::packet
