// What needs a network of its own: each test runs in a thread with a fresh network namespace, so that nothing reaches
// the host's. Requires root, like the products.

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include <gtest/gtest.h>

#include "culvert/io/constants.h"
#include "culvert/io/file_descriptor.h"
#include "culvert/io/network_test_support.h"
#include "culvert/io/socket_address.h"
#include "culvert/io/tun_device.h"
#include "culvert/io/tun_interface.h"
#include "culvert/io/udp_socket.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::io {
namespace {

const auto kTunV4 = *net::IpAddress::parse("100.64.0.1");
const auto kTunV6 = *net::IpAddress::parse("fd00:2021:1111::1");

TunDevice open_tun(bool use_offload = true) {
    auto device = TunDevice::open({.name = kTunName, .use_offload = use_offload});
    EXPECT_TRUE(device) << device.error();
    return std::move(*device);
}

TunInterface attach(const TunDevice& device) {
    auto interface = TunInterface::attach(device.name(), device.has_tcp_offload());
    EXPECT_TRUE(interface) << interface.error();
    return std::move(*interface);
}

std::vector<net::IpNetwork> destinations(Netlink& netlink, net::Family family, std::uint32_t table) {
    std::vector<net::IpNetwork> found;
    const auto routes = netlink.routes(family, table);
    EXPECT_TRUE(routes);
    for (const auto& route : *routes) {
        found.push_back(route.destination);
    }
    std::sort(found.begin(), found.end());
    return found;
}

TEST(TunInterface, SetsAddressesAndRoutesAndTheirTables) {
    in_new_network([] {
        const auto device = open_tun();
        auto interface = attach(device);
        const auto result = interface.set_addresses(kTunV4, kTunV6);
        ASSERT_TRUE(result) << result.error();
        interface.set_routes({*net::IpNetwork::parse("10.20.0.0/24"), *net::IpNetwork::parse("100.64.0.0/11"),
                              *net::IpNetwork::parse("fd10:20::/64"), *net::IpNetwork::parse("0.0.0.0/0")});

        auto netlink = *Netlink::open();
        EXPECT_EQ(destinations(netlink, net::Family::kIpv4, kRouteTable),
                  (std::vector{*net::IpNetwork::parse("10.20.0.0/24"), *net::IpNetwork::parse("100.64.0.0/11")}));
        EXPECT_EQ(destinations(netlink, net::Family::kIpv6, kRouteTable),
                  (std::vector{*net::IpNetwork::parse("fd10:20::/64")}));
        EXPECT_EQ(destinations(netlink, net::Family::kIpv4, kInternetTable),
                  (std::vector{*net::IpNetwork::parse("0.0.0.0/0")}));

        interface.set_routes({*net::IpNetwork::parse("10.21.0.0/24")});
        EXPECT_EQ(destinations(netlink, net::Family::kIpv4, kRouteTable),
                  (std::vector{*net::IpNetwork::parse("10.21.0.0/24")}));
        EXPECT_TRUE(destinations(netlink, net::Family::kIpv4, kInternetTable).empty());
    });
}

TEST(TunInterface, ReplacesAddressesAndKeepsRoutes) {
    in_new_network([] {
        const auto device = open_tun();
        auto interface = attach(device);
        ASSERT_TRUE(interface.set_addresses(kTunV4, kTunV6));
        interface.set_routes({*net::IpNetwork::parse("10.20.0.0/24")});
        const auto other = *net::IpAddress::parse("100.64.0.9");
        ASSERT_TRUE(interface.set_addresses(other, kTunV6));

        auto netlink = *Netlink::open();
        const auto addresses = *netlink.addresses(*netlink.interface_index(kTunName));
        EXPECT_EQ(addresses, (std::vector<InterfaceAddress>{{other, 32}, {kTunV6, 128}}));
        EXPECT_EQ(destinations(netlink, net::Family::kIpv4, kRouteTable).size(), 1U);
    });
}

TEST(TunInterface, LeavesAddressesAloneThatStay) {
    in_new_network([] {
        const auto device = open_tun();
        auto interface = attach(device);
        ASSERT_TRUE(interface.set_addresses(kTunV4, kTunV6));
        // The kernel drops such a route together with its source address.
        auto netlink = *Netlink::open();
        const Route witness{.destination = *net::IpNetwork::parse("10.99.0.0/24"),
                            .table = RT_TABLE_MAIN,
                            .interface_index = *netlink.interface_index(kTunName),
                            .scope = RT_SCOPE_LINK,
                            .preferred_source = kTunV4};
        ASSERT_FALSE(netlink.add_route(witness));

        ASSERT_TRUE(interface.set_addresses(kTunV4, kTunV6));
        EXPECT_EQ(destinations(netlink, net::Family::kIpv4, RT_TABLE_MAIN).size(), 1U);

        ASSERT_TRUE(interface.set_addresses(*net::IpAddress::parse("100.64.0.9"), kTunV6));
        EXPECT_TRUE(destinations(netlink, net::Family::kIpv4, RT_TABLE_MAIN).empty());
    });
}

TEST(TunInterface, MarkedTrafficStaysOutOfTheTunnel) {
    in_new_network([] {
        const auto device = open_tun();
        auto interface = attach(device);
        ASSERT_TRUE(interface.set_addresses(kTunV4, kTunV6));
        interface.set_routes({*net::IpNetwork::parse("10.20.0.0/24")});

        const FileDescriptor socket{::socket(AF_INET, SOCK_DGRAM, 0)};
        sockaddr_storage address{};
        const auto length = to_sockaddr(*net::SocketAddress::parse("10.20.0.1:9"), address);
        EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length), 0);

        const FileDescriptor marked{::socket(AF_INET, SOCK_DGRAM, 0)};
        ASSERT_EQ(::setsockopt(marked.get(), SOL_SOCKET, SO_MARK, &kSocketMark, sizeof kSocketMark), 0);
        EXPECT_NE(::connect(marked.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    });
}

TEST(TunInterface, FlushesWhatAPredecessorLeft) {
    in_new_network([] {
        const auto device = open_tun();
        auto first = attach(device);
        ASSERT_TRUE(first.set_addresses(kTunV4, kTunV6));
        first.set_routes({*net::IpNetwork::parse("10.20.0.0/24")});

        const auto second = attach(device);

        auto netlink = *Netlink::open();
        EXPECT_TRUE(destinations(netlink, net::Family::kIpv4, kRouteTable).empty());
    });
}

TEST(TunInterface, SaysWhichInterfaceIsMissing) {
    in_new_network([] {
        const auto interface = TunInterface::attach("no-such-tun", true);
        ASSERT_FALSE(interface);
        EXPECT_NE(interface.error().find("no-such-tun"), std::string::npos);
    });
}

TEST(TunDevice, ASecondOwnerIsRefusedWithAHint) {
    in_new_network([] {
        const auto device = open_tun();
        const auto second = TunDevice::open({.name = kTunName});
        ASSERT_FALSE(second);
        EXPECT_NE(second.error().find("Another process"), std::string::npos) << second.error();
    });
}

TEST(TunDevice, RefusesAnImpossibleName) {
    const auto device = TunDevice::open({.name = "a-name-longer-than-the-kernel-takes"});
    ASSERT_FALSE(device);
    EXPECT_NE(device.error().find("name"), std::string::npos);
}

/// Sends one UDP datagram into the tunnel and gives back what comes out of the device.
Bytes send_and_read(TunDevice& device, const net::SocketAddress& to, std::string_view payload) {
    const FileDescriptor socket{::socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM, 0)};
    sockaddr_storage address{};
    const auto length = to_sockaddr(to, address);
    EXPECT_EQ(::sendto(socket.get(), payload.data(), payload.size(), 0, reinterpret_cast<sockaddr*>(&address), length),
              static_cast<ssize_t>(payload.size()));
    ErrorBatch errors;
    for (int i = 0; i < 50; ++i) {
        pollfd polled{device.fd(), POLLIN, 0};
        ::poll(&polled, 1, 100);
        while (auto packet = device.read(errors)) {
            packet::Segmenter segments{*packet};
            while (const auto segment = segments.next()) {
                const auto parsed = packet::IpPacket::parse(*segment);
                if (parsed && parsed->is_udp() && parsed->destination_port() == to.port) {
                    return to_bytes(*segment);
                }
            }
        }
    }
    return {};
}

