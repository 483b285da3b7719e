// What a gateway makes of its host, with the real kernel between cables whose other ends the tests hold.

#include "culvert/io/gateway_host.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "culvert/io/constants.h"
#include "culvert/io/forwarding_rules.h"
#include "culvert/io/network_test_support.h"
#include "culvert/io/nftables.h"
#include "culvert/io/socket_address.h"
#include "culvert/observability/log_capture.h"
#include "culvert/packet/builder.h"

namespace culvert::io {
namespace {

constexpr Rate kOpenings{.per_second = 500, .burst = 2048};
const auto kClientV4 = *net::SocketAddress::parse("100.64.0.7:4000");
const auto kClientV6 = *net::SocketAddress::parse("[fd00:2021:1111::7]:4000");

/// A folder for the record of one test.
class Folder {
public:
    Folder() {
        std::string pattern = std::filesystem::temp_directory_path() / "culvert-record-XXXXXX";
        path_ = ::mkdtemp(pattern.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

void set(const std::string& name, const std::string& value) {
    SysctlChanges changes{{{name, "", value}}};
    changes.apply();
    EXPECT_EQ(read_sysctl(name), value) << name;
}

/// A gateway's host between tunnel, LAN and a third network, not a router by itself.
struct Host : TunnelHost {
    Host() : TunnelHost{{"10.20.0.2/24", "fd10:20::2/64"}} {
        set("net/ipv4/ip_forward", "0");
        set("net/ipv6/conf/all/forwarding", "0");
        interface->set_routes(
            {*net::IpNetwork::parse("100.64.0.0/11"), *net::IpNetwork::parse("fd00:2021:1111::/107")});
    }

    void become_gateway() {
        auto made = GatewayHost::set_up({.tun_name = kTunName,
                                         .openings = kOpenings,
                                         .record_folder = folder.path(),
                                         .connections_per_address = connections_per_address});
        ASSERT_TRUE(made) << made.error();
        gateway.emplace(std::move(*made));
    }

    /// As a process that is killed: neither destructor nor anything else of it runs.
    void kill_gateway() {
        leave_behind(std::move(*gateway));
        gateway.reset();
    }

    Folder folder;
    std::optional<std::size_t> connections_per_address;
    Cable other{"other0", {"10.30.0.2/24", "fd10:30::2/64"}};
    std::optional<GatewayHost> gateway;
};

const Bytes kPayload(16, std::byte{7});

Bytes udp(const net::SocketAddress& from, const std::string& to) {
    return packet::make_udp(from, *net::SocketAddress::parse(to), kPayload);
}

Bytes udp(const std::string& from, const std::string& to) {
    return udp(*net::SocketAddress::parse(from), to);
}

bool is_udp(const packet::IpPacket& packet) {
    return packet.is_udp();
}

/// A server of the host.
FileDescriptor listen(const std::string& text) {
    const auto at = *net::SocketAddress::parse(text);
    FileDescriptor socket{::socket(at.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM, 0)};
    if (!at.is_v4()) {
        const int on = 1;
        EXPECT_EQ(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    }
    sockaddr_storage address{};
    const auto length = to_sockaddr(at, address);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    return socket;
}

bool has_received(const FileDescriptor& socket) {
    std::array<char, 100> buffer;
    return ::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0;
}

// --- What leaves the tunnel ---

TEST(GatewayHost, MasqueradesWhatLeavesTheTunnelAndLetsAnswersIn) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        for (const auto& [client, server, masqueraded] :
             {std::tuple{kClientV4, "10.20.0.10:80", "10.20.0.2"}, {kClientV6, "[fd10:20::10]:80", "fd10:20::2"}}) {
            host.tunnel.send(udp(client, server));
            auto seen = host.lan.receive(is_udp);
            ASSERT_TRUE(seen) << server;
            const auto out = *packet::IpPacket::parse(*seen);
            EXPECT_EQ(out.source(), *net::IpAddress::parse(masqueraded));

            host.lan.send(
                packet::make_udp(*net::SocketAddress::parse(server), {out.source(), out.source_port()}, kPayload));
            auto answer = host.tunnel.receive(is_udp);
            ASSERT_TRUE(answer) << server;
            EXPECT_EQ(packet::IpPacket::parse(*answer)->destination(), client.ip);
        }
    });
}

TEST(GatewayHost, LetsNobodyIntoTheTunnelUnasked) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        host.lan.send(udp("10.20.0.10:80", "100.64.0.7:4000"));
        host.lan.send(udp("[fd10:20::10]:80", "[fd00:2021:1111::7]:4000"));
        EXPECT_FALSE(host.tunnel.receive(is_udp));
    });
}

