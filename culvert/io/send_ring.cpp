#include "culvert/io/send_ring.h"

#include <algorithm>
#include <array>

#include "culvert/io/control_messages.h"
#include "culvert/io/socket_address.h"

namespace culvert::io {
namespace {

std::size_t total_length(std::span<const iovec> pieces) {
    std::size_t length = 0;
    for (const auto& piece : pieces) {
        length += piece.iov_len;
    }
    return length;
}

}  // namespace

struct SendRing::Slots {
    std::array<mmsghdr, kMessages> messages{};
    std::array<iovec, kMessages> pieces{};
    std::array<sockaddr_storage, kMessages> destinations{};
    std::array<ControlRoom, kMessages> controls{};
    std::array<Content, kMessages> contents{};
};

SendRing::SendRing() : slots_{std::make_unique<Slots>()} {}
SendRing::SendRing(SendRing&&) noexcept = default;
SendRing::~SendRing() = default;

const SendRing::Content& SendRing::content(std::size_t i) const {
    return slots_->contents[i];
}

std::span<mmsghdr> SendRing::fill(std::span<const Train> trains, SendPosition at, std::size_t max_segments) {
    auto& slots = *slots_;
    std::size_t count = 0;
    for (; count < kMessages && at.train < trains.size(); ++count) {
        const auto& train = trains[at.train];
        const auto segments = std::min(at.is_unjoined ? 1 : max_segments, train.segments - at.segments);
        auto& header = slots.messages[count].msg_hdr;
        header = {};
        header.msg_name = &slots.destinations[count];
        header.msg_namelen = to_sockaddr(train.path.destination, slots.destinations[count]);

        if (train.pieces.size() == 1) {
            const auto offset = at.segments * train.segment_size;
            auto& piece = slots.pieces[count];
            piece = {static_cast<std::byte*>(train.pieces[0].iov_base) + offset,
                     std::min(segments * train.segment_size, train.pieces[0].iov_len - offset)};
            header.msg_iov = &piece;
            header.msg_iovlen = 1;
        } else {
            const auto per_datagram = train.pieces.size() / train.segments;
            const auto part = train.pieces.subspan(at.segments * per_datagram, segments * per_datagram);
            header.msg_iov = const_cast<iovec*>(part.data());
            header.msg_iovlen = part.size();
        }

        header.msg_control = slots.controls[count].bytes.data();
        if (train.ecn != net::Ecn::kNotEct) {
            append_ecn(header, train.path.destination.family(), train.ecn);
        }
        if (train.path.source) {
            append_source(header, *train.path.source);
        }
        if (segments > 1) {
            append_segment_size(header, train.segment_size);
        }

        at.segments += segments;
        if (at.segments == train.segments) {
            at = {at.train + 1};
        }
        slots.contents[count] = {segments, total_length({header.msg_iov, header.msg_iovlen}), at};
    }
    return std::span{slots.messages}.first(count);
}

}  // namespace culvert::io
