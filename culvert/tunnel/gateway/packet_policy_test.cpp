#include "culvert/tunnel/gateway/packet_policy.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::gateway_cidr;
using test::icmp;
using test::id;
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
        EXPECT_EQ(outbound(only_tcp, packet), std::unexpected{Refusal::kIcmp});
    }
    for (const auto& packet : {echo, unreachable, timestamp}) {
        EXPECT_TRUE(outbound(echo_and_more, packet));
    }
}

TEST(OutboundPolicy, LetsNoIcmpPassThatAsksForWhatCannotComeBack) {
    const auto everything = policy("10.0.0.0/24");
    const auto client = ip("100.64.0.1");
    const auto host = ip("10.0.0.5");
    const auto somebody_elses = packet::make_icmp(client, host, 3, 3, 0, udp_from("10.0.0.6:53"));

    for (const auto type : std::initializer_list<std::uint8_t>{10, 14, 15, 18, 40}) {
        EXPECT_EQ(outbound(everything, packet::make_icmp(client, host, type, 0, 0, Bytes(12))),
                  std::unexpected{Refusal::kNoL4Value})
            << int{type};
    }
    EXPECT_TRUE(outbound(everything, packet::make_icmp(client, host, 13, 0, 0, Bytes(12)))) << "timestamp";
    EXPECT_EQ(outbound(everything, packet::make_icmp_echo_reply(client, host, 1, 1, {})),
              std::unexpected{Refusal::kNoL4Value});
    EXPECT_EQ(outbound(everything, somebody_elses), std::unexpected{Refusal::kNoL4Value});
}

TEST(OutboundPolicy, NeverReachesOtherPeersOrUntranslatedProxies) {
    const auto everything = policy("0.0.0.0/0");

    EXPECT_EQ(outbound(everything, udp_to("100.64.0.9:80")), std::unexpected{Refusal::kPeerAddress});
    EXPECT_EQ(outbound(everything, udp_to("100.96.0.1:80")), std::unexpected{Refusal::kNoTranslation});
    EXPECT_EQ(icmp_error_of(Refusal::kPeerAddress), packet::IcmpErrorKind::kProhibited);
    EXPECT_EQ(icmp_error_of(Refusal::kTcpPort), packet::IcmpErrorKind::kProhibited);
    EXPECT_EQ(icmp_error_of(Refusal::kNoTranslation), packet::IcmpErrorKind::kUnreachable);
}

TEST(OutboundPolicy, NeverReachesAnythingOfTheTunnelItself) {
    const auto everything = policy("::/0");
    const auto to = [](std::string_view destination) {
        return packet::make_udp(socket("[fd00:2021:1111::1]:5000"), {ip(destination), 80}, {});
    };

    EXPECT_TRUE(outbound(everything, to("2001:db8::1")));
    EXPECT_EQ(outbound(everything, to("fd00:2021:1111::9")), std::unexpected{Refusal::kPeerAddress});
    EXPECT_EQ(outbound(everything, to("fd00:2021:1111:8000:100:100:111:1")), std::unexpected{Refusal::kPeerAddress})
        << "a sentinel";
    EXPECT_EQ(outbound(everything, to("fd00:2021:1111:7::9")), std::unexpected{Refusal::kPeerAddress});
}

TEST(OutboundPolicy, NeverReachesWhatStandsForNoHost) {
    for (const auto* reserved : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"}) {
        const auto packet = packet::make_udp(socket(kClient), {ip(reserved), 80}, {});
        EXPECT_EQ(outbound(policy("0.0.0.0/0"), packet), std::unexpected{Refusal::kReservedAddress}) << reserved;
        EXPECT_EQ(outbound(policy(std::string{reserved} + "/32"), packet), std::unexpected{Refusal::kReservedAddress})
            << reserved;
    }
    for (const auto* reserved : {"::", "::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1"}) {
        const auto packet = packet::make_udp(socket("[fd00:2021:1111::1]:5000"), {ip(reserved), 80}, {});
        EXPECT_EQ(outbound(policy("::/0"), packet), std::unexpected{Refusal::kReservedAddress}) << reserved;
    }
}

