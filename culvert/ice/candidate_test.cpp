#include "culvert/ice/candidate.h"

#include <gtest/gtest.h>

namespace culvert::ice {
namespace {

net::SocketAddress address(std::string_view text) {
    return *net::SocketAddress::parse(text);
}

TEST(Candidate, PrioritiesAreThoseOfTheTable) {
    EXPECT_EQ(host_candidate(address("[2001:db8::1]:1"))->priority, 2130706431U);
    EXPECT_EQ(host_candidate(address("10.0.0.1:1"))->priority, 2130706175U);
    EXPECT_EQ(server_reflexive_candidate(address("[2001:db8::1]:1"), address("[2001:db8::2]:1"))->priority,
              1694498815U);
    EXPECT_EQ(server_reflexive_candidate(address("1.1.1.1:1"), address("10.0.0.1:1"))->priority, 1694498559U);
    EXPECT_EQ(relay_candidate(address("[2001:db8::1]:1"), net::Family::kIpv6)->priority, 37748735U);
    EXPECT_EQ(relay_candidate(address("1.1.1.1:1"), net::Family::kIpv4)->priority, 37748479U);
    EXPECT_EQ(relay_candidate(address("[2001:db8::1]:1"), net::Family::kIpv4)->priority, 37492735U);
    EXPECT_EQ(relay_candidate(address("1.1.1.1:1"), net::Family::kIpv6)->priority, 37492479U);

    using enum CandidateKind;
    EXPECT_EQ(candidate_priority(kHost, local_preference(kHost, net::Family::kIpv6, 1, false)), 2130705919U);
    EXPECT_EQ(candidate_priority(kHost, local_preference(kHost, net::Family::kIpv4, 1, false)), 2130705663U);
}

TEST(Candidate, CheckPrioritiesAreThoseOfTheTable) {
    EXPECT_EQ(check_priority(*host_candidate(address("[2001:db8::1]:1"))), 1862270975U);
    EXPECT_EQ(check_priority(*host_candidate(address("10.0.0.1:1"))), 1862270719U);
    EXPECT_EQ(check_priority(*relay_candidate(address("[2001:db8::1]:1"), net::Family::kIpv6)), 1849688063U);
    EXPECT_EQ(check_priority(*relay_candidate(address("1.1.1.1:1"), net::Family::kIpv4)), 1849687807U);
    EXPECT_EQ(check_priority(*relay_candidate(address("[2001:db8::1]:1"), net::Family::kIpv4)), 1849432063U);
    EXPECT_EQ(check_priority(*relay_candidate(address("1.1.1.1:1"), net::Family::kIpv6)), 1849431807U);
}

TEST(Candidate, RefusesAddressesNobodyCanBeReachedAt) {
    for (const auto* text :
         {"0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "169.254.1.1:1", "[::]:1", "[ff02::1]:1"}) {
        EXPECT_FALSE(host_candidate(address(text))) << text;
    }
    for (const auto* text : {"127.0.0.1:1", "[::1]:1", "[fe80::1]:1"}) {
        EXPECT_TRUE(host_candidate(address(text))) << text;
    }
    EXPECT_FALSE(server_reflexive_candidate(address("1.1.1.1:1"), address("[2001:db8::2]:1")));
}

TEST(Candidate, TextOfEachKindParsesBack) {
    auto host = *host_candidate(address("192.168.40.9:52625"));
    host.ufrag = "k7qd";
    const auto text = to_string(host);
    EXPECT_TRUE(text.starts_with("candidate:fffeff7e")) << text;
    EXPECT_TRUE(text.ends_with(" 1 udp 2130706175 192.168.40.9 52625 typ host ufrag k7qd")) << text;
    EXPECT_EQ(parse_candidate(text), host);

    const auto reflexive =
        *server_reflexive_candidate(address("[2001:db8:77::9]:52625"), address("[2001:db8:77::9]:52625"));
    const auto reflexive_text = to_string(reflexive);
    EXPECT_TRUE(reflexive_text.starts_with("candidate:ffffff64")) << reflexive_text;
    EXPECT_TRUE(reflexive_text.ends_with(" 1 udp 1694498815 2001:db8:77::9 52625 typ srflx raddr :: rport 0"))
        << reflexive_text;
    EXPECT_EQ(parse_candidate(reflexive_text), reflexive);

    auto relay = *relay_candidate(address("198.51.100.7:61234"), net::Family::kIpv4);
    relay.ufrag = "k7qd";
    const auto relay_text = to_string(relay);
    EXPECT_TRUE(relay_text.starts_with("candidate:fffe3f02")) << relay_text;
    EXPECT_TRUE(relay_text.ends_with(" 1 udp 37748479 198.51.100.7 61234 typ relay raddr 0.0.0.0 rport 0 ufrag k7qd"))
        << relay_text;
    EXPECT_EQ(parse_candidate(relay_text), relay);
}

TEST(Candidate, PrivateBaseDoesNotLeaveTheHouse) {
    const auto mapped = address("1.1.1.1:1");
    EXPECT_EQ(to_string(*server_reflexive_candidate(mapped, address("10.0.0.1:1"))),
              to_string(*server_reflexive_candidate(mapped, address("10.0.0.2:2"))));
}

TEST(CandidateParser, AcceptsTheOptionalPartsInTheirOrder) {
    const auto candidate = parse_candidate(
        "candidate:1 1 UDP 5 1.2.3.4 9 typ srflx tcptype so raddr 10.0.0.1 rport 7 generation 0 network-id 3 ufrag ab "
        "network-cost 10 and more");
    ASSERT_TRUE(candidate);
    EXPECT_EQ(candidate->related, address("10.0.0.1:7"));
    EXPECT_EQ(candidate->ufrag, "ab");
    EXPECT_EQ(candidate->priority, 5U);
}

TEST(CandidateParser, IgnoresWhatFollowsAnUnknownWord) {
    const auto candidate = parse_candidate("candidate:1 1 udp 5 1.2.3.4 9 typ host foo bar ufrag ab");
    ASSERT_TRUE(candidate);
    EXPECT_EQ(candidate->ufrag, "");
    EXPECT_EQ(parse_candidate("candidate:1 1 udp 5 1.2.3.4 9 typ host ufrag ab raddr 1.1.1.1 rport 1")->related,
              std::nullopt);
}

TEST(CandidateParser, RejectsEverythingElse) {
    for (const auto* text : {
             "",
             "candidate:",
             "Candidate:1 1 udp 5 1.2.3.4 9 typ host",
             "a=candidate:1 1 udp 5 1.2.3.4 9 typ host",
             "candidate: 1 udp 5 1.2.3.4 9 typ host",
             "candidate:1  1 udp 5 1.2.3.4 9 typ host",
             "candidate:1 2 udp 5 1.2.3.4 9 typ host",
             "candidate:1 01 udp 5 1.2.3.4 9 typ host",
             "candidate:1 1 tcp 5 1.2.3.4 9 typ host",
             "candidate:1 1 udp -5 1.2.3.4 9 typ host",
             "candidate:1 1 udp 4294967296 1.2.3.4 9 typ host",
             "candidate:1 1 udp 5 host.local 9 typ host",
             "candidate:1 1 udp 5 1.2.3.4 65536 typ host",
             "candidate:1 1 udp 5 1.2.3.4 9 TYP host",
             "candidate:1 1 udp 5 1.2.3.4 9 typ",
             "candidate:1 1 udp 5 1.2.3.4 9 typ Host",
             "candidate:1 1 udp 5 1.2.3.4 9 typ hosts",
             "candidate:1 1 udp 5 1.2.3.4 9 typ relay raddr 0.0.0.0",
             "candidate:1 1 udp 5 1.2.3.4 9 typ relay raddr x rport 1",
             "candidate:1 1 udp 5 1.2.3.4 9 typ relay ufrag ",
             "candidate:123456789012345678901234567890123 1 udp 5 1.2.3.4 9 typ host",
         }) {
        EXPECT_FALSE(parse_candidate(text)) << text;
    }
}

}  // namespace
}  // namespace culvert::ice
