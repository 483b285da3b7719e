#include "tests/model/sockets/simulated_tun.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "culvert/packet/segmenter.h"
#include "culvert/packet/virtio_net.h"
#include "tests/model/sockets/chance.h"

namespace culvert::model {
namespace {

constexpr std::size_t kHeaderSize = sizeof(packet::VirtioNetHeader);
/// Segments of one train at most; more would only repeat what fewer do.
constexpr std::size_t kLongestTrain = 40;

Bytes gather(std::span<const iovec> pieces) {
    Bytes bytes;
    for (const auto& piece : pieces) {
        append(bytes, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
    }
    return bytes;
}

}  // namespace

bool SimulatedTun::submit(ByteSpan packet) {
    if (waiting_.size() + trains_.size() >= kQueueLength) {
        return false;
    }
    waiting_.push_back(to_bytes(packet));
    return true;
}

ssize_t SimulatedTun::read(MutableByteSpan buffer, const KernelFaults& faults, Rng& rng) {
    if (is_removed_) {
        return -EBADFD;
    }
    if (chance(rng, faults.interrupted)) {
        return -EINTR;
    }
    if (trains_.empty() && waiting_.empty()) {
        return -EAGAIN;
    }
    if (chance(rng, faults.tun_read_failed)) {
        return -EIO;
    }
    if (trains_.empty()) {
        assemble(faults, rng);
    }
    const auto train = std::move(trains_.front());
    trains_.pop_front();
    const auto length = std::min(train.size(), buffer.size());
    std::copy_n(train.begin(), length, buffer.begin());
    return static_cast<ssize_t>(length);
}

void SimulatedTun::assemble(const KernelFaults& faults, Rng& rng) {
    const auto wanted = chance(rng, faults.tun_super_packet) ? 1 + rng.below(kLongestTrain) : 1;
    const auto count = std::min<std::size_t>(wanted, waiting_.size());
    for (std::size_t i = 0; i < count; ++i) {
        static_cast<void>(segments_.push(MutableByteSpan{waiting_[i]}));
    }
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        trains_.push_back(gather(segments_.item(i).pieces));
    }
    segments_.clear();
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
}

ssize_t SimulatedTun::write(std::span<const iovec> pieces, const KernelFaults& faults, Rng& rng,
                            std::deque<Bytes>& delivered, TunLosses& losses) {
    constexpr std::array kRefusals{EAGAIN, EIO, ENOBUFS};
    if (is_removed_) {
        return -EBADFD;
    }
    if (chance(rng, faults.interrupted)) {
        return -EINTR;
    }
    auto bytes = gather(pieces);
    packet::VirtioNetHeader header;
    std::memcpy(&header, bytes.data(), kHeaderSize);
    const auto offload = packet::to_offload(header);
    const auto body = MutableByteSpan{bytes}.subspan(kHeaderSize);
    const bool is_super_packet = offload && offload->kind != packet::Offload::Kind::kNone;

    const auto refuse = [&](int error) -> ssize_t {
        const auto payload = body.size() - std::min<std::size_t>(body.size(), header.header_length);
        losses.refused[error] += is_super_packet ? (payload + header.gso_size - 1) / header.gso_size : 1;
        return -error;
    };
    if (!offload || body.size() > packet::Coalescer::kMaxItemBytes) {
        return refuse(EINVAL);
    }
    if (is_super_packet && faults.refuses_super_packets) {
        return -EINVAL;  // its packets may come again one by one: not lost yet
    }
    if (chance(rng, faults.tun_refused)) {
        return refuse(kRefusals.at(rng.below(kRefusals.size())));
    }
    if (!is_super_packet && !offload->needs_checksum) {
        delivered.push_back(to_bytes(body));
        return static_cast<ssize_t>(bytes.size());
    }
    packet::Segmenter segments{packet::TunPacket{body, *offload}};
    if (segments.error()) {
        return refuse(EINVAL);
    }
    const auto length = static_cast<ssize_t>(bytes.size());
    while (const auto segment = segments.next()) {
        delivered.push_back(to_bytes(*segment));
    }
    return length;
}

}  // namespace culvert::model
