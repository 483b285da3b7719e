// From an IP packet to datagrams (spec/connectivity.md sections 6 and 7.6).

#include <algorithm>

#include "culvert/connectivity/connection.h"
#include "culvert/connectivity/constants.h"
#include "culvert/connectivity/node.h"
#include "culvert/observability/log.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/segmenter.h"
#include "culvert/turn/channel_data.h"

namespace culvert::connectivity {
namespace {

constexpr log::Logger kLog{"connectivity"};

// Whatever the length of its segments, a super-packet fits into the room that the queue keeps for it: it has fewer
// segments than bytes, and that many of the longest datagrams share a batch.
static_assert(net::TransmitQueue::kReservedBatches *
                  std::min(net::TransmitQueue::kMaxSegments,
                           net::TransmitQueue::kMaxBatchBytes / packet::kMaxTunnelDatagram) >=
              packet::kMaxSuperPacket);

/// Where the data of a super-packet goes: found once, used for each segment.
struct DataPath {
    net::Path path;
    std::optional<std::uint16_t> channel;

    [[nodiscard]] std::size_t header_size() const { return channel ? turn::kChannelDataHeaderSize : 0; }
};

std::optional<DataPath> data_path(const Connection& connection, Relays& relays, Instant now) {
    const auto& socket = *connection.socket();
    if (!socket.is_relayed) {
        return DataPath{{socket.source.ip, socket.destination}, std::nullopt};
    }
    auto* relay = relays.find(connection.relay());
    const auto channel = relay != nullptr ? relay->channel_to(socket.destination, now) : std::nullopt;
    if (!channel || !relay->active_socket()) {
        return std::nullopt;
    }
    return DataPath{{std::nullopt, *relay->active_socket()}, channel};
}

}  // namespace

std::optional<SendPath> Node::send_path(const ConnectionId& id) const {
    const auto connection = connections_.find(id);
    return connection == connections_.end() ? std::nullopt : connection->second->send_path();
}

void Node::encapsulate(const ConnectionId& id, packet::Segmenter& segments, net::TransmitQueue& out, Instant now) {
    auto* connection = find(id);
    if (connection == nullptr) {
        kLog.trace("Dropped packet for an unknown connection", log::field(id_key(id), id));
        return;
    }
    schedule_.touch(*connection);
    if (!connection->socket() || !connection->tunnel().has_usable_session(now)) [[unlikely]] {
        while (const auto segment = segments.next()) {
            connection->send_packet(*segment, outbox_, now);
        }
        return;
    }
    connection->note_activity(now);
    const auto path = data_path(*connection, relays_, now);
    if (!path) {
        kLog.trace("Dropped packet without channel", log::field(id_key(id), id));
        return;
    }
    const auto header_size = path->header_size();
    while (const auto segment = segments.next()) {
        const auto sealed_size = segment->size() + wireguard::kDataOverhead;
        const auto slot = out.append(path->path, segments.ecn(), header_size + sealed_size);
        if (slot.empty()) [[unlikely]] {
            kLog.trace("Dropped packet, transmit queue is full", log::field(id_key(id), id));
            return;
        }
        if (path->channel) {
            turn::encode_channel_data_header(slot, {*path->channel, static_cast<std::uint16_t>(sealed_size)});
        }
        if (!connection->tunnel().seal(*segment, slot.subspan(header_size), now)) [[unlikely]] {
            out.undo_append();
            connection->send_packet(*segment, outbox_, now);
        }
    }
}

void Node::encapsulate(const ConnectionId& id, ByteSpan ip_packet, Instant now) {
    auto* connection = find(id);
    if (connection == nullptr) {
        kLog.trace("Dropped packet for an unknown connection", log::field(id_key(id), id));
        return;
    }
    schedule_.touch(*connection);
    connection->send_packet(ip_packet, outbox_, now);
}

}  // namespace culvert::connectivity
