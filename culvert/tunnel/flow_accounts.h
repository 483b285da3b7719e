#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/flow_account.h"

namespace culvert::tunnel {

/// Accounts of flows, each with what its owner knows of it, found by handles that lead to nothing once the flow is
/// over, and in the order in which they were used last. A packet of a known flow costs no search and no memory.
///
/// Decides that a flow is over, but ends none: its owner may have to say something about it first, and calls erase().
template <typename What>
class FlowAccounts {
public:
    using Index = std::uint32_t;
    static constexpr Index kNone = ~Index{0};
    /// 0: none. The highest bit is never set.
    using Handle = std::uint64_t;

    struct Flow : FlowAccount {
        What what = {};

    private:
        friend class FlowAccounts;
        std::uint32_t generation_ = 0;  // odd while it is in use
        Instant listed_at_;
        Index newer_ = kNone;
        Index older_ = kNone;
    };

    explicit FlowAccounts(std::size_t limit) : limit_{limit} {}

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool is_full() const { return size_ >= limit_; }

    /// Null once it is over.
    [[nodiscard]] Flow* find(Handle handle) {
        const auto index = static_cast<Index>(handle);
        if (handle == 0 || index >= flows_.size() || flows_[index].generation_ != handle >> 32U) {
            return nullptr;
        }
        return &flows_[index];
    }
    [[nodiscard]] Handle handle_of(const Flow& flow) const {
        return (Handle{flow.generation_} << 32U) | index_of(flow);
    }

    /// For lists that the owner keeps: valid as long as the flow.
    [[nodiscard]] Index index_of(const Flow& flow) const { return static_cast<Index>(&flow - flows_.data()); }
    [[nodiscard]] Flow& at(Index index) { return flows_[index]; }

    /// Begins with that many packets of the initiator, of which this is the first, or all in one. Requires !is_full().
    Flow& begin(What what, const packet::IpPacket& packet, std::size_t packets, Instant now) {
        if (free_.empty()) {
            free_.push_back(static_cast<Index>(flows_.size()));
            flows_.emplace_back();
        }
        const auto index = free_.back();
        free_.pop_back();
        auto& flow = flows_[index];
        const auto generation = next_generation(flow);
        flow = {};
        static_cast<FlowAccount&>(flow) = FlowAccount::begin(packet, packets, now);
        flow.what = std::move(what);
        flow.generation_ = generation;
        put_first(index, now);
        ++size_;
        return flow;
    }
    /// True: it is over.
    [[nodiscard]] bool note_sent(Flow& flow, const packet::IpPacket& packet, std::size_t packets, Instant now) {
        return note(flow, flow.FlowAccount::note_sent(packet, packets, now), now);
    }
    [[nodiscard]] bool note_received(Flow& flow, const packet::IpPacket& packet, std::size_t packets, Instant now) {
        return note(flow, flow.FlowAccount::note_received(packet, packets, now), now);
    }
    void erase(Flow& flow) {
        const auto index = index_of(flow);
        take_out(index);
        const auto generation = next_generation(flow);
        flow = {};
        flow.generation_ = generation;
        free_.push_back(index);
        --size_;
    }

    /// Null if there is none.
    [[nodiscard]] Flow* least_recently_used() { return oldest_ == kNone ? nullptr : &flows_[oldest_]; }
    /// One that nothing was heard of for so long that it is over; null if there is none.
    [[nodiscard]] Flow* silent(Instant now) {
        auto* flow = least_recently_used();
        return flow != nullptr && now - flow->listed_at_ > kLoggedFlowIdleTime + kFlowTimeResolution ? flow : nullptr;
    }
    /// Those that both sides have closed since the last time, if they are not over by now. What comes meanwhile counts.
    [[nodiscard]] std::vector<Handle> take_closed() { return std::exchange(closed_, {}); }

private:
    /// One bit less than there are, so that the highest bit of a handle is free for its owner.
    [[nodiscard]] static std::uint32_t next_generation(const Flow& flow) {
        return (flow.generation_ + 1) & 0x7fffffffU;
    }

    [[nodiscard]] bool note(Flow& flow, FlowAccount::Outcome outcome, Instant now) {
        if (now - flow.listed_at_ >= kFlowTimeResolution) {
            const auto index = index_of(flow);
            take_out(index);
            put_first(index, now);
        }
        if (outcome == FlowAccount::Outcome::kClosed) {
            closed_.push_back(handle_of(flow));
        }
        return outcome == FlowAccount::Outcome::kReset;
    }

    void put_first(Index index, Instant now) {
        auto& flow = flows_[index];
        flow.listed_at_ = now;
        flow.newer_ = kNone;
        flow.older_ = std::exchange(newest_, index);
        (flow.older_ == kNone ? oldest_ : flows_[flow.older_].newer_) = index;
    }
    void take_out(Index index) {
        const auto& flow = flows_[index];
        (flow.newer_ == kNone ? newest_ : flows_[flow.newer_].older_) = flow.older_;
        (flow.older_ == kNone ? oldest_ : flows_[flow.older_].newer_) = flow.newer_;
    }

    std::size_t limit_;
    std::vector<Flow> flows_;
    std::vector<Index> free_;
    std::size_t size_ = 0;
    Index newest_ = kNone;
    Index oldest_ = kNone;
    std::vector<Handle> closed_;
};

}  // namespace culvert::tunnel
