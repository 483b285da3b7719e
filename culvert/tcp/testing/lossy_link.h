#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "culvert/base/rng.h"
#include "culvert/tcp/endpoints.h"

namespace culvert::tcp::test {

/// Two Endpoints and what lies between them, under virtual time: packets may be lost, doubled, delayed so that others
/// overtake them, and cut into pieces that overlap.
class LossyLink {
public:
    struct Faults {
        unsigned loss_percent = 0;
        unsigned duplicate_percent = 0;
        /// Of the fixed delay, more at random.
        Duration jitter{};
        Duration delay = std::chrono::milliseconds{20};
    };

    LossyLink(Endpoints& left, Endpoints& right, Faults faults, Rng rng)
        : ends_{&left, &right}, faults_{faults}, rng_{std::move(rng)} {}

    [[nodiscard]] Instant now() const { return now_; }
    void set_faults(const Faults& faults) { faults_ = faults; }

    /// Puts what both want to send on the way.
    void collect() {
        for (const std::size_t side : {0U, 1U}) {
            while (auto packet = ends_[side]->poll_transmit()) {
                ++sent_;
                const auto copies = rng_.below(100) < faults_.duplicate_percent ? 2 : 1;
                for (int i = 0; i < copies; ++i) {
                    if (rng_.below(100) < faults_.loss_percent) {
                        continue;
                    }
                    const auto jitter = faults_.jitter.count() == 0
                                            ? 0
                                            : rng_.below(static_cast<std::uint64_t>(faults_.jitter.count()));
                    const auto at = now_ + faults_.delay + Duration{static_cast<std::int64_t>(jitter)};
                    on_the_way_.emplace(at, std::pair{1 - side, *packet});
                }
            }
        }
    }

    /// The next thing happens: a packet arrives or a timer runs out. False: nothing will happen any more.
    bool step() {
        collect();
        constexpr auto kNever = Instant::max();
        auto next = on_the_way_.empty() ? kNever : on_the_way_.begin()->first;
        for (auto* end : ends_) {
            next = std::min(next, end->poll_timeout().value_or(kNever));
        }
        if (next == kNever) {
            return false;
        }
        now_ = std::max(now_, next);
        while (!on_the_way_.empty() && on_the_way_.begin()->first <= now_) {
            auto [side, bytes] = std::move(on_the_way_.begin()->second);
            on_the_way_.erase(on_the_way_.begin());
            ends_[side]->handle_packet(packet::IpPacket::parse(bytes).value(), Checksums::kVerify, now_);
        }
        for (auto* end : ends_) {
            end->handle_timeout(now_);
        }
        collect();
        return true;
    }

    [[nodiscard]] bool is_quiet() const { return on_the_way_.empty(); }
    [[nodiscard]] std::size_t packets_sent() const { return sent_; }

private:
    std::array<Endpoints*, 2> ends_;
    Faults faults_;
    Rng rng_;
    Instant now_ = Instant{} + std::chrono::seconds{1};
    std::multimap<Instant, std::pair<std::size_t, Bytes>> on_the_way_;
    std::size_t sent_ = 0;
};

}  // namespace culvert::tcp::test
