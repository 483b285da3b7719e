#include "tests/model/sockets/event_loop.h"

#include <algorithm>
#include <stdexcept>

namespace culvert::model {
namespace {

/// Full buffers of both sockets and of the TUN take a few hundred.
constexpr int kMaxTurnsAtOneInstant = 20'000;

}  // namespace

EventLoop::EventLoop(io::ShardHandler& handler, const io::Shard::Options& options, const Rng& rng)
    : kernel_{rng}, shard_{options, kernel_.open_tun("tun-model"), handler, kernel_} {}

void EventLoop::run(Instant now) {
    for (int turns = 0; !has_ended_; ++turns) {
        if (turns == kMaxTurnsAtOneInstant) {
            throw std::logic_error{"the event loop spins: " + std::to_string(turns) + " turns without a wait"};
        }
        if (turn(now)) {
            return;
        }
    }
}

bool EventLoop::turn(Instant now) {
    kernel_.set_now(now);
    ++turns_;
    const auto state = shard_.turn(now);
    if (!state) {
        error_ = state.error();
    }
    has_ended_ = !state || *state == io::Turn::kFinished;
    if (has_ended_ || *state == io::Turn::kBusy) {
        return false;
    }
    wait_ = shard_.wait();
    const bool is_due = wait_.deadline && *wait_.deadline <= now;
    return !is_due && !kernel_.is_ready(wait_.descriptors());
}

std::optional<Instant> EventLoop::poll_timeout() {
    if (has_ended_) {
        return std::nullopt;
    }
    const auto ready = kernel_.poll_timeout(wait_.descriptors());
    return ready && wait_.deadline ? std::min(*ready, *wait_.deadline) : (ready ? ready : wait_.deadline);
}

}  // namespace culvert::model
