#include "tests/model/sockets/relay_loop.h"

#include <algorithm>
#include <stdexcept>

namespace culvert::model {
namespace {

constexpr int kMaxTurnsAtOneInstant = 20'000;

std::unique_ptr<relay::DataPlane> open(relay::DataPlane::Options options, std::string stamp_secret, const Rng& rng,
                                       io::Kernel& kernel) {
    auto plane = relay::DataPlane::open(std::move(options), std::move(stamp_secret), rng, kernel);
    if (!plane) {
        throw std::logic_error{plane.error()};
    }
    return *std::move(plane);
}

}  // namespace

RelayLoop::RelayLoop(relay::DataPlane::Options options, std::string stamp_secret, const Rng& rng, const Rng& kernel_rng)
    : kernel_{kernel_rng}, plane_{open(std::move(options), std::move(stamp_secret), rng, kernel_)} {}

void RelayLoop::run(Instant now, WallTime wall_now) {
    kernel_.set_now(now);
    for (int turns = 0; turns < kMaxTurnsAtOneInstant; ++turns) {
        if (plane_->turn(now, wall_now) == io::Turn::kBusy) {
            continue;
        }
        auto wait = plane_->wait();
        const bool is_due = wait.deadline && *wait.deadline <= now;
        if (!is_due && !kernel_.is_ready(wait.descriptors())) {
            return;
        }
    }
    throw std::logic_error{"the relay's loop spins: it takes turns without a wait"};
}

std::optional<Instant> RelayLoop::poll_timeout() {
    auto wait = plane_->wait();
    const auto ready = kernel_.poll_timeout(wait.descriptors());
    return ready && wait.deadline ? std::min(*ready, *wait.deadline) : (ready ? ready : wait.deadline);
}

}  // namespace culvert::model