TEST(GatewayHost, DoesNotCarryPacketsFromClientToClient) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        host.tunnel.send(udp(kClientV4, "100.64.0.8:80"));
        host.tunnel.send(udp(kClientV6, "[fd00:2021:1111::8]:80"));
        EXPECT_FALSE(host.tunnel.receive(is_udp));
    });
}

TEST(GatewayHost, DropsSourcesThatAreNotOfTheTunnel) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        set("net/ipv4/conf/all/rp_filter", "0");
        set("net/ipv4/conf/tun-firezone/rp_filter", "0");
        host.tunnel.send(udp("10.30.0.9:4000", "10.20.0.10:80"));
        host.tunnel.send(udp("[fd10:30::9]:4000", "[fd10:20::10]:80"));
        EXPECT_FALSE(host.lan.receive(is_udp));
    });
}

TEST(GatewayHost, MasqueradesNobodyWhoBorrowsAnAddressOfTheTunnel) {
    in_new_network([] {
        Host host;
        set("net/ipv4/ip_forward", "1");  // a router, which forwards between its networks
        set("net/ipv4/conf/all/rp_filter", "0");
        set("net/ipv4/conf/other0/rp_filter", "0");
        host.become_gateway();
        host.other.send(udp("100.64.0.9:4000", "10.20.0.10:80"));
        auto seen = host.lan.receive(is_udp);
        ASSERT_TRUE(seen);
        EXPECT_EQ(packet::IpPacket::parse(*seen)->source(), *net::IpAddress::parse("100.64.0.9"));
    });
}

// --- The host itself ---

TEST(GatewayHost, AnswersPingsFromTheTunnel) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        for (const auto& [client, gateway] : {std::pair{kClientV4, kTunV4}, {kClientV6, kTunV6}}) {
            host.tunnel.send(packet::make_icmp_echo_request(client.ip, gateway, 1, 1, kPayload));
            EXPECT_TRUE(host.tunnel.receive([&](const auto& packet) { return packet.destination() == client.ip; }));
        }
    });
}

TEST(GatewayHost, HidesItsServicesFromTheTunnel) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        const auto v4 = listen("0.0.0.0:22");
        const auto v6 = listen("[::]:22");
        host.tunnel.send(udp(kClientV4, "100.64.0.1:22"));
        host.tunnel.send(udp(kClientV6, "[fd00:2021:1111::1]:22"));
        EXPECT_FALSE(has_received(v4));
        EXPECT_FALSE(has_received(v6));

        // A resource covers it, or the packet would not have come to the kernel.
        host.tunnel.send(udp(kClientV4, "10.20.0.2:22"));
        EXPECT_TRUE(has_received(v4));
    });
}

TEST(GatewayHost, HidesPortsThatItPublishesElsewhereFromTheTunnel) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        // As container engines do it.
        ASSERT_TRUE(
            run_nft("table ip published {\n chain prerouting {\n"
                    "type nat hook prerouting priority dstnat;\n"
                    "fib daddr type local udp dport 8080 dnat to 10.20.0.10:80\n }\n }\n"));
        host.tunnel.send(udp(kClientV4, "100.64.0.1:8080"));
        EXPECT_FALSE(host.lan.receive(is_udp));
    });
}

