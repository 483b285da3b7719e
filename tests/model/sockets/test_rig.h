#pragma once

#include <map>
#include <vector>

#include "tests/model/sockets/event_loop.h"
#include "tests/model/sockets/test_path.h"

namespace culvert::model {

/// An event loop with a TestPath, woken only when it has asked for it.
struct TestRig {
    explicit TestRig(std::uint64_t seed, const io::Shard::Options& options = {})
        : loop{path, options, Rng::from_number(seed)} {}

    /// Opens the sockets and lets the loop come to rest.
    void start();

    void submit(const Numbered& content, std::size_t payload = 100);
    void deliver(const Numbered& content, std::size_t payload = 100);

    /// Lets time pass. Takes in what leaves.
    void run_for(Duration duration);
    /// One turn that takes `cost`.
    void turn(Duration cost);

    TestPath path;
    EventLoop loop;
    Instant now{std::chrono::hours{1}};

    // What came out, in order, and how much of it was none of make_packet()'s.
    std::vector<Numbered> sent;
    std::vector<Numbered> delivered;
    std::size_t others = 0;

private:
    void collect();
};

/// The flow, and where in `packets`, of the first packet that comes behind a later one; nullopt: all in order.
[[nodiscard]] std::optional<Numbered> find_reordered(const std::vector<Numbered>& packets);

}  // namespace culvert::model
