#include "culvert/io/forward_obstacle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::io {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kDocker = R"(table ip nat {
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 172.17.0.0/16 oifname != "docker0" counter packets 0 bytes 0 masquerade
	}
}
table ip filter {
	chain DOCKER-USER {
		counter packets 0 bytes 0 return
	}

	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter packets 0 bytes 0 jump DOCKER-USER
		oifname "docker0" ct state related,established counter packets 0 bytes 0 accept
	}
}
table inet culvert_gateway {
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname "tun-firezone" accept
	}
}
)";

TEST(ForwardObstacle, IsAChainThatDropsWhatNoRulePermits) {
    EXPECT_THAT(forward_obstacles(kDocker, "tun-firezone"), ElementsAre("ip filter FORWARD"));
}

TEST(ForwardObstacle, IsNoneWhereTheTableSpeaksOfOurInterface) {
    std::string permitted = kDocker;
    permitted.replace(permitted.find("\"docker0\" ct"), 9, "\"tun-firezone\"");
    EXPECT_THAT(forward_obstacles(permitted, "tun-firezone"), IsEmpty());
    EXPECT_THAT(forward_obstacles(permitted, "tun-other"), ElementsAre("ip filter FORWARD"));
}

TEST(ForwardObstacle, IsNoChainOfAnotherKind) {
    EXPECT_THAT(forward_obstacles("", "tun"), IsEmpty());
    EXPECT_THAT(forward_obstacles("table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; "
                                  "policy accept;\n\t}\n}\n",
                                  "tun"),
                IsEmpty());
    EXPECT_THAT(forward_obstacles("table inet x {\n\tchain in {\n\t\ttype filter hook input priority filter; policy "
                                  "drop;\n\t}\n}\n",
                                  "tun"),
                IsEmpty());
}

TEST(ForwardObstacle, ComesWithCommandsThatRemoveIt) {
    EXPECT_EQ(advice_about("ip filter FORWARD", "tun0"),
              "nft insert rule ip filter FORWARD iifname tun0 accept && "
              "nft insert rule ip filter FORWARD oifname tun0 accept");
}

}  // namespace
}  // namespace culvert::io
