#include "apps/relay/train_sender.h"

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

#include "apps/relay/data_plane.h"
#include "culvert/base/rng.h"
#include "culvert/io/file_descriptor.h"
#include "culvert/io/socket_address.h"

namespace culvert::relay {
namespace {

using ::testing::ElementsAre;

class UdpSocket {
public:
    UdpSocket() : fd_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
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

class TrainSenderTest : public ::testing::TestWithParam<bool> {
protected:
    UdpSocket source_;
    UdpSocket alice_;
    UdpSocket bob_;
    TrainSender sender_{GetParam()};

    /// Adds a datagram whose bytes stay where they are until the test ends.
    void add(const UdpSocket& to, std::string payload) {
        sender_.add(source_.fd(), &to, to.address(), keep(std::move(payload)));
    }
    ByteSpan keep(std::string payload) { return as_bytes(kept_.emplace_back(std::move(payload))); }

private:
    std::deque<std::string> kept_;
};

TEST_P(TrainSenderTest, SendsWhatWasAdded) {
    add(alice_, "one");
    add(alice_, "two");
    add(alice_, "");
    add(alice_, "longer");
    add(alice_, "x");
    EXPECT_TRUE(alice_.receive().empty());

    sender_.flush();

    EXPECT_THAT(alice_.receive(), ElementsAre("one", "two", "", "longer", "x"));
    EXPECT_EQ(sender_.counters().datagrams, 5U);
    EXPECT_TRUE(sender_.empty());
}

TEST_P(TrainSenderTest, WritesChannelDataHeaders) {
    for (const auto* payload : {"abcd", "efgh", "ij", ""}) {
        sender_.add_channel_data(source_.fd(), &alice_, alice_.address(), 0x4001, keep(payload));
    }
    sender_.flush();

    EXPECT_THAT(alice_.receive(), ElementsAre(std::string{"\x40\x01\0\4abcd", 8}, std::string{"\x40\x01\0\4efgh", 8},
                                              std::string{"\x40\x01\0\2ij", 6}, std::string{"\x40\x01\0\0", 4}));
}

TEST_P(TrainSenderTest, KeepsTheOrderOfEachFlow) {
    auto rng = Rng::from_number(3);
    std::map<const UdpSocket*, std::vector<std::string>> expected;
    for (int round = 0; round < 15; ++round) {
        for (std::uint64_t i = rng.below(150); i > 0; --i) {
            const auto& to = rng.below(2) == 0 ? alice_ : bob_;
            constexpr std::array<std::size_t, 6> kSizes{1200, 1200, 1200, 60, 1400, 9000};
            std::string payload = std::to_string(expected[&to].size());
            payload.resize(kSizes[rng.below(kSizes.size())], '.');
            expected[&to].push_back(payload);
            add(to, payload);
        }
        sender_.flush();

        EXPECT_EQ(alice_.receive(), expected[&alice_]);
        EXPECT_EQ(bob_.receive(), expected[&bob_]);
        expected.clear();
    }
    EXPECT_EQ(sender_.counters().failed + sender_.counters().blocked, 0U);
}

TEST_P(TrainSenderTest, TakesMoreThanFitsAtOnce) {
    for (int i = 0; i < 5000; ++i) {
        add(alice_, "0123456789");
    }
    sender_.flush();

    EXPECT_EQ(alice_.receive().size(), 5000U);
}

TEST_P(TrainSenderTest, CountsWhatTheKernelRefuses) {
    const auto broadcast = *net::SocketAddress::parse("255.255.255.255:9");
    sender_.add(source_.fd(), &broadcast, broadcast, keep("not allowed"));
    add(alice_, "allowed");

    sender_.flush();

    EXPECT_EQ(sender_.counters().failed, 1U);
    EXPECT_THAT(alice_.receive(), ElementsAre("allowed"));
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutOffload, TrainSenderTest, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "Segments" : "Singly"; });

TEST(TrainSender, JoinsDatagramsOfAFlowIntoOneCall) {
    const UdpSocket source;
    const UdpSocket sink;
    const std::string payload(1200, 'x');
    TrainSender sender{true};

    for (int i = 0; i < 40; ++i) {
        sender.add(source.fd(), &sink, sink.address(), as_bytes(payload));
    }
    sender.flush();

    EXPECT_EQ(sender.counters().calls, 1U);
    EXPECT_EQ(sink.receive().size(), 40U);
}

TEST(FormatThroughput, HasDecimalStepsAndTwoDecimals) {
    EXPECT_EQ(format_throughput(0), "0.00 B/s");
    EXPECT_EQ(format_throughput(42), "42.00 B/s");
    EXPECT_EQ(format_throughput(1234), "1.23 kB/s");
    EXPECT_EQ(format_throughput(955333999), "955.33 MB/s");
    EXPECT_EQ(format_throughput(999999), "999.99 kB/s");
    EXPECT_EQ(format_throughput(5e15), "5000.00 TB/s");
}

}  // namespace
}  // namespace culvert::relay
