#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "culvert/base/time.h"
#include "culvert/io/mailbox.h"
#include "culvert/relay/data_plane.h"

namespace culvert::relay_server {

/// Runs the data plane on the thread that calls run(), and is how other threads reach it.
class RelayLoop {
public:
    explicit RelayLoop(std::unique_ptr<relay::DataPlane> plane);

    /// Returns after stop().
    void run();
    /// From any thread.
    void stop();

    /// What the portal says about single users (turn::Server). From any thread; takes effect at once.
    void extend_user(std::string salt, WallTime until);
    void revoke_user(std::string salt, WallTime until);

    /// Numbers for the outside, at most a fraction of a second old. From any thread.
    struct Snapshot {
        turn::ServerStatistics server;
        relay::Outbox::Counters sent;
        std::size_t allocations = 0;
        std::size_t channels = 0;
        std::uint64_t unusable_ports = 0;
    };
    [[nodiscard]] Snapshot snapshot() const;

    /// Whether run() took a turn since the last call, which asks for one. From one thread.
    [[nodiscard]] bool has_taken_a_turn();

private:
    struct UserRule {
        std::string salt;
        WallTime until;
        bool revokes;
    };

    void sleep() const;
    void apply_user_rules();
    void publish_if_due(Instant now);
    void log_activity_if_due(Instant now);

    std::unique_ptr<relay::DataPlane> plane_;
    io::Mailbox<UserRule> user_rules_;
    std::atomic<bool> is_stopping_{false};
    std::atomic<std::uint64_t> turns_{0};  // written by run() alone
    std::uint64_t seen_turns_ = 0;

    Instant published_at_{};
    bool has_unpublished_ = true;
    Instant activity_logged_at_{};
    std::uint64_t bytes_at_last_log_ = 0;

    mutable std::mutex snapshot_mutex_;
    Snapshot snapshot_;
};

/// "955.33 MB/s": two decimals, decimal steps.
[[nodiscard]] std::string format_throughput(double bytes_per_second);

}  // namespace culvert::relay_server
