#include "apps/relay/relay_loop.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "apps/relay/constants.h"
#include "culvert/io/clock.h"
#include "culvert/io/loop.h"
#include "culvert/observability/log.h"

namespace culvert::relay_server {
namespace {

constexpr log::Logger kLog{"relay"};

}  // namespace

RelayLoop::RelayLoop(std::unique_ptr<relay::DataPlane> plane)
    : plane_{std::move(plane)}, user_rules_{kMaxWaitingRules} {}

void RelayLoop::run() {
    activity_logged_at_ = io::monotonic_now();
    while (!is_stopping_) {
        turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        apply_user_rules();
        const auto now = io::monotonic_now();
        const auto turn = plane_->turn(now, io::wall_now());
        has_unpublished_ = true;
        publish_if_due(now);
        log_activity_if_due(now);
        if (turn == io::Turn::kIdle) {
            sleep();
        }
    }
}

void RelayLoop::sleep() const {
    auto wait = plane_->wait();
    wait.add(user_rules_.fd(), POLLIN);
    auto deadline = activity_logged_at_ + kActivityInterval;
    if (has_unpublished_) {
        deadline = std::min(deadline, published_at_ + kPublishInterval);
    }
    wait.deadline = wait.deadline ? std::min(*wait.deadline, deadline) : deadline;
    io::sleep(wait);
}

void RelayLoop::stop() {
    is_stopping_ = true;
    user_rules_.wake();
}

bool RelayLoop::has_taken_a_turn() {
    const auto turns = turns_.load(std::memory_order_relaxed);
    user_rules_.wake();
    return turns != std::exchange(seen_turns_, turns);
}

void RelayLoop::extend_user(std::string salt, WallTime until) {
    if (!user_rules_.post({std::move(salt), until, /*revokes=*/false})) {
        kLog.warn("Lost an extension of credentials: too many at once");
    }
}

void RelayLoop::revoke_user(std::string salt, WallTime until) {
    user_rules_.post_always({std::move(salt), until, /*revokes=*/true});
}

void RelayLoop::apply_user_rules() {
    for (const auto& rule : user_rules_.take()) {
        if (rule.revokes) {
            plane_->revoke_user(rule.salt, rule.until);
        } else {
            plane_->extend_user(rule.salt, rule.until);
        }
    }
}

void RelayLoop::publish_if_due(Instant now) {
    if (now < published_at_ + kPublishInterval) {
        return;
    }
    const auto& server = plane_->server();
    const std::lock_guard lock{snapshot_mutex_};
    snapshot_ = {server.statistics(), plane_->relayed(), server.allocations(), server.bound_channels(),
                 plane_->unusable_ports()};
    published_at_ = now;
    has_unpublished_ = false;
}

RelayLoop::Snapshot RelayLoop::snapshot() const {
    const std::lock_guard lock{snapshot_mutex_};
    return snapshot_;
}

void RelayLoop::log_activity_if_due(Instant now) {
    if (now < activity_logged_at_ + kActivityInterval) {
        return;
    }
    const auto& server = plane_->server();
    const auto bytes = server.statistics().bytes_relayed;
    const auto seconds = std::chrono::duration<double>(now - activity_logged_at_).count();
    const auto throughput = static_cast<double>(bytes - bytes_at_last_log_) / seconds;
    kLog.info("Activity", log::field("allocations", server.allocations()),
              log::field("channels", server.bound_channels()), log::field("throughput", format_throughput(throughput)));
    activity_logged_at_ = now;
    bytes_at_last_log_ = bytes;
}

std::string format_throughput(double bytes_per_second) {
    constexpr std::array kUnits{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
    std::size_t unit = 0;
    while (bytes_per_second >= 1000 && unit + 1 < kUnits.size()) {
        bytes_per_second /= 1000;
        ++unit;
    }
    // Cut, not rounded, so that 999.999 kB/s does not become "1000.00 kB/s".
    return fmt::format("{:.2f} {}", static_cast<double>(static_cast<std::int64_t>(bytes_per_second * 100)) / 100,
                       kUnits[unit]);
}

}  // namespace culvert::relay_server