TEST(GatewayHost, HidesItsTunnelAddressFromOtherNetworks) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        const auto v4 = listen("0.0.0.0:53535");
        const auto v6 = listen("[::]:53535");
        host.lan.send(udp("10.20.0.10:80", "100.64.0.1:53535"));
        host.lan.send(udp("[fd10:20::10]:80", "[fd00:2021:1111::1]:53535"));
        EXPECT_FALSE(has_received(v4));
        EXPECT_FALSE(has_received(v6));

        host.lan.send(udp("10.20.0.10:80", "10.20.0.2:53535"));
        EXPECT_TRUE(has_received(v4));
    });
}

TEST(GatewayHost, GetsAnswersToItsOwnQuestionsFromTheTunnel) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        const auto socket = listen("100.64.0.1:5000");
        sockaddr_storage client{};
        const auto length = to_sockaddr(kClientV4, client);
        ASSERT_EQ(::sendto(socket.get(), "?", 1, 0, reinterpret_cast<sockaddr*>(&client), length), 1);
        EXPECT_TRUE(host.tunnel.receive(is_udp));
        host.tunnel.send(udp(kClientV4, "100.64.0.1:5000"));
        EXPECT_TRUE(has_received(socket));
    });
}

TEST(GatewayHost, LetsTheTunnelReachNothingThatNoRouterPassesOn) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        // Container engines and load balancers do this.
        set("net/ipv4/conf/all/route_localnet", "1");
        ASSERT_EQ(std::system("ip route add 169.254.169.254 dev lan0"), 0);
        const auto v4 = listen("0.0.0.0:9");
        const auto v6 = listen("[::]:9");
        for (const auto* to : {"127.0.0.1:9", "10.20.0.255:9", "255.255.255.255:9", "224.0.0.1:9", "0.0.0.0:9"}) {
            host.tunnel.send(udp(kClientV4, to));
            EXPECT_FALSE(has_received(v4)) << to;
        }
        for (const auto* to : {"[::1]:9", "[ff02::1]:9"}) {
            host.tunnel.send(udp(kClientV6, to));
            EXPECT_FALSE(has_received(v6)) << to;
        }
        host.tunnel.send(udp(kClientV4, "169.254.169.254:80"));
        EXPECT_FALSE(host.lan.receive(is_udp));
    });
}

// --- The kernel's table of connections ---

/// How many of ten connections that `client` opens get through.
int opened(Host& host, const net::SocketAddress& client) {
    const auto* server = client.is_v4() ? "10.20.0.10:" : "[fd10:20::10]:";
    int count = 0;
    for (int port = 1; port <= 10; ++port) {
        host.tunnel.send(udp(client, server + std::to_string(port)));
        count += host.lan.receive(is_udp) ? 1 : 0;
    }
    return count;
}

TEST(GatewayHost, GivesEachAddressItsShareOfTheConnections) {
    in_new_network([] {
        Host host;
        host.connections_per_address = 4;
        host.become_gateway();
        for (const auto& [first, second] :
             {std::pair{kClientV4, "100.64.0.8:4000"}, {kClientV6, "[fd00:2021:1111::8]:4000"}}) {
            EXPECT_EQ(opened(host, first), 4);
            EXPECT_EQ(opened(host, first), 4) << "these go on";
            EXPECT_EQ(opened(host, *net::SocketAddress::parse(second)), 4) << "others have their own";
        }
        EXPECT_TRUE(host.gateway->is_intact()) << "traffic is no damage";
        EXPECT_EQ(host.gateway->repair(), false);
    });
}

TEST(GatewayHost, CountsConnectionsToItsOwnMachine) {
    in_new_network([] {
        Host host;
        host.connections_per_address = 4;
        host.become_gateway();
        const auto socket = listen("10.20.0.2:5000");
        int received = 0;
        for (std::uint16_t port = 1; port <= 10; ++port) {
            host.tunnel.send(udp(net::SocketAddress{kClientV4.ip, port}, "10.20.0.2:5000"));
            received += has_received(socket) ? 1 : 0;
        }
        EXPECT_EQ(received, 4);
    });
}