TEST(TunDevice, ReadsPacketsWithCompleteChecksums) {
    for (const bool use_offload : {true, false}) {
        in_new_network([&] {
            auto device = open_tun(use_offload);
            auto interface = attach(device);
            ASSERT_TRUE(interface.set_addresses(kTunV4, kTunV6));
            interface.set_routes({*net::IpNetwork::parse("10.20.0.0/24"), *net::IpNetwork::parse("fd10:20::/64")});

            for (const auto* to : {"10.20.0.1:5353", "[fd10:20::1]:5353"}) {
                const auto packet = send_and_read(device, *net::SocketAddress::parse(to), "hello");
                ASSERT_FALSE(packet.empty()) << to;
                EXPECT_EQ(as_text(ByteSpan{packet}.last(5)), "hello");
            }
        });
    }
}

TEST(TunDevice, NoticesThatItWasRemoved) {
    in_new_network([] {
        auto device = open_tun();
        ErrorBatch errors;
        EXPECT_FALSE(device.read(errors));
        EXPECT_FALSE(device.is_gone());

        ASSERT_EQ(std::system((std::string{"ip link delete "} + kTunName).c_str()), 0);

        EXPECT_FALSE(device.read(errors));
        EXPECT_TRUE(device.is_gone());
        EXPECT_TRUE(errors.empty());
    });
}