TEST(OutboundPolicy, ReachesLinkLocalAddressesOnlyByAResourceOfThatRange) {
    const auto metadata = udp_to("169.254.169.254:80");

    EXPECT_EQ(outbound(policy("0.0.0.0/0"), metadata), std::unexpected{Refusal::kNoFilter});
    EXPECT_EQ(outbound(policy("169.0.0.0/8"), metadata), std::unexpected{Refusal::kNoFilter});
    EXPECT_TRUE(outbound(policy("169.254.0.0/16"), metadata));
    EXPECT_TRUE(outbound(policy("169.254.169.254/32"), metadata));
    EXPECT_TRUE(outbound(policy("169.0.0.0/8"), udp_to("169.1.2.3:80")));
}

TEST(OutboundPolicy, ReachesWhatCloudsKeepForAMachineOnlyByAResourceOfThat) {
    const auto wire_server = udp_to("168.63.129.16:80");

    EXPECT_EQ(outbound(policy("0.0.0.0/0"), wire_server), std::unexpected{Refusal::kNoFilter});
    EXPECT_TRUE(outbound(policy("168.63.129.16/32"), wire_server));
    EXPECT_TRUE(outbound(policy("0.0.0.0/0"), udp_to("168.63.129.17:80")));
    const auto metadata = packet::make_udp(socket("[fd00:2021:1111::1]:5000"), {ip("fd00:ec2::254"), 80}, {});
    EXPECT_EQ(outbound(policy("fc00::/7"), metadata), std::unexpected{Refusal::kNoFilter});
    EXPECT_TRUE(outbound(policy("fd00:ec2::254/128"), metadata));
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

TEST(InboundPolicy, LetsNoErrorThroughThatIsAboutAnybodyElse) {
    const auto everything = policy("0.0.0.0/0", {tcp(80, 80)});
    const auto foreign = packet::make_udp(socket("100.64.0.7:5000"), socket("10.0.0.5:53"), {});

    EXPECT_FALSE(inbound(everything, packet::make_icmp(ip("10.0.0.5"), ip("100.64.0.1"), 3, 3, 0, foreign)));
    EXPECT_FALSE(inbound(everything, icmp_error_from("127.0.0.1")));
    EXPECT_FALSE(inbound(everything, icmp_error_from("224.0.0.1")));
}

TEST(InboundPolicy, LetsOtherProtocolsThroughOnlyWithoutFilters) {
    const auto gre = packet::make_ip(ip("10.0.0.5"), ip("100.64.0.1"), 47, Bytes(8));

    EXPECT_TRUE(inbound(policy("10.0.0.0/24"), gre));
    EXPECT_EQ(inbound(policy("10.0.0.0/24", {tcp(80, 80), icmp()}), gre), std::unexpected{Refusal::kNoFilter});
    EXPECT_EQ(inbound(policy("10.0.1.0/24"), gre), std::unexpected{Refusal::kNoFilter});
}

TEST(InboundPolicy, DropsIcmpThatAnswersNothing) {
    const auto everything = policy("0.0.0.0/0");

    EXPECT_EQ(inbound(everything, packet::make_icmp(ip("10.0.0.5"), ip("100.64.0.1"), 13, 0, 0, Bytes(12))),
              std::unexpected{Refusal::kNoL4Value})
        << "a timestamp request";
    EXPECT_TRUE(inbound(everything, packet::make_icmp(ip("10.0.0.5"), ip("100.64.0.1"), 14, 0, 0, Bytes(12))));
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

// --- The gateway itself ---

constexpr auto kGateway = "100.64.1.1";

bool reaches_gateway(Bytes packet, const ClientPolicy& policy = {}) {
    return check_to_gateway(policy, packet::IpPacket::parse(packet).value()).has_value();
}
bool leaves_gateway(Bytes packet) {
    return check_from_gateway(packet::IpPacket::parse(packet).value()).has_value();
}

TEST(GatewayItself, IsAskedNothingButForAnEcho) {
    const auto client = ip("100.64.0.1");
    const auto gateway = ip(kGateway);

    EXPECT_TRUE(reaches_gateway(packet::make_icmp_echo_request(client, gateway, 1, 1, {})));
    EXPECT_TRUE(reaches_gateway(
        packet::make_icmp_echo_request(ip("fd00:2021:1111::1"), ip("fd00:2021:1111::2"), 1, 1, Bytes(8))));

    EXPECT_FALSE(reaches_gateway(udp_to("100.64.1.1:53535")));
    EXPECT_FALSE(reaches_gateway(packet::make_tcp(socket(kClient), socket("100.64.1.1:22"), {}, {})));
    EXPECT_FALSE(reaches_gateway(packet::make_ip(client, gateway, 47, Bytes(8)))) << "GRE";
    EXPECT_FALSE(reaches_gateway(packet::make_icmp_echo_reply(client, gateway, 1, 1, {})));
    EXPECT_FALSE(reaches_gateway(packet::make_icmp(client, gateway, 13, 0, 0, Bytes(12)))) << "timestamp";
    EXPECT_FALSE(reaches_gateway(packet::make_icmp(client, gateway, 5, 1, 0, udp_to("10.0.0.5:53")))) << "redirect";
    EXPECT_FALSE(reaches_gateway(packet::make_icmp(client, gateway, 3, 4, 600, udp_from("100.64.1.1:53"))))
        << "an error about what it never sends";
    EXPECT_FALSE(
        reaches_gateway(packet::make_icmp(ip("fd00:2021:1111::1"), ip("fd00:2021:1111::2"), 135, 0, 0, Bytes(16))))
        << "neighbour solicitation";
}

TEST(GatewayItself, IsAskedAboutNamesByWhoMayUseSome) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "0.0.0.0/0"), {});
    EXPECT_FALSE(reaches_gateway(udp_to("100.64.1.1:53535"), policy));

    policy.allow(portal_api::GatewayDnsResource{id<ResourceId>(2), "", "*.example", {}}, {});
    EXPECT_TRUE(reaches_gateway(udp_to("100.64.1.1:53535"), policy));
    EXPECT_TRUE(reaches_gateway(packet::make_tcp(socket(kClient), socket("100.64.1.1:53535"), {}, {}), policy));
    EXPECT_FALSE(reaches_gateway(udp_to("100.64.1.1:53"), policy));
    EXPECT_FALSE(reaches_gateway(packet::make_tcp(socket(kClient), socket("100.64.1.1:22"), {}, {}), policy));
}

TEST(GatewayItself, SendsNothingButEchoesAndErrors) {
    const auto client = ip("100.64.0.1");
    const auto gateway = ip(kGateway);

    EXPECT_TRUE(leaves_gateway(packet::make_icmp_echo_reply(gateway, client, 1, 1, {})));
    EXPECT_TRUE(leaves_gateway(icmp_error_from(kGateway)));

    EXPECT_FALSE(leaves_gateway(udp_from("100.64.1.1:53535")));
    EXPECT_FALSE(leaves_gateway(tcp_from("100.64.1.1:22")));
    EXPECT_FALSE(leaves_gateway(packet::make_icmp_echo_request(gateway, client, 1, 1, {})));
    EXPECT_FALSE(leaves_gateway(packet::make_icmp(gateway, client, 5, 1, 0, udp_to("10.0.0.5:53")))) << "redirect";
    EXPECT_FALSE(leaves_gateway(packet::make_icmp(gateway, client, 3, 3, 0, udp_from("10.0.0.5:53"))))
        << "about somebody else's packet";
}

}  // namespace
}  // namespace culvert::tunnel
