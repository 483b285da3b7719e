#include "culvert/dns/local_answer.h"

#include <string>

#include <gtest/gtest.h>

#include "culvert/base/overloaded.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using enum RecordType;

ResourceId id(std::uint8_t number) {
    return ResourceId{Uuid{std::array<std::uint8_t, 16>{number}}};
}

/// The resources of spec/dns.md section 4.7.
class LocalAnswer : public testing::Test {
protected:
    LocalAnswer() {
        resources.add(id(1), "app.example.com", IpStack::kDual);
        resources.add(id(2), "*.v4.example.com", IpStack::kIpv4Only);
        resources.add(id(3), "*.v6.example.com", IpStack::kIpv6Only);
        resources.add(id(4), "**.corp.example", IpStack::kDual);
    }

    Decision decide_on(ByteSpan query) { return decide(Message::parse_query(query).value(), resources, proxies); }

    std::string ask(std::string_view name, RecordType type = kA, const test::QueryOptions& options = {}) {
        return std::visit(
            overloaded{[](const AnswerHere& here) { return test::summary(here.response); },
                       [](const AskSite& site) { return "site " + std::to_string(site.resource.uuid().bytes()[0]); },
                       [](const AskUpstream&) { return std::string{"upstream"}; }},
            decide_on(test::query(name, type, options)));
    }

    Resources resources;
    ProxyAddresses proxies;
};

constexpr auto* kFirstV4 = "NOERROR 100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4";
constexpr auto* kFirstV6 =
    "NOERROR fd00:2021:1111:8000:: fd00:2021:1111:8000::1 fd00:2021:1111:8000::2 fd00:2021:1111:8000::3";

TEST_F(LocalAnswer, GivesProxyAddresses) {
    EXPECT_EQ(ask("app.example.com"), kFirstV4);                                                // Q1
    EXPECT_EQ(ask("app.example.com", kAaaa), kFirstV6);                                         // Q2
    EXPECT_EQ(ask("APP.Example.COM"), kFirstV4);                                                // Q3
    EXPECT_EQ(ask("x.v4.example.com"), "NOERROR 100.96.0.5 100.96.0.6 100.96.0.7 100.96.0.8");  // Q4
    EXPECT_EQ(ask("x.v4.example.com", kAaaa), "NOERROR");
    EXPECT_EQ(ask("x.v6.example.com"), "NOERROR");  // Q5
    EXPECT_EQ(ask("x.v6.example.com", kAaaa),       // Q6
              "NOERROR fd00:2021:1111:8000::4 fd00:2021:1111:8000::5 fd00:2021:1111:8000::6 fd00:2021:1111:8000::7");
}

TEST_F(LocalAnswer, KeepsTheSpellingOfTheQuery) {
    const auto query = test::query("APP.Example.COM");
    const auto response = std::get<AnswerHere>(decide_on(query)).response;
    EXPECT_TRUE(equal(Message::parse_response(response)->question_bytes(), ByteSpan{query}.subspan(12)));
}

TEST_F(LocalAnswer, HasATtlOfASecond) {
    const auto response = std::get<AnswerHere>(decide_on(test::query("app.example.com"))).response;
    EXPECT_EQ(test::ttls(response), (std::vector<std::uint32_t>{1, 1, 1, 1}));
}

TEST_F(LocalAnswer, HasNoHttpsRecordsForResources) {
    EXPECT_EQ(ask("app.example.com", kHttps), "NOERROR");   // Q7
    EXPECT_EQ(ask("www.example.org", kHttps), "upstream");  // Q8
}

TEST_F(LocalAnswer, LeavesOtherTypesToUpstream) {
    for (const auto type : {kSvcb, kMx, kNs, kAny, kCname, kCaa, kSoa}) {
        EXPECT_EQ(ask("app.example.com", type), "upstream");  // Q9
    }
}

