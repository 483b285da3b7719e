#include "culvert/relay/outbox.h"

#include <algorithm>
#include <cassert>

#include "culvert/relay/constants.h"

namespace culvert::relay {
namespace {

using SendResult = io::UdpSocket::SendResult;

}  // namespace

Outbox::Outbox() : pieces_(2 * kMaxSegments) {
    trains_.reserve(kMaxTrains);
    segments_.reserve(kMaxSegments);
    order_.reserve(kMaxTrains);
    row_.reserve(kMaxTrains);
}

void Outbox::append(io::UdpSocket& socket, const void* flow, const net::SocketAddress& to, ByteSpan payload,
                    std::uint16_t channel) {
    assert(!is_full() && row_.empty());
    // A train is cut by size, so an empty datagram in it would be lost.
    const bool can_join = !payload.empty() || channel != kNoChannel;
    auto* train = can_join ? open_train(flow, payload.size()) : nullptr;
    if (train == nullptr) {
        start_train(socket, flow, to, payload.size(), channel);
        train = &trains_.back();
    }
    ++train->count;
    train->bytes += payload.size() + train->header_size();
    if (payload.size() < train->segment_size) {
        train->is_closed = true;
        if (channel != kNoChannel) {
            turn::encode_channel_data_header(train->last_header, {channel, static_cast<std::uint16_t>(payload.size())});
        }
    }
    segments_.push_back({static_cast<std::uint32_t>(train - trains_.data()), payload});
}

Outbox::Train* Outbox::open_train(const void* flow, std::size_t size) {
    const auto depth = std::min(trains_.size() - first_open_, kSearchDepth);
    for (std::size_t i = 1; i <= depth; ++i) {
        auto& train = trains_[trains_.size() - i];
        if (train.flow != flow) {
            continue;
        }
        // Only the flow's newest train may grow, or datagrams would overtake each other.
        const bool has_room = train.count < net::TransmitQueue::kMaxSegments &&
                              train.bytes + size + sizeof(Header) <= net::TransmitQueue::kMaxBatchBytes;
        return !train.is_closed && size <= train.segment_size && has_room ? &train : nullptr;
    }
    return nullptr;
}

void Outbox::start_train(io::UdpSocket& socket, const void* flow, const net::SocketAddress& to, std::size_t size,
                         std::uint16_t channel) {
    Train train{};
    train.socket = &socket;
    train.flow = flow;
    train.to = to;
    train.channel = channel;
    train.segment_size = size;
    train.is_closed = !socket.is_gso_enabled() || size == 0 || size + sizeof(Header) > kMaxTrainSegmentSize;
    if (channel != kNoChannel) {
        turn::encode_channel_data_header(train.header, {channel, static_cast<std::uint16_t>(size)});
    }
    trains_.push_back(train);
}

SendResult Outbox::flush(io::SendRing& ring, io::ErrorBatch& errors) {
    if (row_.empty() && !segments_.empty()) {
        lay_out();
    }
    blocked_ = nullptr;
    while (row_begin_ < row_.size()) {
        auto& socket = *trains_[order_[row_begin_]].socket;
        const auto group = std::span{row_}.subspan(row_begin_, group_end() - row_begin_);
        const auto sent = socket.sent();
        const auto refused = socket.dropped().refused;
        const auto result = socket.send(group, position_, ring, errors);
        counters_.calls += socket.sent().calls - sent.calls;
        counters_.datagrams += socket.sent().datagrams - sent.datagrams;
        counters_.failed += socket.dropped().refused - refused;
        if (result == SendResult::kWouldBlock) {
            blocked_ = &socket;
            return result;
        }
        row_begin_ += group.size();
        position_ = {};
    }
    trains_.clear();
    segments_.clear();
    row_.clear();
    row_begin_ = 0;
    first_open_ = 0;
    return SendResult::kDone;
}

void Outbox::drop_blocked() {
    const auto end = group_end();
    for (auto i = row_begin_ + position_.train; i < end; ++i) {
        counters_.blocked += row_[i].segments;
    }
    counters_.blocked -= position_.segments;  // these of the first have left
    row_begin_ = end;
    position_ = {};
    blocked_ = nullptr;
}

std::size_t Outbox::group_end() const {
    const auto* socket = trains_[order_[row_begin_]].socket;
    auto end = row_begin_ + 1;
    while (end < row_.size() && trains_[order_[end]].socket == socket) {
        ++end;
    }
    return end;
}

void Outbox::lay_out() {
    lay_out_pieces();
    // Trains of one socket go in one call; sorting by (socket, age) keeps each flow in order.
    order_.resize(trains_.size());
    for (std::uint32_t i = 0; i < order_.size(); ++i) {
        order_[i] = i;
    }
    std::ranges::sort(order_, [this](std::uint32_t a, std::uint32_t b) {
        const auto fd_a = trains_[a].socket->fd();
        const auto fd_b = trains_[b].socket->fd();
        return fd_a != fd_b ? fd_a < fd_b : a < b;
    });
    for (const auto index : order_) {
        const auto& train = trains_[index];
        row_.push_back(
            {.path = {std::nullopt, train.to},
             .segment_size = train.segment_size + train.header_size(),
             .segments = train.count,
             .pieces = std::span{pieces_}.subspan(train.first_piece, train.count * train.pieces_per_datagram())});
    }
}

void Outbox::lay_out_pieces() {
    std::size_t next = 0;
    for (auto& train : trains_) {
        train.first_piece = next;
        next += train.count * train.pieces_per_datagram();
        train.count = 0;  // counted up again below, as the place of the next segment
    }
    for (const auto& [index, payload] : segments_) {
        auto& train = trains_[index];
        auto* piece = &pieces_[train.first_piece + train.count * train.pieces_per_datagram()];
        if (train.channel != kNoChannel) {
            auto& header = payload.size() == train.segment_size ? train.header : train.last_header;
            *piece++ = {header.data(), header.size()};
        }
        *piece = {const_cast<std::byte*>(payload.data()), payload.size()};
        ++train.count;
    }
}

}  // namespace culvert::relay
