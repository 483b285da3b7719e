// What happens to a device while its host's network changes around it, with the real kernel.

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>

#include "culvert/io/constants.h"
#include "culvert/io/full_route.h"
#include "culvert/io/network_snapshot.h"
#include "culvert/io/network_test_support.h"
#include "culvert/io/network_watch.h"
#include "culvert/io/nftables.h"
#include "culvert/io/nftables_watch.h"
#include "culvert/io/pace.h"
#include "culvert/io/socket_address.h"
#include "culvert/io/tun_interface.h"

namespace culvert::io {
namespace {

void run(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

std::string output_of(const std::string& command) {
    std::string text;
    auto* pipe = ::popen((command + " 2>&1").c_str(), "r");
    std::array<char, 4096> buffer;
    while (const auto length = ::fread(buffer.data(), 1, buffer.size(), pipe)) {
        text.append(buffer.data(), length);
    }
    ::pclose(pipe);
    return text;
}

/// How the host would reach `address` from an application.
std::string way_to(const std::string& address) {
    return output_of("ip route get " + address);
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// A client's host: LAN with a default route, and a tunnel with the Internet resource.
struct ClientHost : TunnelHost {
    ClientHost() : TunnelHost{{"10.0.0.2/8", "fd10::2/48"}} {
        run("ip route add default via 10.0.0.1 dev lan0");
        run("ip -6 route add default via fd10::1 dev lan0");
        interface->set_routes({*net::IpNetwork::parse("0.0.0.0/0"), *net::IpNetwork::parse("::/0"),
                               *net::IpNetwork::parse("10.99.0.0/24")});
        interface->sync_link_scope_routes();
    }
};

// --- The local network beside a default route through the tunnel ---

TEST(LinkScopeRoutes, KeepTheLocalNetworkOutOfTheTunnel) {
    in_new_network([] {
        ClientHost host;
        EXPECT_TRUE(contains(way_to("10.5.5.5"), "dev lan0"));
        EXPECT_TRUE(contains(way_to("fd10::5"), "dev lan0"));
        EXPECT_TRUE(contains(way_to("192.0.2.1"), kTunName));
        EXPECT_TRUE(contains(way_to("2001:db8::1"), kTunName));
        EXPECT_TRUE(contains(way_to("10.99.0.1"), kTunName)) << "a resource beats the local network";
    });
}

TEST(LinkScopeRoutes, TakeNothingFromAResourceHoweverNarrowTheLocalNetworkIs) {
    in_new_network([] {
        ClientHost host;
        run("ip address add 10.99.0.2/25 dev lan0");  // IPv4: within a resource; IPv6: the same
        host.interface->set_routes({*net::IpNetwork::parse("0.0.0.0/0"), *net::IpNetwork::parse("10.99.0.0/24"),
                                    *net::IpNetwork::parse("fd10::/48")});
        host.interface->sync_link_scope_routes();
        EXPECT_TRUE(contains(way_to("10.99.0.5"), kTunName)) << way_to("10.99.0.5");
        EXPECT_TRUE(contains(way_to("fd10::5"), kTunName)) << way_to("fd10::5");
        EXPECT_TRUE(contains(way_to("10.99.0.5 mark " + std::to_string(kSocketMark)), "dev lan0")) << "our own sockets";
    });
}

TEST(LinkScopeRoutes, DoNotHideMoreSpecificRoutes) {
    in_new_network([] {
        ClientHost host;
        run("ip route add 10.1.0.0/16 via 10.0.0.5");
        run("ip route add blackhole 10.2.0.0/16");
        run("ip route add 10.3.0.0/16 nexthop via 10.0.0.6 nexthop via 10.0.0.7");
        run("ip -6 route add fd10:0:0:1::/64 via fd10::5");
        run("ip route add 192.0.2.0/24 via 10.0.0.5");
        host.interface->sync_link_scope_routes();
        EXPECT_TRUE(contains(way_to("10.1.2.3"), "via 10.0.0.5 dev lan0")) << way_to("10.1.2.3");
        EXPECT_FALSE(contains(way_to("10.2.2.3"), "dev")) << way_to("10.2.2.3");
        EXPECT_TRUE(contains(way_to("10.3.2.3"), "via 10.0.0.")) << way_to("10.3.2.3");
        EXPECT_TRUE(contains(way_to("fd10:0:0:1::3"), "via fd10::5 dev lan0")) << way_to("fd10:0:0:1::3");
        EXPECT_TRUE(contains(way_to("192.0.2.1"), kTunName)) << "that is not in the local network";
    });
}

TEST(LinkScopeRoutes, StayInStepWithTheMainTable) {
    in_new_network([] {
        ClientHost host;
        run("ip route add 10.1.0.0/16 via 10.0.0.5");
        host.interface->sync_link_scope_routes();
        run("ip route replace 10.1.0.0/16 via 10.0.0.8");
        host.interface->sync_link_scope_routes();
        EXPECT_TRUE(contains(way_to("10.1.2.3"), "via 10.0.0.8 dev lan0"));
        run("ip route delete 10.1.0.0/16");
        host.interface->sync_link_scope_routes();
        EXPECT_FALSE(contains(way_to("10.1.2.3"), "via"));
        run("ip address delete 10.0.0.2/8 dev lan0");
        run("ip address add 192.168.7.2/24 dev lan0");
        host.interface->sync_link_scope_routes();
        EXPECT_TRUE(contains(way_to("10.1.2.3"), kTunName));
        EXPECT_TRUE(contains(way_to("192.168.7.9"), "dev lan0"));
    });
}

TEST(LinkScopeRoutes, TakeNoDefaultRouteForALocalNetwork) {
    in_new_network([] {
        ClientHost host;
        // A modem's default route, and what makes a default route in two halves.
        run("ip route replace default dev lan0 scope link");
        run("ip route add 128.0.0.0/1 dev lan0 scope link");
        host.interface->sync_link_scope_routes();
        EXPECT_TRUE(contains(way_to("192.0.2.1"), kTunName)) << way_to("192.0.2.1");
        EXPECT_TRUE(contains(way_to("10.5.5.5"), "dev lan0"));
    });
}

// --- Coming, going, being disturbed ---

TEST(TunInterface, TakesRulesAndRoutesAwayAtTheEnd) {
    in_new_network([] {
        ClientHost host;
        const auto before = output_of("ip rule; ip -6 rule");
        EXPECT_TRUE(contains(before, "fwmark"));
        host.interface.reset();
        EXPECT_FALSE(contains(output_of("ip rule; ip -6 rule"), "fwmark"));
        auto netlink = *Netlink::open();
        for (const auto& [table, priority] : kRoutingTables) {
            EXPECT_TRUE(netlink.routes(net::Family::kIpv4, table)->empty()) << table;
            EXPECT_TRUE(netlink.routes(net::Family::kIpv6, table)->empty()) << table;
        }
    });
}

TEST(TunInterface, RemovesRulesThatAPredecessorLeft) {
    in_new_network([] {
        ClientHost host;
        run("ip route add blackhole 10.2.0.0/16");
        host.interface->sync_link_scope_routes();
        leave_behind(std::move(*host.interface));
        const auto second = TunInterface::attach(kTunName, false);
        EXPECT_FALSE(contains(output_of("ip rule; ip -6 rule"), "fwmark"));
        EXPECT_EQ(output_of("ip route show table " + std::to_string(kLinkScopeTable)), "");
    });
}

TEST(TunInterface, PutsBackWhatSomebodyElseRemoved) {
    in_new_network([] {
        ClientHost host;
        EXPECT_EQ(host.interface->repair(), false);
        for (const auto* damage :
             {"ip rule delete priority 100", "ip -6 rule delete priority 300", "ip route flush table 539098370",
              "ip route flush table 539098368", "ip address flush dev tun-firezone", "ip link set tun-firezone down"}) {
            run(damage);
            EXPECT_EQ(host.interface->repair(), true) << damage;
            EXPECT_TRUE(contains(way_to("192.0.2.1"), kTunName)) << damage;
            EXPECT_TRUE(contains(way_to("2001:db8::1"), kTunName)) << damage;
            EXPECT_TRUE(contains(way_to("10.99.0.1"), kTunName)) << damage;
            EXPECT_EQ(host.interface->repair(), false) << damage;
        }
    });
}

// --- Hearing of it ---

TEST(NetworkWatch, TellsWhatIsOursFromWhatIsTheHosts) {
    in_new_network([] {
        ClientHost host;
        auto watch = *NetworkWatch::open(host.interface->index());
        EXPECT_FALSE(watch.take().host);

        run("ip address add 192.168.7.2/24 dev lan0");
        auto changes = watch.take();
        EXPECT_TRUE(changes.host);
        EXPECT_FALSE(changes.ours);

        run("ip route replace default via 10.0.0.9 dev lan0");
        EXPECT_TRUE(watch.take().host);
        run("ip route add 10.1.0.0/16 via 10.0.0.5");
        changes = watch.take();
        EXPECT_FALSE(changes.host);
        EXPECT_TRUE(changes.routes);

        run("ip rule delete priority 100");
        changes = watch.take();
        EXPECT_FALSE(changes.host);
        EXPECT_TRUE(changes.ours);

        ASSERT_TRUE(host.interface->repair().value());
        changes = watch.take();
        EXPECT_FALSE(changes.host) << "what we do ourselves is no news";
        EXPECT_FALSE(changes.ours);

        for (const auto* damage :
             {"ip route flush table 539098370", "ip address flush dev tun-firezone", "ip link set tun-firezone down",
              "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.ip_forward=0",
              "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=0"}) {
            run(damage);
            EXPECT_TRUE(watch.take().ours) << damage;
        }
    });
}

TEST(NftablesWatch, HearsOfItsTableOnly) {
    in_new_network([] {
        ASSERT_TRUE(run_nft("add table inet ours\nadd table inet other\n"));
        auto watch = *NftablesWatch::open("ours");
        ASSERT_TRUE(run_nft("add chain inet other c\nadd rule inet other c accept\n"));
        EXPECT_FALSE(watch.take());
        ASSERT_TRUE(run_nft("add chain inet ours c\n"));
        EXPECT_TRUE(watch.take());
        EXPECT_FALSE(watch.take());
        ASSERT_TRUE(run_nft("flush ruleset\n"));
        EXPECT_TRUE(watch.take());
    });
}

TEST(Pace, IsFastOnceAndSlowInAQuarrel) {
    Pace pace;
    Instant now{std::chrono::hours{1}};
    EXPECT_EQ(pace.delay(now), Duration{});
    int repairs = 0;
    for (const auto end = now + std::chrono::minutes{10}; now < end; now += std::chrono::milliseconds{50}) {
        if (pace.delay(now) == Duration{}) {
            pace.done(now);
            ++repairs;
        }
    }
    EXPECT_LT(repairs, 40) << "somebody takes it away again at once, for ten minutes";
    EXPECT_GT(repairs, 10) << "and we do not give up";
    now += std::chrono::minutes{3};
    pace.done(now);
    EXPECT_LT(pace.delay(now), std::chrono::seconds{1}) << "forgotten";
}

// --- What matters of a network ---

NetworkSnapshot snapshot(ClientHost& host) {
    auto netlink = *Netlink::open();
    auto taken = take_snapshot(netlink, host.interface->index());
    EXPECT_TRUE(taken);
    return std::move(*taken);
}

TEST(NetworkSnapshot, ChangesWithAddressesAndDefaultRoutes) {
    in_new_network([] {
        ClientHost host;
        auto last = snapshot(host);
        EXPECT_EQ(last.addresses.size(), 2U);
        for (const auto* change :
             {"ip address add 192.168.7.2/24 dev lan0", "ip address delete 192.168.7.2/24 dev lan0",
              "ip route replace default via 10.0.0.9 dev lan0", "ip -6 route delete default",
              "ip -6 route add default via fd10::1 dev lan0 table 77", "ip link set lan0 down",
              "ip link set lan0 up; ip route add default via 10.0.0.1 dev lan0"}) {
            run(change);
            const auto next = snapshot(host);
            EXPECT_FALSE(next == last) << change;
            last = next;
        }
    });
}

TEST(NetworkSnapshot, IgnoresWhatConnectionsDoNotNotice) {
    in_new_network([] {
        ClientHost host;
        const auto before = snapshot(host);
        for (const auto* change : {
                 "ip link add docker0 type bridge; ip link set docker0 up; ip address add 172.17.0.1/16 dev docker0",
                 "ip link add veth0 type veth peer name veth1; ip link set veth0 up; ip link set veth1 up",
                 "ip route add 10.1.0.0/16 via 10.0.0.5",
                 "ip -6 address change fd10::2/48 dev lan0 valid_lft 3000 preferred_lft 2000",
                 "ip address add 100.64.0.9/32 dev tun-firezone",
                 "ip -6 address add fe80::77/64 dev lan0",
                 "ip link set lan0 txqueuelen 77",
             }) {
            run(change);
            EXPECT_TRUE(snapshot(host) == before) << change;
        }
    });
}

TEST(NetworkSnapshot, CountsEveryNetworkWhereNoneLeadsOut) {
    in_new_network([] {
        ClientHost host;
        run("ip route delete default; ip -6 route delete default");
        EXPECT_EQ(snapshot(host).addresses.size(), 2U);
        run("ip link set lan0 down");
        EXPECT_TRUE(snapshot(host).empty());
    });
}

}  // namespace
}  // namespace culvert::io
