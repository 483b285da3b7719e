#include "culvert/io/udp_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <numeric>

#include <gtest/gtest.h>

#include "culvert/io/socket_address.h"

namespace culvert::io {
namespace {

UdpSocket open_loopback(const char* address, bool use_offload = true) {
    auto socket = UdpSocket::open({.bind = {*net::IpAddress::parse(address), 0},
                                   .receive_buffer = 1 << 20,
                                   .send_buffer = 1 << 20,
                                   .use_gso = use_offload,
                                   .use_gro = use_offload});
    EXPECT_TRUE(socket.has_value());
    return std::move(*socket);
}

UdpSocket::SendResult send(UdpSocket& socket, net::TransmitQueue& queue, ErrorBatch& errors) {
    SendRing ring;
    return socket.send(queue, ring, errors);
}

net::Path path_to(const UdpSocket& socket, const char* address) {
    return {std::nullopt, {*net::IpAddress::parse(address), socket.port()}};
}

Bytes numbered(std::size_t length, int number) {
    return Bytes(length, static_cast<std::byte>(number));
}

void append(net::TransmitQueue& queue, const net::Path& path, net::Ecn ecn, const Bytes& payload) {
    ASSERT_TRUE(queue.push({path, ecn, payload}));
}

struct Datagram {
    Bytes payload;
    net::SocketAddress from;
    net::SocketAddress local;
    net::Ecn ecn;
};

/// Reads until `count` datagrams came or nothing comes for a second.
std::vector<Datagram> read_datagrams(UdpSocket& socket, std::size_t count) {
    std::vector<Datagram> datagrams;
    ErrorBatch errors;
    ReceiveRing ring{8};
    while (datagrams.size() < count) {
        pollfd polled{socket.fd(), POLLIN, 0};
        if (::poll(&polled, 1, 1000) <= 0) {
            break;
        }
        for (const auto& message : socket.receive(ring, errors)) {
            for (std::size_t offset = 0; offset < message.bytes.size(); offset += message.stride) {
                const auto segment =
                    message.bytes.subspan(offset, std::min(message.stride, message.bytes.size() - offset));
                datagrams.push_back({to_bytes(segment), message.from, {*message.local, socket.port()}, message.ecn});
            }
        }
    }
    EXPECT_TRUE(errors.empty());
    return datagrams;
}

struct Parameters {
    const char* address;
    bool sender_offload;
    bool receiver_offload;
};

class UdpSocketTest : public testing::TestWithParam<Parameters> {};

TEST_P(UdpSocketTest, DeliversTrainsInOrderWithSourceLocalAddressAndEcn) {
    auto sender = open_loopback(GetParam().address, GetParam().sender_offload);
    auto receiver = open_loopback(GetParam().address, GetParam().receiver_offload);
    const auto path = path_to(receiver, GetParam().address);
    net::TransmitQueue queue;
    for (int i = 0; i < 100; ++i) {
        append(queue, path, net::Ecn::kEct0, numbered(1312, i));
    }
    append(queue, path, net::Ecn::kEct0, numbered(700, 100));
    append(queue, path, net::Ecn::kNotEct, numbered(48, 101));

    ErrorBatch errors;
    ASSERT_EQ(send(sender, queue, errors), UdpSocket::SendResult::kDone);

    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(errors.empty());
    const auto datagrams = read_datagrams(receiver, 102);
    ASSERT_EQ(datagrams.size(), 102U);
    for (std::size_t i = 0; i < 102; ++i) {
        const auto length = i < 100 ? 1312U : i == 100 ? 700U : 48U;
        EXPECT_EQ(datagrams[i].payload, numbered(length, static_cast<int>(i)));
        EXPECT_EQ(datagrams[i].from.port, sender.port());
        EXPECT_EQ(datagrams[i].local, path.destination);
        EXPECT_EQ(datagrams[i].ecn, i == 101 ? net::Ecn::kNotEct : net::Ecn::kEct0);
    }
    EXPECT_EQ(sender.sent().datagrams, 102U);
    EXPECT_EQ(sender.sent().bytes, 100U * 1312 + 700 + 48);
}

INSTANTIATE_TEST_SUITE_P(All, UdpSocketTest,
                         testing::Values(Parameters{"127.0.0.1", true, true}, Parameters{"127.0.0.1", false, true},
                                         Parameters{"127.0.0.1", true, false}, Parameters{"127.0.0.1", false, false},
                                         Parameters{"::1", true, true}, Parameters{"::1", false, false}));

TEST(UdpSocket, SendsFromTheChosenSourceAddress) {
    auto sender = UdpSocket::open({.bind = {*net::IpAddress::parse("0.0.0.0"), 0}});
    ASSERT_TRUE(sender);
    auto receiver = open_loopback("127.0.0.1");
    auto path = path_to(receiver, "127.0.0.1");
    path.source = net::IpAddress::parse("127.0.0.77");
    net::TransmitQueue queue;
    append(queue, path, net::Ecn::kNotEct, numbered(10, 1));

    ErrorBatch errors;
    static_cast<void>(send(*sender, queue, errors));

    const auto datagrams = read_datagrams(receiver, 1);
    ASSERT_EQ(datagrams.size(), 1U);
    EXPECT_EQ(datagrams[0].from.ip, *net::IpAddress::parse("127.0.0.77"));
}

TEST(UdpSocket, LeavesBatchesOfTheOtherFamilyInTheQueue) {
    auto sender = open_loopback("127.0.0.1");
    auto receiver = open_loopback("127.0.0.1");
    net::TransmitQueue queue;
    append(queue, path_to(receiver, "127.0.0.1"), net::Ecn::kNotEct, numbered(10, 1));
    append(queue, path_to(receiver, "::1"), net::Ecn::kNotEct, numbered(10, 2));

    ErrorBatch errors;
    EXPECT_EQ(send(sender, queue, errors), UdpSocket::SendResult::kDone);

    EXPECT_EQ(queue.size(), 1U);
    EXPECT_EQ(read_datagrams(receiver, 1).size(), 1U);
}

TEST(UdpSocket, AFailedBatchDoesNotTakeTheOthersWithIt) {
    auto sender = open_loopback("127.0.0.1");
    auto receiver = open_loopback("127.0.0.1");
    const auto path = path_to(receiver, "127.0.0.1");
    net::TransmitQueue queue;
    append(queue, path, net::Ecn::kNotEct, numbered(10, 1));
    // Bound to loopback, the socket cannot send there.
    append(queue, {std::nullopt, *net::SocketAddress::parse("203.0.113.9:9")}, net::Ecn::kNotEct, numbered(10, 2));
    append(queue, path, net::Ecn::kNotEct, numbered(10, 3));

    ErrorBatch errors;
    EXPECT_EQ(send(sender, queue, errors), UdpSocket::SendResult::kDone);

    ASSERT_EQ(errors.entries().size(), 1U);
    EXPECT_EQ(errors.entries()[0].error.operation, Operation::kUdpSend);
    const auto datagrams = read_datagrams(receiver, 2);
    ASSERT_EQ(datagrams.size(), 2U);
    EXPECT_EQ(datagrams[1].payload, numbered(10, 3));
}

TEST(UdpSocket, ATrainThatTheKernelRefusesCostsOthersNoOffload) {
    auto sender = UdpSocket::open({.bind = {*net::IpAddress::parse("0.0.0.0"), 0}});
    ASSERT_TRUE(sender);
    ASSERT_TRUE(sender->is_gso_enabled());
    auto receiver = open_loopback("127.0.0.1");
    const auto path = path_to(receiver, "127.0.0.1");
    // To port 0, which a peer can name as well as any.
    const net::Path refused{std::nullopt, *net::SocketAddress::parse("127.0.0.1:0")};
    net::TransmitQueue queue;
    for (int i = 0; i < 3; ++i) {
        append(queue, refused, net::Ecn::kNotEct, numbered(100, i));
    }
    for (int i = 10; i < 20; ++i) {
        append(queue, path, net::Ecn::kNotEct, numbered(100, i));
    }

    ErrorBatch errors;
    EXPECT_EQ(send(*sender, queue, errors), UdpSocket::SendResult::kDone);

    EXPECT_TRUE(queue.empty());
    ASSERT_EQ(errors.entries().size(), 1U);
    EXPECT_EQ(errors.entries()[0].error, (IoError{Operation::kUdpSend, EINVAL}));
    EXPECT_EQ(errors.entries()[0].count, 3U);
    EXPECT_TRUE(sender->is_gso_enabled());
    EXPECT_EQ(sender->sent().datagrams, 10U);
    const auto datagrams = read_datagrams(receiver, 10);
    ASSERT_EQ(datagrams.size(), 10U);
    EXPECT_EQ(datagrams[0].payload, numbered(100, 10));
}

TEST(UdpSocket, AnEmptyDatagramDoesNotTakeTheOthersWithIt) {
    auto sender = open_loopback("127.0.0.1");
    auto receiver = open_loopback("127.0.0.1");
    const auto path = path_to(receiver, "127.0.0.1");
    net::TransmitQueue queue;
    ErrorBatch errors;
    append(queue, path, net::Ecn::kNotEct, numbered(10, 1));
    ASSERT_EQ(send(sender, queue, errors), UdpSocket::SendResult::kDone);
    sockaddr_storage destination{};
    const auto length = to_sockaddr(path.destination, destination);
    ASSERT_EQ(::sendto(sender.fd(), nullptr, 0, 0, reinterpret_cast<const sockaddr*>(&destination), length), 0);
    append(queue, path, net::Ecn::kNotEct, numbered(10, 3));
    ASSERT_EQ(send(sender, queue, errors), UdpSocket::SendResult::kDone);

    const auto datagrams = read_datagrams(receiver, 2);

    ASSERT_EQ(datagrams.size(), 2U);
    EXPECT_EQ(datagrams[1].payload, numbered(10, 3));
}

TEST(UdpSocket, SaysThatAPortIsTaken) {
    const auto first = open_loopback("127.0.0.1");
    const auto second = UdpSocket::open({.bind = {*net::IpAddress::parse("127.0.0.1"), first.port()}});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), std::errc::address_in_use);
}

TEST(UdpSocket, ReceivesNothingFromAnEmptySocket) {
    auto socket = open_loopback("127.0.0.1");
    ReceiveRing ring{8};
    ErrorBatch errors;
    EXPECT_TRUE(socket.receive(ring, errors).empty());
    EXPECT_TRUE(errors.empty());
}

}  // namespace
}  // namespace culvert::io
