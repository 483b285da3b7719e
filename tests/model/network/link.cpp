#include "tests/model/network/link.h"

#include <algorithm>

namespace culvert::model {
namespace {

/// A datagram that would wait longer for its transmission finds the queue full (see Impairment::rate).
constexpr milliseconds kQueue{100};
constexpr std::uint64_t kPerMille = 1000;

}  // namespace

std::expected<Link::Exits, DropReason> Link::pass(MutableByteSpan payload, net::Ecn& ecn, net::Family family,
                                                  Instant now) {
    const auto length = ip_length(payload.size(), family);
    const std::size_t mtu = impairment_ && impairment_->mtu != 0 ? impairment_->mtu : kLargestMtu;
    if (length > mtu) {
        return std::unexpected{DropReason::kTooBig};
    }
    if (!impairment_) {
        return Exits{.first = in_order(now), .duplicate = {}};
    }
    if (is_lost()) {
        return std::unexpected{DropReason::kLoss};
    }
    const auto transmitted = transmit(length, now);
    if (!transmitted) {
        return std::unexpected{transmitted.error()};
    }
    if (chance(impairment_->corrupt)) {
        corrupt(payload);
    }
    if (ecn != net::Ecn::kNotEct && chance(impairment_->congestion)) {
        ecn = net::Ecn::kCe;
    }
    Exits exits{.first = exit_after(*transmitted), .duplicate = {}};
    if (chance(impairment_->duplicate)) {
        exits.duplicate = exit_after(*transmitted);
    }
    return exits;
}

void Link::impair(const Impairment& impairment) {
    impairment_ = impairment;
    was_ever_impaired_ = true;
    still_to_lose_ = 0;
}

void Link::replace() {
    still_to_lose_ = 0;
    busy_until_ = {};
    last_exit_ = {};
}

bool Link::chance(std::uint16_t per_mille) {
    return per_mille != 0 && rng_.below(kPerMille) < per_mille;
}

// However long bursts are, `loss` stays the share of all datagrams that are lost: a burst of b begins with probability
// l / (l + b (1 - l)).
bool Link::is_lost() {
    if (still_to_lose_ > 0) {
        --still_to_lose_;
        return true;
    }
    const auto loss = std::min<std::uint64_t>(impairment_->loss, kPerMille);
    if (loss == 0) {
        return false;
    }
    const auto burst = std::max<std::uint64_t>(impairment_->burst, 1);
    if (rng_.below(loss + burst * (kPerMille - loss)) >= loss) {
        return false;
    }
    still_to_lose_ = static_cast<unsigned>(burst - 1);
    return true;
}

/// When the last byte is on the wire.
std::expected<Instant, DropReason> Link::transmit(std::size_t length, Instant now) {
    if (impairment_->rate == 0) {
        return now;
    }
    const auto start = std::max(now, busy_until_);
    if (start - now > kQueue) {
        return std::unexpected{DropReason::kQueueFull};
    }
    constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
    busy_until_ = start + std::chrono::nanoseconds{length * kNanosecondsPerSecond / impairment_->rate};
    return busy_until_;
}

void Link::corrupt(MutableByteSpan payload) {
    if (payload.empty()) {
        return;
    }
    const auto bit = rng_.below(payload.size() * 8);
    payload[bit / 8] ^= std::byte{1} << (bit % 8);
}

Instant Link::exit_after(Instant transmitted) {
    auto exit = transmitted + impairment_->delay;
    if (impairment_->jitter > milliseconds{0}) {
        const std::chrono::microseconds jitter = impairment_->jitter;
        exit += std::chrono::microseconds{rng_.below(static_cast<std::uint64_t>(jitter.count()) + 1)};
    }
    return impairment_->reorders ? exit : in_order(exit);
}

Instant Link::in_order(Instant exit) {
    last_exit_ = std::max(exit, last_exit_);
    return last_exit_;
}

}  // namespace culvert::model
