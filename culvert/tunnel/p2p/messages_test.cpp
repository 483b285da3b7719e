#include "culvert/tunnel/p2p/messages.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel::p2p {
namespace {

using test::ip;

constexpr std::string_view kExample =
    R"({"resource":"6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101","domain":"db.corp.example","proxy_ips":["100.96.0.5","100.96.0.6","100.96.0.7","100.96.0.8","fd00:2021:1111:8000::4","fd00:2021:1111:8000::5","fd00:2021:1111:8000::6","fd00:2021:1111:8000::7"]})";

std::optional<AssignedIps> decode(std::string_view text) {
    return decode_assigned_ips(as_bytes(text));
}

TEST(AssignedIps, DecodesTheExampleOfTheProtocol) {
    EXPECT_EQ(kExample.size(), 244U);
    const auto message = decode(kExample);

    ASSERT_TRUE(message);
    EXPECT_EQ(message->resource.to_string(), "6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101");
    EXPECT_EQ(message->domain, "db.corp.example");
    ASSERT_EQ(message->proxy_ips.size(), 8U);
    EXPECT_EQ(message->proxy_ips.front(), ip("100.96.0.5"));
    EXPECT_EQ(message->proxy_ips.back(), ip("fd00:2021:1111:8000::7"));
}

TEST(AssignedIps, IgnoresUnknownMembersWhateverTheyHold) {
    const auto message = decode(
        R"({"x":{"resource":1,"y":[{"domain":2},"z",null,1.5,true]},"proxy_ips":[],"n":null,"domain":"\u0061.b",
            "resource":"6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101","a":[[]],"i":-1,"u":18446744073709551615})");

    ASSERT_TRUE(message);
    EXPECT_EQ(message->domain, "a.b");
    EXPECT_TRUE(message->proxy_ips.empty());
}

TEST(AssignedIps, RefusesWhatIsMalformed) {
    const std::string id = R"("resource":"6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101")";
    const std::string domain = R"("domain":"a")";
    const std::string ips = R"("proxy_ips":["100.96.0.5"])";
    ASSERT_TRUE(decode("{" + id + "," + domain + "," + ips + "}"));

    for (const auto& bad : {
             std::string{},
             std::string{"{"},
             std::string{"[]"},
             std::string{"7"},
             std::string{"\"x\""},
             "{" + id + "," + domain + "}",
             "{" + id + "," + ips + "}",
             "{" + domain + "," + ips + "}",
             "{" + id + "," + id + "," + domain + "," + ips + "}",
             "{" + id + "," + domain + "," + ips + "," + ips + "}",
             "{" + id + "," + domain + "," + ips + "}x",
             "{" + id + "," + domain + "," + ips + "},",
             R"({"resource":"x",)" + domain + "," + ips + "}",
             R"({"resource":5,)" + domain + "," + ips + "}",
             "{" + id + R"(,"domain":null,)" + ips + "}",
             "{" + id + R"(,"domain":{},)" + ips + "}",
             "{" + id + R"(,"domain":["a"],)" + ips + "}",
             "{" + id + "," + domain + R"(,"proxy_ips":"100.96.0.5"})",
             "{" + id + "," + domain + R"(,"proxy_ips":["100.96.0"]})",
             "{" + id + "," + domain + R"(,"proxy_ips":[["100.96.0.5"]]})",
             "{" + id + "," + domain + R"(,"proxy_ips":[{}]})",
             "{" + id + "," + domain + R"(,"proxy_ips":[null]})",
         }) {
        EXPECT_FALSE(decode(bad)) << bad;
    }
}

TEST(AssignedIps, EncodesAsTheProtocolShowsIt) {
    EXPECT_EQ(encode(decode(kExample).value()), kExample);
}

TEST(DomainStatus, IsReadAsItWasWritten) {
    for (const auto status : {NatStatus::kActive, NatStatus::kInactive}) {
        const DomainStatus message{.resource = ResourceId::parse("6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101").value(),
                                   .domain = R"(a\.\"b)",
                                   .status = status};
        EXPECT_EQ(decode_domain_status(as_bytes(encode(message))), message);
    }
}

TEST(DomainStatus, OfAnotherKindIsInactive) {
    const std::string front = R"({"resource":"6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101","domain":"a","status":)";
    EXPECT_EQ(decode_domain_status(as_bytes(front + R"("what_is_this"})"))->status, NatStatus::kInactive);
    EXPECT_EQ(decode_domain_status(as_bytes(front + R"("active"})"))->status, NatStatus::kInactive);
    for (const auto* bad :
         {"1}", "null}", R"(["Active"]})", R"({}})", R"("Active","status":"Active"})", R"("Active")"}) {
        EXPECT_FALSE(decode_domain_status(as_bytes(front + bad))) << bad;
    }
}

TEST(DomainStatus, EncodesCompactly) {
    const DomainStatus status{.resource = ResourceId::parse("6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101").value(),
                              .domain = "a\\.\"b",
                              .status = NatStatus::kActive};

    EXPECT_EQ(encode(status),
              R"({"resource":"6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101","domain":"a\\.\"b","status":"Active"})");
    auto inactive = status;
    inactive.status = NatStatus::kInactive;
    EXPECT_TRUE(encode(inactive).ends_with(R"("status":"Inactive"})"));
}

}  // namespace
}  // namespace culvert::tunnel::p2p