TEST(TunDevice, WritesPacketsThatTheKernelDelivers) {
    in_new_network([] {
        auto device = open_tun();
        auto interface = attach(device);
        ASSERT_TRUE(interface.set_addresses(kTunV4, kTunV6));
        interface.set_routes({*net::IpNetwork::parse("10.20.0.0/24")});
        const FileDescriptor socket{::socket(AF_INET, SOCK_DGRAM, 0)};
        sockaddr_storage address{};
        const auto length = to_sockaddr({kTunV4, 7777}, address);
        ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length), 0);

        packet::Coalescer packets;
        device.configure(packets);
        std::vector<Bytes> built;
        for (int i = 0; i < 20; ++i) {
            built.push_back(packet::make_udp(*net::SocketAddress::parse("10.20.0.1:53"), {kTunV4, 7777},
                                             Bytes(1000, static_cast<std::byte>(i))));
        }
        for (auto& packet : built) {
            ASSERT_TRUE(packets.push(MutableByteSpan{packet}));
        }
        ErrorBatch errors;
        device.write(packets, errors);

        EXPECT_TRUE(errors.empty());
        EXPECT_TRUE(packets.empty());
        std::array<std::byte, 2000> buffer;
        for (int i = 0; i < 20; ++i) {
            ASSERT_EQ(::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT), 1000);
            EXPECT_EQ(buffer[500], static_cast<std::byte>(i));
        }
    });
}

TEST(UdpSocket, IgnoresDatagramsFromPortZero) {
    in_new_network([] {
        auto netlink = *Netlink::open();
        ASSERT_FALSE(netlink.set_up(*netlink.interface_index("lo")));
        auto socket = UdpSocket::open({.bind = *net::SocketAddress::parse("127.0.0.1:7777")});
        ASSERT_TRUE(socket);
        const FileDescriptor raw{::socket(AF_INET, SOCK_RAW, IPPROTO_UDP)};
        ASSERT_TRUE(raw);
        sockaddr_storage address{};
        const auto length = to_sockaddr(*net::SocketAddress::parse("127.0.0.1:0"), address);
        for (const auto source : {std::uint16_t{0}, std::uint16_t{9}}) {
            std::array<std::byte, 9> datagram{};
            store_be(MutableByteSpan{datagram}, source);
            store_be(MutableByteSpan{datagram}.subspan(2), std::uint16_t{7777});
            store_be(MutableByteSpan{datagram}.subspan(4), std::uint16_t{datagram.size()});
            ASSERT_EQ(
                ::sendto(raw.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&address), length),
                static_cast<ssize_t>(datagram.size()));
        }

        ReceiveRing ring{8};
        ErrorBatch errors;
        const auto received = socket->receive(ring, errors);
        ASSERT_EQ(received.size(), 1U);
        EXPECT_EQ(received[0].from.port, 9);
    });
}

}  // namespace
}  // namespace culvert::io
