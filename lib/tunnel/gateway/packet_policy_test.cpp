#include "culvert/tunnel/gateway/packet_policy.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::gateway_cidr;
using test::icmp;
using test::ip;
using test::socket;
using test::tcp;

constexpr auto kClient = "100.64.0.1:5000";

ClientPolicy policy(std::string_view network, std::vector<portal_api::Filter> filters = {}) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, network, std::move(filters)), {});
    return policy;
}

std::expected<void, Refusal> outbound(const ClientPolicy& policy, Bytes packet) {
    return check_outbound(policy, packet::IpPacket::parse(packet).value());
}
std::expected<void, Refusal> inbound(const ClientPolicy& policy, Bytes packet) {
    return check_inbound(policy, packet::IpPacket::parse(packet).value());
}

Bytes udp_to(std::string_view destination) {
    return packet::make_udp(socket(kClient), socket(destination), {});
}
Bytes udp_from(std::string_view source) {
    return packet::make_udp(socket(source), socket(kClient), {});
}
Bytes tcp_from(std::string_view source) {
    return packet::make_tcp(socket(source), socket(kClient), {}, {});
}

/// "Destination unreachable, port unreachable" from `source` about a packet of the client.
Bytes icmp_error_from(std::string_view source) {
    return packet::make_icmp(ip(source), ip("100.64.0.1"), 3, 3, 0, udp_to("10.0.0.5:53"));
}

TEST(OutboundPolicy, LooksAtDestinationAndDestinationPort) {
    const auto tcp80 = policy("10.0.0.0/24", {tcp(80, 80)});

    EXPECT_TRUE(outbound(tcp80, packet::make_tcp(socket(kClient), socket("10.0.0.5:80"), {}, {})));
    EXPECT_EQ(outbound(tcp80, packet::make_tcp(socket(kClient), socket("10.0.0.5:5000"), {}, {})),
              std::unexpected{Refusal::kTcpPort});
    EXPECT_EQ(outbound(tcp80, udp_to("10.0.1.5:80")), std::unexpected{Refusal::kNoFilter});
}

TEST(OutboundPolicy, CountsEveryIcmpTypeAsIcmp) {
    const auto echo_and_more = policy("10.0.0.0/24", {icmp()});
    const auto only_tcp = policy("10.0.0.0/24", {tcp(80, 80)});
    const auto echo = packet::make_icmp_echo_request(ip("100.64.0.1"), ip("10.0.0.5"), 1, 1, {});
    const auto unreachable = packet::make_icmp(ip("100.64.0.1"), ip("10.0.0.5"), 3, 3, 0, udp_from("10.0.0.5:53"));
    const auto timestamp = packet::make_icmp(ip("100.64.0.1"), ip("10.0.0.5"), 13, 0, 0, Bytes(12));

    for (const auto& packet : {echo, unreachable, timestamp}) {
        EXPECT_TRUE(outbound(echo_and_more, packet));
        EXPECT_EQ(outbound(only_tcp, packet), std::unexpected{Refusal::kIcmp});
    }
}

TEST(OutboundPolicy, NeverReachesOtherPeersOrUntranslatedProxies) {
    const auto everything = policy("0.0.0.0/0");

    EXPECT_EQ(outbound(everything, udp_to("100.64.0.9:80")), std::unexpected{Refusal::kPeerAddress});
    EXPECT_EQ(outbound(everything, udp_to("100.96.0.1:80")), std::unexpected{Refusal::kNoTranslation});
    EXPECT_EQ(icmp_error_of(Refusal::kPeerAddress), packet::IcmpErrorKind::kProhibited);
    EXPECT_EQ(icmp_error_of(Refusal::kTcpPort), packet::IcmpErrorKind::kProhibited);
    EXPECT_EQ(icmp_error_of(Refusal::kNoTranslation), packet::IcmpErrorKind::kUnreachable);
}

TEST(OutboundPolicy, LetsOtherProtocolsThroughOnlyWithoutFilters) {
    const auto gre = packet::make_ip(ip("100.64.0.1"), ip("10.0.0.5"), 47, Bytes(8));

    EXPECT_TRUE(outbound(policy("10.0.0.0/24"), gre));
    EXPECT_EQ(outbound(policy("10.0.0.0/24", {icmp()}), gre), std::unexpected{Refusal::kNoFilter});
}

TEST(InboundPolicy, LooksAtSourceAndSourcePort) {
    const auto tcp80 = policy("10.0.0.0/24", {tcp(80, 80)});

    EXPECT_TRUE(inbound(tcp80, tcp_from("10.0.0.5:80")));
    EXPECT_EQ(inbound(tcp80, tcp_from("10.0.0.5:9999")), std::unexpected{Refusal::kTcpPort});
    EXPECT_EQ(inbound(tcp80, tcp_from("10.0.1.5:80")), std::unexpected{Refusal::kNoFilter});
}

TEST(InboundPolicy, AlwaysLetsIcmpErrorsThrough) {
    const auto tcp80 = policy("10.0.0.0/24", {tcp(80, 80)});

    EXPECT_TRUE(inbound(tcp80, icmp_error_from("10.0.0.5")));
    EXPECT_TRUE(inbound(tcp80, icmp_error_from("192.0.2.1")));
    EXPECT_EQ(inbound(tcp80, icmp_error_from("100.64.0.9")), std::unexpected{Refusal::kPeerAddress});
    EXPECT_EQ(inbound(tcp80, packet::make_icmp_echo_reply(ip("10.0.0.5"), ip("100.64.0.1"), 1, 1, {})),
              std::unexpected{Refusal::kIcmp});
}

TEST(InboundPolicy, DropsWhatHasNoL4Identity) {
    const auto everything = policy("0.0.0.0/0");

    EXPECT_EQ(inbound(everything, packet::make_ip(ip("10.0.0.5"), ip("100.64.0.1"), 47, Bytes(8))),
              std::unexpected{Refusal::kNoL4Value});
    EXPECT_EQ(inbound(everything, packet::make_icmp(ip("10.0.0.5"), ip("100.64.0.1"), 5, 1, 0, udp_to("10.0.0.5:53"))),
              std::unexpected{Refusal::kNoL4Value})
        << "a redirect";
}

TEST(InboundPolicy, RefusesPeersAndProxiesAsSources) {
    const auto everything = policy("0.0.0.0/0");

    EXPECT_TRUE(inbound(everything, udp_from("192.0.2.1:80")));
    EXPECT_EQ(inbound(everything, udp_from("100.64.0.9:80")), std::unexpected{Refusal::kPeerAddress});
    EXPECT_EQ(inbound(everything, udp_from("100.96.0.9:80")), std::unexpected{Refusal::kNoTranslation});
}

}  // namespace
}  // namespace culvert::tunnel
