#include "culvert/tunnel/packet_buffer.h"

#include <algorithm>
#include <utility>

#include "culvert/packet/ip_packet.h"

namespace culvert::tunnel {

std::optional<PacketBuffer::Syn> PacketBuffer::syn_of(MutableByteSpan packet) {
    const auto parsed = packet::IpPacket::parse(packet);
    if (!parsed || !parsed->is_tcp() ||
        (parsed->tcp_flags() & (packet::kTcpSyn | packet::kTcpAck)) != packet::kTcpSyn) {
        return std::nullopt;
    }
    return Syn{parsed->source(), parsed->destination(), parsed->source_port(), parsed->destination_port(),
               parsed->tcp_sequence()};
}

PacketBuffer::Outcome PacketBuffer::push(ByteSpan packet) {
    if (std::ranges::any_of(packets_, [&](const Packet& known) { return equal(known.bytes, packet); })) {
        return Outcome::kDuplicate;
    }
    Packet added{to_bytes(packet), std::nullopt};
    added.syn = syn_of(added.bytes);
    if (added.syn) {
        const auto repeated = std::ranges::find(packets_, added.syn, &Packet::syn);
        if (repeated != packets_.end()) {
            bytes_ += added.bytes.size() - repeated->bytes.size();
            *repeated = std::move(added);
            return Outcome::kReplacedSyn;
        }
    }
    auto outcome = Outcome::kAppended;
    while (!packets_.empty() && (packets_.size() == capacity_ || bytes_ + packet.size() > max_bytes_)) {
        drop_oldest();
        outcome = Outcome::kOverwroteOldest;
    }
    bytes_ += packet.size();
    packets_.push_back(std::move(added));
    return outcome;
}

void PacketBuffer::drop_oldest() {
    bytes_ -= packets_.front().bytes.size();
    packets_.pop_front();
}

}  // namespace culvert::tunnel
