#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "culvert/base/rng.h"
#include "culvert/io/shard.h"
#include "tests/model/sockets/simulated_kernel.h"

namespace culvert::model {

/// The production event loop of client and gateway above a simulated kernel, under virtual time.
///
/// Put datagrams and packets into kernel(), call run() at once or when poll_timeout() has come, take what left and what
/// was delivered out of kernel(). Call run() also after anything that changed the handler's state from outside.
class EventLoop {
public:
    /// `handler` must outlive the loop. Its commands_fd() may be -1.
    EventLoop(io::ShardHandler& handler, const io::Shard::Options& options, const Rng& rng);

    /// Opens the sockets; also after the network changed.
    [[nodiscard]] std::expected<void, std::string> bind_sockets() { return shard_.bind_sockets(); }

    /// Takes turns until the loop would sleep. Throws std::logic_error if it never would.
    void run(Instant now);
    /// Takes one turn: for who lets turns take time. True if the loop would sleep now.
    bool turn(Instant now);
    /// When run() is to be called next. Requires that the last turn() was idle.
    [[nodiscard]] std::optional<Instant> poll_timeout();

    /// Whether it has said goodbye, or given up (then with an error()).
    [[nodiscard]] bool has_ended() const { return has_ended_; }
    [[nodiscard]] const std::optional<std::string>& error() const { return error_; }

    [[nodiscard]] SimulatedKernel& kernel() { return kernel_; }
    [[nodiscard]] const io::ShardCounters& counters() const { return shard_.counters(); }
    [[nodiscard]] std::uint64_t turns() const { return turns_; }

private:
    SimulatedKernel kernel_;
    io::Shard shard_;
    io::Wait wait_;
    bool has_ended_ = false;
    std::optional<std::string> error_;
    std::uint64_t turns_ = 0;
};

}  // namespace culvert::model
