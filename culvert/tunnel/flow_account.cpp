#include "culvert/tunnel/flow_account.h"

#include <utility>

#include "culvert/packet/constants.h"

namespace culvert::tunnel {
namespace {

bool has_flag(const packet::IpPacket& packet, std::uint8_t flag) {
    return (packet.tcp_flags() & flag) != 0;
}

}  // namespace

bool may_begin_account(const packet::IpPacket& packet) {
    return packet.is_udp() || (packet.is_tcp() && !has_flag(packet, packet::kTcpRst | packet::kTcpFin));
}

FlowAccount FlowAccount::begin(const packet::IpPacket& packet, std::size_t packets, Instant now) {
    FlowAccount account;
    account.is_tcp = packet.is_tcp();
    account.started_at = account.last_packet = now;
    account.sent_packets = packets;
    account.sent_bytes = packet.payload().size();
    return account;
}

bool FlowAccount::is_followed_by(const packet::IpPacket& packet) const {
    return is_tcp && has_more_than_syn_ && has_flag(packet, packet::kTcpSyn);
}

FlowAccount::Outcome FlowAccount::note_sent(const packet::IpPacket& packet, std::size_t packets, Instant now) {
    has_more_than_syn_ |= is_tcp && !has_flag(packet, packet::kTcpSyn);
    sent_packets += packets;
    sent_bytes += packet.payload().size();
    last_packet = now;
    return note_flags(packet, sent_fin_);
}

FlowAccount::Outcome FlowAccount::note_received(const packet::IpPacket& packet, std::size_t packets, Instant now) {
    received_packets += packets;
    received_bytes += packet.payload().size();
    last_packet = now;
    return note_flags(packet, received_fin_);
}

FlowAccount::Outcome FlowAccount::note_flags(const packet::IpPacket& packet, bool& fin) const {
    if (!is_tcp) {
        return Outcome::kGoesOn;
    }
    if (has_flag(packet, packet::kTcpRst)) {
        return Outcome::kReset;
    }
    if (has_flag(packet, packet::kTcpFin) && !std::exchange(fin, true) && sent_fin_ && received_fin_) {
        return Outcome::kClosed;
    }
    return Outcome::kGoesOn;
}

}  // namespace culvert::tunnel