TEST_F(LocalAnswer, LeavesServicesAndTextsToTheSite) {
    EXPECT_EQ(ask("_svc.corp.example", kTxt), "site 4");  // Q10
    EXPECT_EQ(ask("_ldap._tcp.corp.example", kSrv), "site 4");
    EXPECT_EQ(ask("www.example.org", kTxt), "upstream");  // Q11
    EXPECT_TRUE(proxies.assignments().empty());
}

TEST_F(LocalAnswer, DeniesTheCanary) {
    for (const auto type : {kA, kAaaa, kTxt, kPtr}) {
        EXPECT_EQ(ask("use-application-dns.net", type), "NXDOMAIN");  // Q12
        EXPECT_EQ(ask("USE-Application-DNS.net", type), "NXDOMAIN");
    }
    EXPECT_EQ(ask("www.use-application-dns.net"), "upstream");  // Q13
}

TEST_F(LocalAnswer, NamesProxyAddresses) {
    ask("app.example.com");
    ask("x.v6.example.com", kAaaa);
    EXPECT_EQ(ask("1.0.96.100.in-addr.arpa", kPtr), "NOERROR app.example.com");  // Q14
    EXPECT_EQ(ask("9.0.96.100.in-addr.arpa", kPtr), "upstream");                 // Q15
    EXPECT_EQ(ask("4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.1.1.1.1.2.0.2.0.0.d.f.ip6.arpa", kPtr),
              "NOERROR x.v6.example.com");  // Q16
    EXPECT_EQ(ask("1.0.96.100.IN-ADDR.ARPA", kPtr), "NOERROR app.example.com");
    EXPECT_EQ(ask("app.example.com", kPtr), "upstream");
}

TEST_F(LocalAnswer, KnowsWhichNamesAreResources) {
    EXPECT_NE(ask("corp.example"), "upstream");        // Q17
    EXPECT_NE(ask("v4.example.com"), "upstream");      // Q18
    EXPECT_EQ(ask("y.x.v4.example.com"), "upstream");  // Q19
    EXPECT_EQ(ask("."), "upstream");
}

TEST_F(LocalAnswer, HeedsNeitherEdnsNorClass) {
    EXPECT_EQ(ask("app.example.com", kA, {.edns = Edns{.udp_size = 1232, .wants_dnssec = true}}), kFirstV4);  // Q21
    EXPECT_EQ(ask("app.example.com", kA, {.question_class = 3}), kFirstV4);                                   // Q22
}

TEST_F(LocalAnswer, NamesAddressesOfResourcesThatAreGone) {  // T11, T12
    ask("app.example.com");
    resources.remove(id(1));
    EXPECT_EQ(ask("app.example.com"), "upstream");
    EXPECT_EQ(ask("1.0.96.100.in-addr.arpa", kPtr), "NOERROR app.example.com");

    resources.add(id(1), "app.example.com", IpStack::kDual);

    EXPECT_EQ(ask("app.example.com"), kFirstV4);
}

TEST_F(LocalAnswer, FollowsTheStackOfTheResource) {
    ask("app.example.com");
    resources.add(id(1), "app.example.com", IpStack::kIpv6Only);
    EXPECT_EQ(ask("app.example.com"), "NOERROR");
    EXPECT_EQ(ask("app.example.com", kAaaa), kFirstV6);
    ask("x.v4.example.com");
    resources.add(id(2), "*.v4.example.com", IpStack::kDual);
    EXPECT_EQ(ask("x.v4.example.com", kAaaa).substr(0, 30), "NOERROR fd00:2021:1111:8000::4");
}

TEST_F(LocalAnswer, KnowsSingleLabels) {
    EXPECT_EQ(ask("intranet"), "upstream");
    resources.add(id(5), "intranet", IpStack::kDual);
    EXPECT_EQ(ask("intranet"), kFirstV4);
}

TEST_F(LocalAnswer, IgnoresResourcesWhoseAddressIsNoPattern) {
    EXPECT_FALSE(resources.add(id(1), "a**.example.com", IpStack::kDual));
    EXPECT_FALSE(resources.contains(id(1)));
    EXPECT_EQ(ask("app.example.com"), "upstream");
}

}  // namespace
}  // namespace culvert::dns
