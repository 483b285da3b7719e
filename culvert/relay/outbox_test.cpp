#include "culvert/relay/outbox.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/io/file_descriptor.h"
#include "culvert/io/socket_address.h"

namespace culvert::relay {
namespace {

using ::testing::ElementsAre;

/// Who receives.
class Sink {
public:
    Sink() : fd_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
        sockaddr_storage raw{};
        auto length = io::to_sockaddr({*net::IpAddress::parse("127.0.0.1"), 0}, raw);
        EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&raw), length), 0);
        EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&raw), &length), 0);
        address_ = io::from_sockaddr(raw);
        constexpr int kBuffer = 8 << 20;
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
    }

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const net::SocketAddress& address() const { return address_; }

    /// Everything that has arrived.
    [[nodiscard]] std::vector<std::string> receive() const {
        std::vector<std::string> datagrams;
        for (pollfd waiting{fd(), POLLIN, 0}; ::poll(&waiting, 1, 20) > 0;) {
            std::string datagram(65536, '\0');
            const auto length = ::recv(fd(), datagram.data(), datagram.size(), 0);
            datagram.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
            datagrams.push_back(std::move(datagram));
        }
        return datagrams;
    }

private:
    io::FileDescriptor fd_;
    net::SocketAddress address_;
};

io::UdpSocket open_source(bool use_gso) {
    auto socket =
        io::UdpSocket::open({.bind = {*net::IpAddress::parse("127.0.0.1"), 0}, .use_gso = use_gso, .is_relay = true});
    EXPECT_TRUE(socket);
    return *std::move(socket);
}

class OutboxTest : public ::testing::TestWithParam<bool> {
protected:
    io::UdpSocket source_ = open_source(GetParam());
    Sink alice_;
    Sink bob_;
    Outbox outbox_;

    void flush() {
        io::SendRing ring;
        io::ErrorBatch errors;
        EXPECT_EQ(outbox_.flush(ring, errors), io::UdpSocket::SendResult::kDone);
        EXPECT_TRUE(outbox_.empty());
    }

    /// Adds a datagram whose bytes stay where they are until the test ends.
    void add(const Sink& to, std::string payload) {
        if (outbox_.is_full()) {
            flush();
        }
        outbox_.add(source_, &to, to.address(), keep(std::move(payload)));
    }
    ByteSpan keep(std::string payload) { return as_bytes(kept_.emplace_back(std::move(payload))); }

private:
    std::deque<std::string> kept_;
};

TEST_P(OutboxTest, SendsWhatWasAdded) {
    add(alice_, "one");
    add(alice_, "two");
    add(alice_, "");
    add(alice_, "longer");
    add(alice_, "x");
    EXPECT_TRUE(alice_.receive().empty());

    flush();

    EXPECT_THAT(alice_.receive(), ElementsAre("one", "two", "", "longer", "x"));
    EXPECT_EQ(outbox_.counters().datagrams, 5U);
}

TEST_P(OutboxTest, WritesChannelDataHeaders) {
    for (const auto* payload : {"abcd", "efgh", "ij", ""}) {
        outbox_.add_channel_data(source_, &alice_, alice_.address(), 0x4001, keep(payload));
    }
    flush();

    EXPECT_THAT(alice_.receive(), ElementsAre(std::string{"\x40\x01\0\4abcd", 8}, std::string{"\x40\x01\0\4efgh", 8},
                                              std::string{"\x40\x01\0\2ij", 6}, std::string{"\x40\x01\0\0", 4}));
}

TEST_P(OutboxTest, KeepsTheOrderOfEachFlow) {
    auto rng = Rng::from_number(3);
    std::map<const Sink*, std::vector<std::string>> expected;
    for (int round = 0; round < 15; ++round) {
        for (std::uint64_t i = rng.below(150); i > 0; --i) {
            const auto& to = rng.below(2) == 0 ? alice_ : bob_;
            constexpr std::array<std::size_t, 6> kSizes{1200, 1200, 1200, 60, 1400, 9000};
            std::string payload = std::to_string(expected[&to].size());
            payload.resize(kSizes[rng.below(kSizes.size())], '.');
            expected[&to].push_back(payload);
            add(to, payload);
        }
        flush();

        EXPECT_EQ(alice_.receive(), expected[&alice_]);
        EXPECT_EQ(bob_.receive(), expected[&bob_]);
        expected.clear();
    }
    EXPECT_EQ(outbox_.counters().failed + outbox_.counters().blocked, 0U);
}

TEST_P(OutboxTest, TakesMoreThanFitsAtOnce) {
    for (int i = 0; i < 5000; ++i) {
        add(alice_, "0123456789");
    }
    flush();

    EXPECT_EQ(alice_.receive().size(), 5000U);
}

TEST_P(OutboxTest, CountsWhatTheKernelRefuses) {
    const auto broadcast = *net::SocketAddress::parse("255.255.255.255:9");
    outbox_.add(source_, &broadcast, broadcast, keep("not allowed"));
    add(alice_, "allowed");

    flush();

    EXPECT_EQ(outbox_.counters().failed, 1U);
    EXPECT_THAT(alice_.receive(), ElementsAre("allowed"));
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutOffload, OutboxTest, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "Segments" : "Singly"; });

TEST(Outbox, JoinsDatagramsOfAFlowIntoOneCall) {
    auto source = open_source(true);
    const Sink sink;
    const std::string payload(1200, 'x');
    Outbox outbox;

    for (int i = 0; i < 40; ++i) {
        outbox.add(source, &sink, sink.address(), as_bytes(payload));
    }
    io::SendRing ring;
    io::ErrorBatch errors;
    EXPECT_EQ(outbox.flush(ring, errors), io::UdpSocket::SendResult::kDone);

    EXPECT_EQ(outbox.counters().calls, 1U);
    EXPECT_EQ(sink.receive().size(), 40U);
}

TEST(Outbox, JoinsNothingToTrainsThatAreClosed) {
    auto source = open_source(true);
    const Sink old_peer;
    const Sink new_peer;
    Outbox outbox;
    const int flow = 0;  // where the old flow was is now another

    outbox.add(source, &flow, old_peer.address(), as_bytes(std::string_view{"to the old one"}));
    outbox.close_trains();
    outbox.add(source, &flow, new_peer.address(), as_bytes(std::string_view{"to the new one"}));
    io::SendRing ring;
    io::ErrorBatch errors;
    EXPECT_EQ(outbox.flush(ring, errors), io::UdpSocket::SendResult::kDone);

    EXPECT_THAT(old_peer.receive(), ElementsAre("to the old one"));
    EXPECT_THAT(new_peer.receive(), ElementsAre("to the new one"));
}

}  // namespace
}  // namespace culvert::relay
