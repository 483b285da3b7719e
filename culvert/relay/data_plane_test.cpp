#include "culvert/relay/data_plane.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/io/socket_address.h"
#include "culvert/turn/server/server_fixture.h"

namespace culvert::relay {
namespace {

using testing::ElementsAre;
using turn::test::at;
using turn::test::RequestSpec;
using namespace std::chrono_literals;

/// Sockets in memory. Takes single datagrams and trains, as many as it is told to.
class FakeKernel final : public io::Kernel {
public:
    struct Datagram {
        std::uint16_t port;  ///< of the relay
        net::SocketAddress other;
        std::string payload;
    };

    void deliver(Datagram datagram) { sockets_.at(fd_of(datagram.port)).waiting.push_back(std::move(datagram)); }
    [[nodiscard]] std::vector<Datagram> take_sent() { return std::exchange(sent_, {}); }
    [[nodiscard]] bool is_open(std::uint16_t port) const { return fd_of(port) >= 0; }

    /// Messages that any socket takes until it would block.
    int room = 1 << 20;
    /// What opening this port fails with.
    std::map<std::uint16_t, int> unusable;
    int calls = 0;

    std::expected<UdpSocketOpened, std::error_code> open_udp(const io::UdpOptions& options) override {
        if (const auto error = unusable.find(options.bind.port); error != unusable.end()) {
            return std::unexpected{std::error_code{error->second, std::generic_category()}};
        }
        const int fd = next_fd_++;
        sockets_[fd].port = options.bind.port;
        return UdpSocketOpened{io::KernelDescriptor{*this, fd}, options.bind.port, options.use_gso};
    }
    void close(int fd) override { sockets_.erase(fd); }

    int recvmmsg(int fd, std::span<mmsghdr> messages) override {
        auto& waiting = sockets_.at(fd).waiting;
        int count = 0;
        for (; static_cast<std::size_t>(count) < messages.size() && !waiting.empty(); ++count) {
            auto& message = messages[static_cast<std::size_t>(count)];
            const auto& datagram = waiting.front();
            std::copy_n(as_bytes(datagram.payload).begin(), datagram.payload.size(),
                        static_cast<std::byte*>(message.msg_hdr.msg_iov[0].iov_base));
            message.msg_len = static_cast<unsigned>(datagram.payload.size());
            message.msg_hdr.msg_controllen = 0;
            io::to_sockaddr(datagram.other, *static_cast<sockaddr_storage*>(message.msg_hdr.msg_name));
            waiting.pop_front();
        }
        errno = EAGAIN;
        return count > 0 ? count : -1;
    }

    int sendmmsg(int fd, std::span<mmsghdr> messages) override {
        ++calls;
        int count = 0;
        for (; static_cast<std::size_t>(count) < messages.size() && room > 0; ++count, --room) {
            const auto& header = messages[static_cast<std::size_t>(count)].msg_hdr;
            std::string bytes;
            for (std::size_t i = 0; i < header.msg_iovlen; ++i) {
                bytes.append(static_cast<const char*>(header.msg_iov[i].iov_base), header.msg_iov[i].iov_len);
            }
            sockaddr_storage to{};
            std::memcpy(&to, header.msg_name, header.msg_namelen);
            sent_.push_back({sockets_.at(fd).port, io::from_sockaddr(to), std::move(bytes)});
        }
        errno = EAGAIN;
        return count > 0 ? count : -1;
    }
    ssize_t read(int, MutableByteSpan) override { return -1; }
    ssize_t writev(int, std::span<const iovec>) override { return -1; }

    int epoll_create() override { return next_fd_++; }
    int epoll_add(int, int fd, std::uint64_t token) override {
        sockets_.at(fd).token = token;
        return 0;
    }
    int epoll_wait(int, std::span<epoll_event> events) override {
        int count = 0;
        for (auto& [fd, socket] : sockets_) {
            if (!socket.waiting.empty()) {
                events[static_cast<std::size_t>(count++)].data.u64 = socket.token;
            }
        }
        return count;
    }

private:
    struct Socket {
        std::uint16_t port = 0;
        std::uint64_t token = 0;
        std::deque<Datagram> waiting;
    };

    [[nodiscard]] int fd_of(std::uint16_t port) const {
        const auto found = std::ranges::find_if(sockets_, [&](const auto& entry) { return entry.second.port == port; });
        return found == sockets_.end() ? -1 : found->first;
    }