TEST(ForwardingRules, AreTheSameHoweverManyAddressesAreCounted) {
    EXPECT_EQ(without_counts("set a {\n\t\tsize 65536 # count 3\n\t\tflags dynamic\n}\n"),
              "set a {\n\t\tsize 65536\n\t\tflags dynamic\n}\n");
    EXPECT_EQ(without_counts("size 65536\n"), "size 65536\n");
    EXPECT_EQ(without_counts(""), "");
}

TEST(GatewayHost, TakesTheShareFromWhatTheKernelTracks) {
    EXPECT_EQ(connections_per_address(32'768), 4096U);
    EXPECT_EQ(connections_per_address(262'144), 8192U);
    EXPECT_EQ(connections_per_address(1024), 2048U);
    in_new_network([] {
        Host host;
        host.become_gateway();
        const auto most = std::stoul(read_sysctl("net/netfilter/nf_conntrack_max").value());
        EXPECT_NE(run_nft("list table inet culvert_gateway\n")
                      ->find("ct count over " + std::to_string(connections_per_address(most)) + " "),
                  std::string::npos);
    });
}

TEST(GatewayHost, DoesWithoutCountingWhereTheKernelCannot) {
    in_new_network([] {
        std::vector<std::string> lines;
        const log::CaptureScope capture{log::Level::kInfo, [&](log::Level, std::string_view, std::string_view message,
                                                               const auto&) { lines.emplace_back(message); }};
        Host host;
        const auto without_counting = [](const std::string& commands) -> std::expected<std::string, std::string> {
            if (commands.find("ct count") != std::string::npos) {
                return std::unexpected{std::string{"No such file or directory"}};
            }
            return run_nft(commands);
        };
        auto made = GatewayHost::set_up({.tun_name = kTunName,
                                         .openings = kOpenings,
                                         .record_folder = host.folder.path(),
                                         .nft = without_counting});
        ASSERT_TRUE(made) << made.error();
        host.gateway.emplace(std::move(*made));
        EXPECT_EQ(opened(host, kClientV4), 10);
        ASSERT_EQ(lines.size(), 1U);
        EXPECT_NE(lines.front().find("cannot count connections"), std::string::npos);
        ASSERT_TRUE(run_nft("flush ruleset\n"));
        EXPECT_EQ(host.gateway->repair(), true);
        EXPECT_EQ(opened(host, kClientV4), 10);
    });
}

// --- Other networks ---

TEST(GatewayHost, DoesNotBecomeARouterBetweenOtherNetworks) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        ASSERT_EQ(read_sysctl("net/ipv4/ip_forward"), "1");
        host.lan.send(udp("10.20.0.10:80", "10.30.0.10:80"));
        host.lan.send(udp("[fd10:20::10]:80", "[fd10:30::10]:80"));
        EXPECT_FALSE(host.other.receive(is_udp));
    });
}

TEST(GatewayHost, StaysTheRouterThatItWas) {
    in_new_network([] {
        Host host;
        set("net/ipv4/ip_forward", "1");
        set("net/ipv6/conf/all/forwarding", "1");
        host.become_gateway();
        host.lan.send(udp("10.20.0.10:80", "10.30.0.10:80"));
        EXPECT_TRUE(host.other.receive(is_udp));
        host.lan.send(udp("[fd10:20::10]:80", "[fd10:30::10]:80"));
        EXPECT_TRUE(host.other.receive(is_udp));
        host.gateway.reset();
        EXPECT_EQ(read_sysctl("net/ipv4/ip_forward"), "1");
        EXPECT_EQ(read_sysctl("net/ipv6/conf/all/forwarding"), "1");
    });
}

TEST(GatewayHost, StaysTheRouterOnSingleInterfacesThatItWas) {
    in_new_network([] {
        Host host;
        set("net/ipv4/conf/lan0/forwarding", "1");
        host.become_gateway();
        host.lan.send(udp("10.20.0.10:80", "10.30.0.10:80"));
        EXPECT_TRUE(host.other.receive(is_udp));
        host.other.send(udp("10.30.0.10:81", "10.20.0.10:81"));
        EXPECT_FALSE(host.lan.receive(is_udp));
        host.gateway.reset();
        EXPECT_EQ(read_sysctl("net/ipv4/conf/lan0/forwarding"), "1");
        EXPECT_EQ(read_sysctl("net/ipv4/conf/other0/forwarding"), "0");
    });
}

// --- Coming and going ---

/// Everything that a gateway may change, as text.
std::string settings() {
    std::string text;
    for (const auto* name :
         {"net/ipv4/ip_forward", "net/ipv4/conf/all/src_valid_mark", "net/ipv4/conf/all/accept_redirects",
          "net/ipv4/conf/default/forwarding", "net/ipv4/conf/lan0/forwarding", "net/ipv4/conf/other0/forwarding",
          "net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding", "net/ipv6/conf/lan0/forwarding",
          "net/ipv6/conf/lan0/accept_ra", "net/ipv6/conf/default/accept_ra", "net/ipv6/conf/all/disable_ipv6",
          "net/ipv6/conf/lan0/disable_ipv6", "net/ipv6/conf/default/disable_ipv6"}) {
        text += std::string{name} + '=' + read_sysctl(name).value_or("none") + '\n';
    }
    return text;
}

TEST(GatewayHost, PutsTheHostBackAtTheEnd) {
    in_new_network([] {
        Host host;
        set("net/ipv4/conf/all/accept_redirects", "0");
        set("net/ipv6/conf/lan0/accept_ra", "1");
        const auto before = settings();
        host.become_gateway();
        EXPECT_NE(settings(), before);
        host.gateway.reset();
        EXPECT_EQ(settings(), before);
        EXPECT_EQ(*run_nft("list tables\n"), "");
    });
}

TEST(GatewayHost, PutsTheHostBackAfterItsPredecessorWasKilled) {
    in_new_network([] {
        Host host;
        const auto before = settings();
        host.become_gateway();
        host.kill_gateway();
        host.become_gateway();
        host.lan.send(udp("10.20.0.10:80", "10.30.0.10:80"));
        EXPECT_FALSE(host.other.receive(is_udp)) << "what the predecessor switched on does not make a router";
        host.gateway.reset();
        EXPECT_EQ(settings(), before);
    });
}

TEST(GatewayHost, RemembersThroughAFlushOfTheFirewall) {
    in_new_network([] {
        Host host;
        const auto before = settings();
        host.become_gateway();
        host.kill_gateway();
        ASSERT_TRUE(run_nft("flush ruleset\n"));
        host.become_gateway();
        host.gateway.reset();
        EXPECT_EQ(settings(), before);
    });
}

TEST(GatewayHost, RemembersWithoutAFile) {
    in_new_network([] {
        Host host;
        const auto before = settings();
        for (int i = 0; i < 2; ++i) {
            auto made =
                GatewayHost::set_up({.tun_name = kTunName, .openings = kOpenings, .record_folder = "/proc/read-only"});
            ASSERT_TRUE(made) << made.error();
            host.gateway.emplace(std::move(*made));
            host.kill_gateway();
        }
        host.become_gateway();
        host.gateway.reset();
        EXPECT_EQ(settings(), before);
    });
}

TEST(GatewayHost, BelievesNoRecordOfAnotherNetwork) {
    Folder folder;
    in_new_network([&] {
        Host host;
        auto made = GatewayHost::set_up({.tun_name = kTunName, .openings = kOpenings, .record_folder = folder.path()});
        ASSERT_TRUE(made);
        host.gateway.emplace(std::move(*made));
        host.kill_gateway();
    });
    in_new_network([&] {
        Host host;
        set("net/ipv4/ip_forward", "1");
        auto made = GatewayHost::set_up({.tun_name = kTunName, .openings = kOpenings, .record_folder = folder.path()});
        ASSERT_TRUE(made);
        EXPECT_EQ(read_sysctl("net/ipv4/ip_forward"), "1");
        host.lan.send(udp("10.20.0.10:80", "10.30.0.10:80"));
        EXPECT_TRUE(host.other.receive(is_udp)) << "this one is a router";
    });
}

TEST(GatewayHost, LeavesAloneWhatSomebodyElseHasChangedSince) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        set("net/ipv6/conf/all/forwarding", "0");
        set("net/ipv6/conf/lan0/accept_ra", "0");
        host.gateway.reset();
        EXPECT_EQ(read_sysctl("net/ipv6/conf/lan0/accept_ra"), "0");
    });
}

