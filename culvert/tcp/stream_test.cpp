// Two ends and a bad network between them: what is written on one side is read on the other, all of it, in order, once.

#include <array>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/tcp/endpoints.h"
#include "culvert/tcp/testing/lossy_link.h"
#include "culvert/tcp/testing/remote_end.h"

namespace culvert::tcp {
namespace {

using namespace std::chrono_literals;
using test::LossyLink;
using test::socket;

const auto kServer = socket("192.0.2.53:53");
const auto kClient = socket("192.0.2.1:0").ip;

/// What one side writes and reads, in pieces of random sizes.
class Side {
public:
    Side(Endpoints& endpoints, Bytes to_write, Rng rng)
        : endpoints_{endpoints}, to_write_{std::move(to_write)}, rng_{std::move(rng)} {}

    void take(ConnectionId id) { id_ = id; }
    [[nodiscard]] bool has_connection() const { return id_.has_value(); }

    void handle(Signal signal) {
        ASSERT_FALSE(end_) << "nothing comes after the end";
        if (signal == Signal::kPeerClosed) {
            peer_closed_ = true;
        } else if (signal >= Signal::kClosed) {
            read_all();
            end_ = signal;
        }
    }

    void act(Instant now) {
        if (!id_ || end_) {
            return;
        }
        const auto readable = endpoints_.readable(*id_);
        if (!readable.empty() && rng_.below(3) != 0) {
            const auto count = 1 + static_cast<std::size_t>(rng_.below(readable.size()));
            append(read_, readable.first(count));
            endpoints_.consume(*id_, count, now);
        }
        if (written_ < to_write_.size()) {
            const auto count = std::min(
                {to_write_.size() - written_, endpoints_.room(*id_), static_cast<std::size_t>(1 + rng_.below(20'000))});
            if (endpoints_.write(*id_, ByteSpan{to_write_}.subspan(written_, count), now)) {
                written_ += count;
            }
        }
        if (written_ == to_write_.size() && !closed_ && rng_.below(4) == 0) {
            endpoints_.close(*id_, now);
            closed_ = true;
        }
    }

    [[nodiscard]] bool has_something_to_do() const {
        if (!id_ || end_) {
            return false;
        }
        const bool may_write = written_ < to_write_.size() && endpoints_.room(*id_) > 0;
        const bool may_close = written_ == to_write_.size() && !closed_;
        return may_write || may_close || !endpoints_.readable(*id_).empty();
    }

    void read_all() {
        const auto rest = endpoints_.readable(*id_);
        append(read_, rest);
        endpoints_.consume(*id_, rest.size(), {});
    }

    [[nodiscard]] const Bytes& read() const { return read_; }
    [[nodiscard]] const std::optional<Signal>& end() const { return end_; }
    [[nodiscard]] bool peer_closed() const { return peer_closed_; }
    [[nodiscard]] const Bytes& to_write() const { return to_write_; }

private:
    Endpoints& endpoints_;
    Bytes to_write_;
    Rng rng_;
    std::optional<ConnectionId> id_;
    std::size_t written_ = 0;
    Bytes read_;
    bool closed_ = false;
    bool peer_closed_ = false;
    std::optional<Signal> end_;
};

Bytes random_bytes(Rng& rng, std::size_t size) {
    Bytes bytes(size);
    rng.fill(bytes);
    return bytes;
}

struct Result {
    std::size_t packets = 0;
    Duration took{};
};

/// Both sides write, read and close as they like, until both are through.
Result exchange(std::uint64_t seed, LossyLink::Faults faults, std::size_t most) {
    auto rng = Rng::from_number(seed);
    Endpoints left{{}, rng.fork()};
    Endpoints right{{}, rng.fork()};
    right.listen(kServer);
    LossyLink link{left, right, faults, rng.fork()};
    Side client{left, random_bytes(rng, rng.below(most)), rng.fork()};
    Side server{right, random_bytes(rng, rng.below(most)), rng.fork()};
    const auto started_at = link.now();
    client.take(left.connect(kClient, kServer, started_at).value());

    const auto is_over = [&] { return client.end() && server.end(); };
    for (int steps = 0; !is_over() && steps < 200'000; ++steps) {
        while (const auto event = left.poll_event()) {
            client.handle(event->signal);
        }
        while (const auto event = right.poll_event()) {
            if (!server.has_connection()) {
                EXPECT_EQ(event->signal, Signal::kOpened);
                server.take(event->connection);
            }
            server.handle(event->signal);
        }
        do {  // time does not pass because nobody felt like acting
            client.act(link.now());
            server.act(link.now());
            link.collect();
        } while (link.is_quiet() && (client.has_something_to_do() || server.has_something_to_do()));
        if (!is_over()) {
            link.step();
        }
    }
    EXPECT_EQ(client.end(), Signal::kClosed) << "seed " << seed;
    EXPECT_EQ(server.end(), Signal::kClosed) << "seed " << seed;
    EXPECT_TRUE(client.peer_closed() && server.peer_closed()) << "seed " << seed;
    EXPECT_TRUE(client.read() == server.to_write()) << "seed " << seed;
    EXPECT_TRUE(server.read() == client.to_write()) << "seed " << seed;
    const Result result{link.packets_sent(), link.now() - started_at};

    link.set_faults({});
    while (link.step()) {
    }
    EXPECT_EQ(left.size() + right.size(), 0U) << "nothing is left behind, seed " << seed;
    return result;
}

TEST(Stream, ArrivesWhereNothingIsLost) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        exchange(seed, {}, 300'000);
    }
}

TEST(Stream, ArrivesWhereAnEighthIsLost) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        exchange(seed, {.loss_percent = 12}, 40'000);
    }
}

TEST(Stream, ArrivesWhereEverythingIsDoubledAndOvertakes) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        exchange(seed, {.loss_percent = 5, .duplicate_percent = 60, .jitter = 100ms}, 60'000);
    }
}

TEST(Stream, TakesFewMorePacketsThanItHasTo) {
    for (std::uint64_t seed = 100; seed < 110; ++seed) {
        const auto result = exchange(seed, {}, 200'000);
        // At most 400,000 bytes in both directions, an acknowledgement for every second segment, and the ends.
        EXPECT_LT(result.packets, 400'000U / 1240 * 3 / 2 + 1500);
    }
}

TEST(Stream, OfAMegabyteTakesAFewRoundTrips) {
    Endpoints left{{}, Rng::from_number(1)};
    Endpoints right{{}, Rng::from_number(2)};
    right.listen(kServer);
    LossyLink link{left, right, {.delay = 20ms}, Rng::from_number(3)};
    const auto id = left.connect(kClient, kServer, link.now()).value();
    const auto started_at = link.now();
    const Bytes block(65536);
    std::size_t written = 0;
    std::size_t read = 0;

    while (read < std::size_t{1} << 20U) {
        while (const auto event = right.poll_event()) {
            read += right.readable(event->connection).size();
            right.consume(event->connection, right.readable(event->connection).size(), link.now());
        }
        while (const auto event = left.poll_event()) {
        }
        if (written < std::size_t{1} << 20U && left.write(id, block, link.now())) {
            written += block.size();
        }
        ASSERT_TRUE(link.step());
    }

    // 16 windows of 64 KiB at 40 ms each, and slow start.
    EXPECT_LT(link.now() - started_at, 1200ms);
}

}  // namespace
}  // namespace culvert::tcp