    std::map<int, Socket> sockets_;
    int next_fd_ = 3;
    std::vector<Datagram> sent_;
};

constexpr std::uint16_t kChannel = 0x4001;
const net::SocketAddress kClient = at("198.51.100.1:1000");
const net::SocketAddress kPeer = at("198.51.100.2:2000");

std::string framed(const std::string& payload) {
    std::string frame{"\x40\x01\0", 3};
    frame += static_cast<char>(payload.size());
    return frame + payload;
}

class DataPlaneTest : public testing::Test {
protected:
    DataPlaneTest() {
        turn::ServerConfig config = turn::test::with_ports(turn::test::only_v4(), 50'000, 50'001);
        plane_ = *DataPlane::open({.server = config}, turn::test::kStampSecret, Rng::from_number(1), kernel_);
    }

    io::Turn turn() { return plane_->turn(now_, requests_.wall_now); }
    void settle() {
        while (turn() == io::Turn::kBusy) {
        }
    }

    void request(const RequestSpec& spec, const net::SocketAddress& client = kClient) {
        const auto bytes = requests_.encode(spec, plane_->server().make_nonce(client, now_).to_string());
        kernel_.deliver({turn::kRelayPort, client, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
    }
    /// Leaves an allocation with a channel, whose port it returns.
    std::uint16_t allocate() {
        request(turn::test::allocate());
        settle();
        request(turn::test::bind(kChannel, "198.51.100.2:2000"));
        settle();
        EXPECT_EQ(kernel_.take_sent().size(), 2U);
        return kernel_.is_open(50'000) ? 50'000 : 50'001;
    }
    std::vector<std::string> sent_from(std::uint16_t port) {
        std::vector<std::string> payloads;
        for (auto& datagram : kernel_.take_sent()) {
            if (datagram.port == port) {
                payloads.push_back(std::move(datagram.payload));
            }
        }
        return payloads;
    }

    FakeKernel kernel_;
    turn::test::Relay requests_;  // only to encode requests with
    Instant now_{1h};
    std::unique_ptr<DataPlane> plane_;
};

TEST_F(DataPlaneTest, RelaysBothWays) {
    const auto port = allocate();

    kernel_.deliver({turn::kRelayPort, kClient, framed("up")});
    kernel_.deliver({port, kPeer, "down"});
    settle();

    const auto sent = kernel_.take_sent();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].payload, "up");
    EXPECT_EQ(sent[0].other, kPeer);
    EXPECT_EQ(sent[0].port, port);
    EXPECT_EQ(sent[1].payload, framed("down"));
    EXPECT_EQ(sent[1].other, kClient);
    EXPECT_EQ(plane_->relayed().datagrams, 2U);
}

/// Behind 1:1 NAT without hairpinning, a datagram to the own public address would never come back.
TEST_F(DataPlaneTest, DeliversFromOneAllocationToAnotherByItself) {
    const net::SocketAddress other = at("198.51.100.3:3000");
    const auto port = allocate();
    const std::uint16_t other_port = port == 50'000 ? 50'001 : 50'000;
    request(turn::test::allocate(), other);
    settle();
    ASSERT_TRUE(kernel_.is_open(other_port));
    request(turn::test::bind(0x4002, "203.0.113.50:" + std::to_string(other_port)));
    settle();
    static_cast<void>(kernel_.take_sent());
    const std::string up{"\x40\x02\0\x02up", 6};

    kernel_.deliver({turn::kRelayPort, kClient, up});
    settle();
    EXPECT_TRUE(kernel_.take_sent().empty()) << "the other one has no channel to it, as if it had come over the wire";

    request(turn::test::bind(kChannel, "203.0.113.50:" + std::to_string(port)), other);
    settle();
    static_cast<void>(kernel_.take_sent());
    kernel_.deliver({turn::kRelayPort, kClient, up});
    kernel_.deliver({turn::kRelayPort, other, framed("down")});
    settle();

    const auto sent = kernel_.take_sent();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].port, turn::kRelayPort);
    EXPECT_EQ(sent[0].other, other);
    EXPECT_EQ(sent[0].payload, framed("up"));
    EXPECT_EQ(sent[1].other, kClient);
    EXPECT_EQ(sent[1].payload, (std::string{"\x40\x02\0\x04", 4} + "down"));

