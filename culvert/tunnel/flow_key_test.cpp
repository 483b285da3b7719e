#include "culvert/tunnel/flow_key.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::ip;
using test::socket;

const auto kClient = ip("100.64.0.1");
const auto kHost = ip("10.0.0.5");
const auto kClient6 = ip("fd00:2021:1111::1");
const auto kHost6 = ip("2001:db8::5");

std::optional<FlowKey> outbound(Bytes packet) {
    return outbound_flow(packet::IpPacket::parse(packet).value());
}
std::optional<FlowKey> inbound(Bytes packet) {
    return inbound_flow(packet::IpPacket::parse(packet).value());
}
std::optional<FlowKey> quoted(Bytes packet) {
    return quoted_flow(packet::IpPacket::parse(packet).value());
}

TEST(FlowKey, IsTheSameForAPacketItsAnswerAndAnErrorAboutIt) {
    const net::SocketAddress here{kClient, 5000};
    const net::SocketAddress there{kHost, 80};
    const struct {
        Bytes request;
        Bytes answer;
        FlowKey key;
    } cases[] = {
        {packet::make_udp(here, there, {}), packet::make_udp(there, here, {}), {kClient, kHost, 5000, 80, 17}},
        {packet::make_tcp(here, there, {}, {}), packet::make_tcp(there, here, {}, {}), {kClient, kHost, 5000, 80, 6}},
        {packet::make_icmp_echo_request(kClient, kHost, 7, 1, {}),
         packet::make_icmp_echo_reply(kHost, kClient, 7, 9, {}),
         {kClient, kHost, 7, 7, 1}},
        {packet::make_ip(kClient, kHost, 47, Bytes(8)),
         packet::make_ip(kHost, kClient, 47, Bytes(8)),
         {kClient, kHost, 0, 0, 47}},
        {packet::make_icmp(kClient, kHost, 13, 0, 7U << 16U, Bytes(12)),
         packet::make_icmp(kHost, kClient, 14, 0, 7U << 16U, Bytes(12)),
         {kClient, kHost, 7, 7, 1, 13}},
        {packet::make_icmp(kClient, kHost, 17, 0, 7U << 16U, Bytes(4)),
         packet::make_icmp(kHost, kClient, 18, 0, 7U << 16U, Bytes(4)),
         {kClient, kHost, 7, 7, 1, 17}},
        {packet::make_icmp_echo_request(kClient6, kHost6, 7, 1, {}),
         packet::make_icmp_echo_reply(kHost6, kClient6, 7, 9, {}),
         {kClient6, kHost6, 7, 7, 58}},
    };
    for (const auto& [request, answer, key] : cases) {
        EXPECT_EQ(outbound(request), key);
        EXPECT_EQ(inbound(answer), key);
        const auto error = key.client.is_v4() ? packet::make_icmp(ip("192.0.2.1"), kClient, 11, 0, 0, request)
                                              : packet::make_icmp(ip("2001:db8::9"), kClient6, 3, 0, 0, request);
        EXPECT_EQ(quoted(error), key.icmp_query == 0 ? std::optional{key} : std::nullopt)
            << "of queries only about echoes";
    }
}

TEST(FlowKey, IsNoneForRequestsTowardsTheClient) {
    EXPECT_EQ(inbound(packet::make_icmp_echo_request(kHost, kClient, 7, 1, {})), std::nullopt);
    EXPECT_EQ(inbound(packet::make_icmp_echo_request(kHost6, kClient6, 7, 1, {})), std::nullopt);
    EXPECT_EQ(inbound(packet::make_icmp(kHost, kClient, 5, 1, 0, Bytes(28))), std::nullopt) << "redirect";
    EXPECT_EQ(inbound(packet::make_icmp(kHost, kClient, 13, 0, 0, Bytes(12))), std::nullopt) << "timestamp";
    EXPECT_EQ(inbound(packet::make_icmp(kHost6, kClient6, 136, 0, 0, Bytes(16))), std::nullopt) << "neighbour";
    EXPECT_EQ(inbound(packet::make_icmp(kHost6, kClient6, 14, 0, 0, Bytes(12))), std::nullopt) << "means nothing";
}

TEST(FlowKey, IsNoneForWhatOpensNothing) {
    EXPECT_EQ(outbound(packet::make_icmp_echo_reply(kClient, kHost, 7, 1, {})), std::nullopt);
    EXPECT_EQ(outbound(packet::make_icmp(kClient, kHost, 3, 3, 0, Bytes(28))), std::nullopt);
    EXPECT_EQ(outbound(packet::make_icmp(kClient, kHost, 14, 0, 0, Bytes(12))), std::nullopt) << "timestamp reply";
    EXPECT_EQ(outbound(packet::make_icmp(kClient, kHost, 13, 1, 0, Bytes(12))), std::nullopt) << "of no code there is";
    EXPECT_EQ(outbound(packet::make_icmp(kClient, kHost, 15, 0, 0, Bytes(12))), std::nullopt) << "information";
    EXPECT_EQ(outbound(packet::make_icmp(kClient6, kHost6, 13, 0, 0, Bytes(12))), std::nullopt);
}

TEST(FlowKey, IsNoneForErrorsThatQuoteNoRequest) {
    const auto unreachable = [](ByteSpan about) { return quoted(packet::make_icmp(kHost, kClient, 3, 1, 0, about)); };
    const auto request = packet::make_udp({kClient, 5000}, {kHost, 80}, {});

    EXPECT_TRUE(unreachable(request));
    EXPECT_EQ(unreachable({}), std::nullopt);
    EXPECT_EQ(unreachable(ByteSpan{request}.first(23)), std::nullopt) << "without its ports";
    EXPECT_EQ(unreachable(packet::make_icmp_echo_reply(kClient, kHost, 7, 1, {})), std::nullopt);
    EXPECT_EQ(unreachable(packet::make_icmp(kClient, kHost, 3, 3, 0, request)), std::nullopt) << "an error itself";
    EXPECT_EQ(quoted(packet::make_icmp(kHost, kClient, 5, 1, 0, request)), std::nullopt) << "redirect";
    EXPECT_EQ(quoted(packet::make_icmp_echo_reply(kHost, kClient, 7, 1, request)), std::nullopt);
    EXPECT_EQ(quoted(request), std::nullopt);
}

}  // namespace
}  // namespace culvert::tunnel
