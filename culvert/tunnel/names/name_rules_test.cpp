#include "culvert/tunnel/names/name_rules.h"

#include <gtest/gtest.h>

#include "culvert/nat/constants.h"
#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using test::id;
using test::ip;
using test::socket;

const auto kClient = id<ClientId>(1);

std::optional<NameRequests::Request> read(std::string_view domain, std::vector<net::IpAddress> proxy_ips) {
    return read_request(kClient, {id<ResourceId>(1), std::string{domain}, std::move(proxy_ips)});
}

TEST(NameRules, AcceptNamesWithProxyIps) {
    const auto request = read("Wiki.corp.example.", {ip("100.96.0.1"), ip("fd00:2021:1111:8000::")});

    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->domain, dns::Name::parse("wiki.corp.example"));
    EXPECT_EQ(request->message.domain, "Wiki.corp.example.") << "goes back as it came";
}

TEST(NameRules, RefuseAddressesThatNobodyWasGiven) {
    for (const auto* address : {"10.0.0.1", "100.64.0.1", "100.64.0.2", "100.100.111.1", "127.0.0.1", "8.8.8.8",
                                "2001:db8::1", "fd00:2021:1111::1", "fd00:2021:1111:8000:100:100:111:0", "::1"}) {
        EXPECT_FALSE(read("a.example", {ip("100.96.0.1"), ip(address)})) << address;
    }
    EXPECT_FALSE(read("a.example", {}));
    EXPECT_FALSE(read("a.example", std::vector(9, ip("100.96.0.1")))) << "more than a name has";
}

TEST(NameRules, RefuseNamesThatAreNone) {
    EXPECT_FALSE(read("", {ip("100.96.0.1")}));
    EXPECT_FALSE(read("a..example", {ip("100.96.0.1")}));
    EXPECT_FALSE(read(std::string(300, 'a'), {ip("100.96.0.1")}));
}

TEST(NameRules, NamesLeadNobodyWhereResourcesAreNot) {
    const std::vector all{ip("10.0.0.1"),      ip("127.0.0.1"),         ip("0.0.0.0"),      ip("169.254.169.254"),
                          ip("224.0.0.1"),     ip("255.255.255.255"),   ip("100.64.0.7"),   ip("100.96.0.1"),
                          ip("::1"),           ip("fe80::1"),           ip("ff02::1"),      ip("::ffff:127.0.0.1"),
                          ip("2001:db8::1"),   ip("fd00:2021:1111::7"), ip("192.168.1.10"), ip("168.63.129.16"),
                          ip("fd00:ec2::254"), ip("fd20:ce::254")};

    EXPECT_EQ(usable_addresses(all), (std::vector{ip("10.0.0.1"), ip("2001:db8::1"), ip("192.168.1.10")}));
}

class SetUpTest : public ::testing::Test {
protected:
    p2p::DomainStatus set_up_name(std::string_view domain, std::string_view proxy, std::string_view real,
                                  bool is_found = true) {
        return set_up({.request = read(domain, {ip(proxy)}).value(), .is_found = is_found, .addresses = {ip(real)}},
                      translations, sessions, Instant{});
    }

    /// Whether what the client sends again still goes where it went.
    bool goes_on() {
        auto bytes = packet::make_udp(socket("100.64.0.1:4000"), socket("100.96.0.1:53"), {});
        auto packet = packet::IpPacket::parse(bytes).value();
        return sessions.translate_out(kClient, packet, Instant{}) == nat::SessionTable::Out::kTranslated;
    }

    nat::Translations translations;
    nat::SessionTable sessions{{}, Rng::from_number(1)};
};

TEST_F(SetUpTest, TranslatesAndSaysSo) {
    const auto status = set_up_name("Wiki.example", "100.96.0.1", "10.0.0.1");

    EXPECT_EQ(status, (p2p::DomainStatus{id<ResourceId>(1), "Wiki.example", p2p::NatStatus::kActive}));
    ASSERT_NE(translations.find(ip("100.96.0.1")), nullptr);
    EXPECT_EQ(translations.find(ip("100.96.0.1"))->real, ip("10.0.0.1"));
}

TEST_F(SetUpTest, SpellingMakesNoOtherName) {
    set_up_name("Wiki.example", "100.96.0.1", "10.0.0.1");
    set_up_name("b.example", "100.96.0.2", "10.0.0.1");
    set_up_name("wiki.EXAMPLE", "100.96.0.1", "10.0.0.2");

    EXPECT_EQ(translations.size(), 2U) << "nothing started over";
}

TEST_F(SetUpTest, ANameThatLeadsNowhereIsSetUpAllTheSame) {
    const auto status = set_up_name("wiki.example", "100.96.0.1", "127.0.0.1");

    EXPECT_EQ(status.status, p2p::NatStatus::kActive);
    EXPECT_EQ(translations.find(ip("100.96.0.1"))->real, std::nullopt);
}

TEST_F(SetUpTest, ALookUpThatFailedChangesNothing) {
    set_up_name("wiki.example", "100.96.0.1", "10.0.0.1");
    const auto status = set_up_name("wiki.example", "100.96.0.1", "10.0.0.2", false);

    EXPECT_EQ(status.status, p2p::NatStatus::kInactive);
    EXPECT_EQ(translations.find(ip("100.96.0.1"))->real, ip("10.0.0.1"));
}

TEST_F(SetUpTest, AClientThatNumbersAnewKeepsNoSessions) {
    set_up_name("wiki.example", "100.96.0.1", "10.0.0.1");
    auto bytes = packet::make_udp(socket("100.64.0.1:4000"), socket("100.96.0.1:53"), {});
    auto packet = packet::IpPacket::parse(bytes).value();
    ASSERT_TRUE(sessions.open(kClient, packet, ip("10.0.0.1"), Instant{}));

    set_up_name("wiki.example", "100.96.0.1", "10.0.0.2");
    EXPECT_TRUE(goes_on()) << "a name that moved keeps what runs";
    set_up_name("other.example", "100.96.0.1", "10.0.0.3");
    EXPECT_FALSE(goes_on());
}

TEST_F(SetUpTest, SessionsOfNamesThatGaveWayEnd) {
    set_up_name("oldest.example", "100.96.0.1", "10.0.0.1");
    auto bytes = packet::make_udp(socket("100.64.0.1:4000"), socket("100.96.0.1:53"), {});
    auto packet = packet::IpPacket::parse(bytes).value();
    ASSERT_TRUE(sessions.open(kClient, packet, ip("10.0.0.1"), Instant{}));
    for (std::size_t i = 0; i < nat::kMaxNames; ++i) {
        const net::IpAddress proxy{
            std::array<std::uint8_t, 4>{100, 97, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}};
        set_up_name("n" + std::to_string(i) + ".example", proxy.to_string(), "10.0.0.2");
    }

    EXPECT_EQ(translations.find(ip("100.96.0.1")), nullptr);
    EXPECT_FALSE(goes_on()) << "or whatever the proxy IP stands for next would lead there";
}

}  // namespace
}  // namespace culvert::tunnel