    request(turn::test::refresh(0), other);
    settle();
    static_cast<void>(kernel_.take_sent());
    kernel_.deliver({turn::kRelayPort, kClient, up});
    settle();
    EXPECT_TRUE(kernel_.take_sent().empty()) << "whose allocation has ended";
}

TEST_F(DataPlaneTest, OneTurnTakesOneBatchOfEachSocketThatIsReady) {
    const auto port = allocate();
    for (int i = 0; i < 100; ++i) {
        kernel_.deliver({turn::kRelayPort, kClient, framed("up")});
        kernel_.deliver({port, kPeer, "down"});
    }

    EXPECT_EQ(turn(), io::Turn::kBusy);
    EXPECT_EQ(plane_->relayed().datagrams, 128U);
    settle();
    EXPECT_EQ(plane_->relayed().datagrams, 200U);
}

TEST_F(DataPlaneTest, WaitsForASocketThatTakesNothingAndGoesOnWhereItStopped) {
    const auto port = allocate();
    kernel_.room = 2;
    for (const auto* payload : {"one", "second", "thirdly", "fourthly", "and fifth"}) {  // each a train of its own
        kernel_.deliver({turn::kRelayPort, kClient, framed(payload)});
    }

    EXPECT_EQ(turn(), io::Turn::kIdle);
    EXPECT_THAT(sent_from(port), ElementsAre("one", "second"));
    auto wait = plane_->wait();
    EXPECT_EQ(wait.deadline, now_ + 5ms);
    ASSERT_EQ(wait.descriptors().size(), 1U);
    EXPECT_EQ(wait.descriptors()[0].events, POLLOUT);

    kernel_.room = 10;
    now_ += 1ms;
    settle();

    EXPECT_THAT(sent_from(port), ElementsAre("thirdly", "fourthly", "and fifth"));
    EXPECT_EQ(plane_->relayed().blocked, 0U);
}

TEST_F(DataPlaneTest, DropsWhatASocketDoesNotTakeInTime) {
    const auto port = allocate();
    kernel_.room = 1;
    for (const auto* payload : {"one", "second", "thirdly"}) {
        kernel_.deliver({turn::kRelayPort, kClient, framed(payload)});
    }
    EXPECT_EQ(turn(), io::Turn::kIdle);

    now_ += 5ms;
    settle();
    EXPECT_EQ(plane_->relayed().blocked, 2U);

    kernel_.room = 10;
    kernel_.deliver({turn::kRelayPort, kClient, framed("later")});
    settle();
    EXPECT_THAT(sent_from(port), ElementsAre("one", "later"));
}

TEST_F(DataPlaneTest, TriesAnotherPortWhereOneCannotBeOpened) {
    kernel_.unusable = {{50'000, EADDRINUSE}};

    const auto port = allocate();

    EXPECT_EQ(port, 50'001);
    EXPECT_LE(plane_->unusable_ports(), 1U);
}

TEST_F(DataPlaneTest, ARevocationTakesEffectWithTheNextTurn) {
    const auto port = allocate();

    plane_->revoke_user("salt", turn::test::kWallStart + 1h);
    EXPECT_TRUE(kernel_.is_open(port));
    settle();

    EXPECT_FALSE(kernel_.is_open(port));
    kernel_.deliver({turn::kRelayPort, kClient, framed("late")});
    settle();
    EXPECT_TRUE(sent_from(port).empty());
}

TEST_F(DataPlaneTest, SleepsUntilAnAllocationExpires) {
    EXPECT_EQ(plane_->wait().deadline, std::nullopt);
    const auto port = allocate();

    ASSERT_TRUE(plane_->wait().deadline);
    for (int i = 0; i < 100 && plane_->wait().deadline; ++i) {
        now_ = std::max(now_, *plane_->wait().deadline);
        settle();
    }

    EXPECT_FALSE(kernel_.is_open(port));
}

TEST_F(DataPlaneTest, SaysWhyItCannotListen) {
    FakeKernel kernel;
    kernel.unusable = {{turn::kRelayPort, EADDRINUSE}};

    const auto opened =
        DataPlane::open({.server = turn::test::only_v4()}, turn::test::kStampSecret, Rng::from_number(1), kernel);

    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error(), testing::StartsWith("cannot listen on UDP 0.0.0.0:3478: Address already in use. Stop"));
}

}  // namespace
}  // namespace culvert::relay