TEST(GatewayHost, DoesNotSwitchIpv6On) {
    in_new_network([] {
        set("net/ipv6/conf/all/disable_ipv6", "1");
        set("net/ipv6/conf/default/disable_ipv6", "1");
        Folder folder;
        const auto made =
            GatewayHost::set_up({.tun_name = kTunName, .openings = kOpenings, .record_folder = folder.path()});
        ASSERT_TRUE(made) << made.error();
        EXPECT_EQ(read_sysctl("net/ipv6/conf/all/disable_ipv6"), "1");
    });
}

bool has_default_route_v6() {
    auto netlink = *Netlink::open();
    const auto routes = netlink.routes(net::Family::kIpv6, RT_TABLE_MAIN);
    return std::ranges::any_of(*routes, [](const Route& route) { return route.destination.prefix() == 0; });
}

/// What a router on the LAN says every few minutes: "I am here for half an hour."
Bytes router_advertisement() {
    return packet::make_icmp(*net::IpAddress::parse("fe80::1"), *net::IpAddress::parse("ff02::1"), 134, 0,
                             64U << 24 | 1800U, Bytes(8), {.ttl = 255});
}

TEST(GatewayHost, KeepsTheDefaultRouteThatARouterAdvertised) {
    in_new_network([] {
        Host host;
        set("net/ipv6/conf/lan0/accept_ra", "1");
        host.lan.send(router_advertisement());
        ASSERT_TRUE(has_default_route_v6());

        host.become_gateway();
        EXPECT_TRUE(has_default_route_v6());
        ASSERT_EQ(std::system("ip -6 route flush default"), 0);
        host.lan.send(router_advertisement());
        EXPECT_TRUE(has_default_route_v6()) << "and goes on listening";

        host.gateway.reset();
        EXPECT_TRUE(has_default_route_v6());
        EXPECT_EQ(read_sysctl("net/ipv6/conf/lan0/accept_ra"), "1");
    });
}

