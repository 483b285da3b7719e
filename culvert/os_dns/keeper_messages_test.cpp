#include "culvert/os_dns/keeper_messages.h"

#include <gtest/gtest.h>

namespace culvert::os_dns {
namespace {

net::IpAddress ip(const char* text) {
    return *net::IpAddress::parse(text);
}

TEST(KeeperMessages, ArriveAsTheyWereSent) {
    const std::vector<net::IpAddress> both{ip("100.100.111.1"), ip("fd00:2021:1111:8000:100:100:111:0")};
    for (const KeeperRequest& request : {KeeperRequest{Apply{{.servers = both, .search_domain = "corp.example"}}},
                                         KeeperRequest{Apply{{.servers = both}}}, KeeperRequest{Apply{}},
                                         KeeperRequest{FlushCaches{}}, KeeperRequest{End{}}}) {
        EXPECT_EQ(decode_request(encode(request)), request);
    }
    for (const Report& report : {Report{Started{}}, Report{Applied{}}, Report{Flushed{}}, Report{Failed{"no\nway"}},
                                 Report{SystemResolvers{both}}, Report{SystemResolvers{}}, Report{Notice{.text = "a"}},
                                 Report{Notice{.is_warning = true, .text = ""}}}) {
        EXPECT_EQ(decode_report(encode(report)), report);
    }
}

TEST(KeeperMessages, FitIntoAPacket) {
    EXPECT_LE(encode(Report{Failed{std::string(1'000'000, 'x')}}).size(), kMaxPacket);
    const std::vector<net::IpAddress> many(10'000, ip("fd00:2021:1111:8000:1000:1000:1111:1000"));
    EXPECT_LE(encode(Report{SystemResolvers{many}}).size(), kMaxPacket);
    EXPECT_TRUE(decode_report(encode(Report{SystemResolvers{many}})));
}

TEST(KeeperMessages, AreRefusedIfNobodyOfOursMadeThem) {
    for (const auto* packet : {"", "end", "end\n\n", "apply\n", "apply", "apply\n\nhost\n", "apply\n\n100.100.111.1",
                               "flush\nend\n", "reboot\n"}) {
        EXPECT_FALSE(decode_request(packet)) << packet;
        EXPECT_FALSE(decode_report(packet)) << packet;
    }
    EXPECT_FALSE(decode_report("resolvers\n192.0.2.1"));
}

}  // namespace
}  // namespace culvert::os_dns
