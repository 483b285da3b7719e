// Needs root, for networks of its own.

#include "culvert/session/host_watch.h"

#include <cstdlib>

#include <boost/asio/io_context.hpp>

#include "culvert/io/constants.h"
#include "culvert/io/network_test_support.h"
#include "culvert/io/nftables.h"
#include "culvert/io/tun_interface.h"

namespace culvert::session {
namespace {

using namespace std::chrono_literals;

void run(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

/// A host whose device counts what it is asked for.
struct WatchedHost {
    WatchedHost() {
        run("ip route add default via 10.20.0.1 dev lan0");
        watch.watch_network(tunnel.index(), true);
        watch.watch_nftables("ours");
    }

    void run_for(Duration duration) {
        loop.after(duration, [this] { loop.stop(); });
        loop.run();
        loop.context().restart();
    }

    int repairs = 0;
    int follows = 0;
    int network_changes = 0;
    std::function<std::expected<bool, std::string>()> on_repair = [] { return true; };

    io::Cable tunnel{io::kTunName, {"100.64.0.1/32"}};
    io::Cable lan{"lan0", {"10.20.0.2/24"}};
    ControlLoop loop;
    HostWatch watch{loop,
                    {.repair =
                         [this] {
                             ++repairs;
                             return on_repair();
                         },
                     .follow_routes = [this] { ++follows; },
                     .network_changed = [this](const auto&) { ++network_changes; }}};
};

TEST(HostWatch, RepairsWhatAFirewallReloadRemoves) {
    io::in_new_network([] {
        ASSERT_TRUE(io::run_nft("add table inet ours\n"));
        WatchedHost host;
        host.run_for(100ms);
        EXPECT_EQ(host.repairs, 0);
        ASSERT_TRUE(io::run_nft("flush ruleset\n"));
        host.run_for(100ms);
        EXPECT_EQ(host.repairs, 1);
    });
}

TEST(HostWatch, DoesNotQuarrelAtFullSpeed) {
    io::in_new_network([] {
        ASSERT_TRUE(io::run_nft("add table inet ours\n"));
        WatchedHost host;
        host.on_repair = [] {
            // Whoever removed it removes it again at once.
            EXPECT_TRUE(io::run_nft("add table inet ours\ndelete table inet ours\n"));
            return true;
        };
        ASSERT_TRUE(io::run_nft("delete table inet ours\n"));
        host.run_for(2s);
        EXPECT_GE(host.repairs, 2);
        EXPECT_LE(host.repairs, 5);
    });
}

TEST(HostWatch, TriesAgainIfItCannotRepair) {
    io::in_new_network([] {
        WatchedHost host;
        host.on_repair = [&]() -> std::expected<bool, std::string> {
            if (host.repairs == 1) {
                return std::unexpected{"busy"};
            }
            return false;
        };
        run("ip link set tun-firezone down");
        host.run_for(1s);
        EXPECT_EQ(host.repairs, 2);
    });
}

TEST(HostWatch, ReportsOneChangeOfNetworksOnce) {
    io::in_new_network([] {
        WatchedHost host;
        run("ip address add 10.20.0.3/24 dev lan0");
        host.run_for(200ms);
        EXPECT_EQ(host.network_changes, 0) << "not before it has settled";
        run("ip address delete 10.20.0.2/24 dev lan0; ip address add 10.21.0.2/24 dev lan0");
        run("ip route add default via 10.21.0.1 dev lan0");
        host.run_for(1s);
        EXPECT_EQ(host.network_changes, 1);
        EXPECT_EQ(host.follows, 1);
        EXPECT_EQ(host.repairs, 0);
    });
}

TEST(HostWatch, IsNotKeptBusyByANetworkThatNeverSettles) {
    io::in_new_network([] {
        WatchedHost host;
        for (int i = 0; i < 8; ++i) {
            run(i % 2 == 0 ? "ip address add 10.20.0.3/24 dev lan0" : "ip address delete 10.20.0.3/24 dev lan0");
            host.run_for(600ms);
        }
        EXPECT_GE(host.network_changes, 2);
        EXPECT_LE(host.network_changes, 5);
    });
}

TEST(HostWatch, IsNotDisturbedByNeighbours) {
    io::in_new_network([] {
        WatchedHost host;
        run("ip link add docker0 type bridge; ip link set docker0 up; ip address add 172.17.0.1/16 dev docker0");
        host.run_for(800ms);
        EXPECT_EQ(host.network_changes, 0);
        EXPECT_EQ(host.follows, 1) << "but the routes are another matter";
    });
}

TEST(HostWatch, ReportsThatTheNetworkIsBack) {
    io::in_new_network([] {
        WatchedHost host;
        run("ip link set lan0 down");
        host.run_for(800ms);
        EXPECT_EQ(host.network_changes, 0) << "nothing can be done without a network";
        run("ip link set lan0 up; ip route add default via 10.20.0.1 dev lan0");
        host.run_for(800ms);
        EXPECT_EQ(host.network_changes, 1);
    });
}

TEST(HostWatch, IsQuietOnceStopped) {
    io::in_new_network([] {
        ASSERT_TRUE(io::run_nft("add table inet ours\n"));
        WatchedHost host;
        ASSERT_TRUE(io::run_nft("flush ruleset\n"));
        run("ip address add 10.20.0.3/24 dev lan0");
        host.run_for(50ms);
        host.watch.stop();
        const auto repairs = host.repairs;
        run("ip rule add priority 100 lookup 539098368; ip rule delete priority 100");
        host.run_for(800ms);
        EXPECT_EQ(host.repairs, repairs);
        EXPECT_EQ(host.network_changes, 0);
    });
}

}  // namespace
}  // namespace culvert::session