TEST(GatewayHost, RefusesWhereNftablesIsOutOfReachAndChangesNothing) {
    in_new_network([] {
        Host host;
        const auto before = settings();
        // A name that nftables cannot take.
        EXPECT_FALSE(
            GatewayHost::set_up({.tun_name = "bad\"name", .openings = kOpenings, .record_folder = host.folder.path()}));
        EXPECT_EQ(settings(), before);
    });
}

TEST(GatewayHost, PutsBackWhatAFirewallReloadRemoved) {
    in_new_network([] {
        Host host;
        host.become_gateway();
        EXPECT_TRUE(host.gateway->is_intact());
        EXPECT_EQ(host.gateway->repair(), false);
        ASSERT_TRUE(run_nft("flush ruleset\n"));
        EXPECT_FALSE(host.gateway->is_intact());
        EXPECT_EQ(host.gateway->repair(), true);
        EXPECT_TRUE(host.gateway->is_intact());
        host.tunnel.send(udp(kClientV4, "10.20.0.10:80"));
        auto seen = host.lan.receive(is_udp);
        ASSERT_TRUE(seen);
        EXPECT_EQ(packet::IpPacket::parse(*seen)->source(), *net::IpAddress::parse("10.20.0.2"));

        ASSERT_TRUE(run_nft("flush chain inet culvert_gateway prerouting\n"));
        EXPECT_EQ(host.gateway->repair(), true);
        set("net/ipv4/ip_forward", "0");
        EXPECT_EQ(host.gateway->repair(), true);
        EXPECT_EQ(read_sysctl("net/ipv4/ip_forward"), "1");
    });
}

}  // namespace
}  // namespace culvert::io
