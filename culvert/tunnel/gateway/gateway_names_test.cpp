#include "culvert/tunnel/gateway/gateway_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/dns/test_messages.h"
#include "culvert/observability/log_capture.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"
#include "culvert/tunnel/names/constants.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// Names and their translation on a gateway: spec/tunnel.md sections 11.5 and 11.6, with a client that sends whatever it
// is given.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kClient4 = "100.64.0.1";
constexpr std::string_view kClient6 = "fd00:2021:1111::1";

portal_api::GatewayDnsResource gateway_dns(std::uint8_t number, std::string_view pattern,
                                           std::vector<portal_api::Filter> filters = {}) {
    return {.id = id<ResourceId>(number),
            .name = "resource " + std::to_string(number),
            .address = std::string{pattern},
            .filters = std::move(filters)};
}

std::string socket_text(std::string_view address, std::uint16_t port) {
    return address.find(':') == std::string_view::npos ? std::string{address} + ":" + std::to_string(port)
                                                       : "[" + std::string{address} + "]:" + std::to_string(port);
}

Bytes udp_from(std::string_view source, std::uint16_t port, std::string_view destination, std::uint16_t to = 80) {
    return packet::make_udp(socket(socket_text(source, port)), socket(socket_text(destination, to)), Bytes(20));
}
Bytes tcp_from(std::string_view source, std::uint16_t port, std::string_view destination, std::uint16_t to,
               std::uint8_t flags) {
    return packet::make_tcp(socket(socket_text(source, port)), socket(socket_text(destination, to)), {.flags = flags},
                            {});
}

/// "source > destination", with ports or the identifier of an echo, or what an ICMP error says.
std::string describe(const Bytes& bytes) {
    auto copy = bytes;
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet) {
        return "malformed";
    }
    if (!packet->checksums_are_valid()) {
        return "bad checksum";
    }
    const auto error = packet::inspect_icmp_error(*packet);
    if (error && *error) {
        const auto& [type, code, rest, embedded] = **error;
        return std::to_string(type) + "/" + std::to_string(code) + " from " + packet->source().to_string() + " about " +
               net::SocketAddress{embedded.source, embedded.source_value.value}.to_string() + " > " +
               net::SocketAddress{embedded.destination, embedded.destination_value.value}.to_string();
    }
    const auto source = packet->source_value();
    const auto destination = packet->destination_value();
    return net::SocketAddress{packet->source(), source ? source->value : std::uint16_t{0}}.to_string() + " > " +
           net::SocketAddress{packet->destination(), destination ? destination->value : std::uint16_t{0}}.to_string();
}

class GatewayNamesTest : public ::testing::Test {
protected:
    void SetUp() override { network.connect_rogue(gateway, gateway_dns(1, "*.example")); }

    void allow(const portal_api::GatewayResource& resource, std::optional<UnixSeconds> expires_at = {}) {
        auto message = network.rogue_authorization;
        message.resource = resource;
        message.expires_at = expires_at;
        network.to_gateway(gateway, message);
        network.run_for(100ms);
    }

    /// What the client is told, in order.
    std::vector<std::string> statuses(TunnelNetwork::Rogue& rogue) {
        std::vector<std::string> texts;
        for (const auto& packet : rogue.received) {
            if (const auto control = p2p::parse_control_packet(packet)) {
                const auto status = p2p::decode_domain_status(control->payload);
                texts.push_back(status->domain + (status->status == p2p::NatStatus::kActive ? " active" : " inactive"));
            }
        }
        rogue.received.clear();
        return texts;
    }
    static Bytes assigned_ips(std::string_view domain, const std::vector<std::string>& proxies,
                              std::uint8_t resource = 1) {
        p2p::AssignedIps message{id<ResourceId>(resource), std::string{domain}, {}};
        for (const auto& proxy : proxies) {
            message.proxy_ips.push_back(ip(proxy));
        }
        return *p2p::make_control_packet(p2p::EventType::kAssignedIps, as_bytes(p2p::encode(message)));
    }
    void request(std::string_view domain, const std::vector<std::string>& proxies, std::uint8_t resource = 1) {
        network.send_from_rogue(gateway, assigned_ips(domain, proxies, resource));
        network.run_for(50ms);
    }
    void resolve(std::vector<std::string> addresses, Duration lifetime = Duration::zero()) {
        NameFound found{.id = gateway.look_ups.back().id, .addresses = {}, .lifetime = lifetime};
        for (const auto& address : addresses) {
            found.addresses.push_back(ip(address));
        }
        network.command(gateway, found);
        network.run_for(50ms);
    }
    std::vector<std::string> set_up(std::string_view domain, const std::vector<std::string>& proxies,
                                    std::vector<std::string> addresses, std::uint8_t resource = 1) {
        request(domain, proxies, resource);
        resolve(std::move(addresses));
        return statuses(*network.rogue);
    }

    /// What leaves the gateway's TUN for it.
    std::string send(ByteSpan packet) {
        gateway.received.clear();
        network.rogue->received.clear();
        network.send_from_rogue(gateway, packet);
        network.run_for(50ms);
        return gateway.received.empty() ? "nothing" : describe(gateway.received.back());
    }
    /// How the gateway answers what it does not pass on.
    std::string refusal(ByteSpan packet) {
        EXPECT_EQ(send(packet), "nothing");
        return answer();
    }
    std::string answer() { return network.rogue->received.empty() ? "none" : describe(network.rogue->received.back()); }
    /// What the client gets for it.
    std::string reply(ByteSpan packet) {
        network.rogue->received.clear();
        network.send(gateway, packet);
        network.run_for(50ms);
        return answer();
    }

    std::string udp(std::uint16_t port, std::string_view destination, std::uint16_t to = 80) {
        return send(
            udp_from(destination.find(':') == std::string_view::npos ? kClient4 : kClient6, port, destination, to));
    }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
    const std::vector<std::string> two{"100.96.0.1", "100.96.0.2"};
    const std::vector<std::string> four{"100.96.0.1", "100.96.0.2", "100.96.0.3", "100.96.0.4"};
};

// --- Setting up ---

TEST_F(GatewayNamesTest, AreLookedUpAndSetUp) {
    request("foo.example", two);
    ASSERT_THAT(gateway.look_ups, SizeIs(1));
    EXPECT_EQ(gateway.look_ups[0].domain, dns::Name::parse("foo.example"));
    EXPECT_THAT(statuses(*network.rogue), IsEmpty()) << "nobody knows yet";

    resolve({"10.0.0.1"});
    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example active"));
    EXPECT_EQ(udp(1000, "100.96.0.1"), "100.64.0.1:1000 > 10.0.0.1:80");
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1000)), "100.96.0.1:80 > 100.64.0.1:1000");
}

TEST_F(GatewayNamesTest, MustBeNamesOfAResourceThatTheClientHas) {
    request("foo.test", two);
    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.test inactive")) << "G8, T14: not its pattern";
    request("foo.example", two, 2);
    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example inactive")) << "T13: not its resource";
    allow(gateway_cidr(3, "10.1.0.0/24"));
    request("foo.example", two, 3);
    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example inactive")) << "not a resource with names";
    EXPECT_THAT(gateway.look_ups, IsEmpty()) << "nobody is asked";
    EXPECT_EQ(refusal(udp_from(kClient4, 1000, "100.96.0.1")),
              "3/13 from 100.96.0.1 about 100.64.0.1:1000 > 100.96.0.1:80");
}

TEST_F(GatewayNamesTest, MustHaveProxyIps) {
    for (const auto* address : {"10.0.0.1", "100.64.0.1", "100.64.1.1", "100.100.111.1", "fd00:2021:1111::1"}) {
        request("foo.example", {"100.96.0.1", address});
        EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example inactive")) << address;
    }
    request("foo.example", {});
    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example inactive"));
    EXPECT_THAT(gateway.look_ups, IsEmpty());
}

TEST_F(GatewayNamesTest, ThatAreNotFoundAreInactive) {
    request("foo.example", two);
    network.command(gateway, NameLookUpFailed{gateway.look_ups.back().id});
    network.run_for(50ms);

    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example inactive"));
    EXPECT_EQ(refusal(udp_from(kClient4, 1000, "100.96.0.1")),
              "3/13 from 100.96.0.1 about 100.64.0.1:1000 > 100.96.0.1:80")
        << "T7";
}

TEST_F(GatewayNamesTest, ThatNobodyAnswersForAreInactiveInTime) {
    request("foo.example", two);
    network.run_for(9900ms);
    EXPECT_THAT(statuses(*network.rogue), IsEmpty());
    network.run_for(200ms);
    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example inactive"));

    resolve({"10.0.0.1"});
    EXPECT_THAT(statuses(*network.rogue), IsEmpty()) << "too late";
}

TEST_F(GatewayNamesTest, WithoutAddressesAreUnreachable) {
    EXPECT_THAT(set_up("foo.example", {"100.96.0.1", "fd00:2021:1111:8000::"}, {}), ElementsAre("foo.example active"))
        << "T6";
    EXPECT_EQ(refusal(udp_from(kClient4, 1000, "100.96.0.1")),
              "3/0 from 100.96.0.1 about 100.64.0.1:1000 > 100.96.0.1:80");
    EXPECT_EQ(refusal(udp_from(kClient6, 1000, "fd00:2021:1111:8000::")),
              "1/3 from fd00:2021:1111:8000:: about [fd00:2021:1111::1]:1000 > [fd00:2021:1111:8000::]:80");
}

TEST_F(GatewayNamesTest, OfOneFamilyAreUnreachableOverTheOther) {
    const std::vector<std::string> both{"100.96.0.1", "100.96.0.2", "fd00:2021:1111:8000::", "fd00:2021:1111:8000::1"};
    set_up("four.example", both, {"10.0.0.1"});
    EXPECT_EQ(udp(1000, "100.96.0.2"), "100.64.0.1:1000 > 10.0.0.1:80");
    EXPECT_THAT(refusal(udp_from(kClient6, 1000, "fd00:2021:1111:8000::1")), testing::StartsWith("1/3 from"));

    set_up("six.example", both, {"2001:db8::1"});
    EXPECT_THAT(refusal(udp_from(kClient4, 1000, "100.96.0.2")), testing::StartsWith("3/0 from"));
    EXPECT_EQ(udp(1000, "fd00:2021:1111:8000::1"), "[fd00:2021:1111::1]:1000 > [2001:db8::1]:80");
    EXPECT_EQ(reply(udp_from("2001:db8::1", 80, kClient6, 1000)),
              "[fd00:2021:1111:8000::1]:80 > [fd00:2021:1111::1]:1000");
}

TEST_F(GatewayNamesTest, SpreadTheirAddressesOverTheProxyIps) {
    set_up("foo.example", four, {"10.0.0.2", "10.0.0.1"});
    EXPECT_EQ(udp(1, "100.96.0.1"), "100.64.0.1:1 > 10.0.0.1:80") << "T4";
    EXPECT_EQ(udp(2, "100.96.0.2"), "100.64.0.1:2 > 10.0.0.2:80");
    EXPECT_EQ(udp(3, "100.96.0.3"), "100.64.0.1:3 > 10.0.0.1:80");
    EXPECT_EQ(udp(4, "100.96.0.4"), "100.64.0.1:4 > 10.0.0.2:80");

    std::vector<std::string> many;
    for (int i = 40; i > 0; --i) {
        many.push_back("10.0.1." + std::to_string(i));
    }
    set_up("many.example", {"100.96.0.5", "100.96.0.6"}, many);
    EXPECT_EQ(udp(5, "100.96.0.5"), "100.64.0.1:5 > 10.0.1.1:80");
    EXPECT_EQ(udp(6, "100.96.0.6"), "100.64.0.1:6 > 10.0.1.2:80");
}

TEST_F(GatewayNamesTest, DoNotLeadToTheGatewayOrIntoTheTunnel) {
    set_up("foo.example", two, {"127.0.0.1", "100.64.1.1", "100.64.0.67", "169.254.169.254", "224.0.0.1", "::1"});
    EXPECT_THAT(refusal(udp_from(kClient4, 1000, "100.96.0.1")), testing::StartsWith("3/0 from"));
}

TEST_F(GatewayNamesTest, AreAskedForOnceByManyAndRememberedForAWhile) {
    request("foo.example", two);
    request("foo.example", two);
    EXPECT_THAT(gateway.look_ups, SizeIs(1));
    resolve({"10.0.0.1"}, 30s);
    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example active"));

    request("foo.example", two);
    EXPECT_THAT(gateway.look_ups, SizeIs(1));
    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example active"));
    network.run_for(30s);
    request("foo.example", two);
    EXPECT_THAT(gateway.look_ups, SizeIs(2));
}

TEST_F(GatewayNamesTest, AreNotLookedUpWithoutLimit) {
    for (std::size_t i = 0; i < kMaxResolutionsPerClient + 50; ++i) {
        network.send_from_rogue(gateway, assigned_ips("n" + std::to_string(i) + ".example", two));
    }
    network.run_for(100ms);

    EXPECT_THAT(gateway.look_ups, SizeIs(kMaxResolutionsPerClient));
}

TEST_F(GatewayNamesTest, OfOtherShardsAreNoneOfOurs) {
    request("foo.example", two);
    NameFound found{.id = gateway.look_ups.back().id, .addresses = {ip("10.0.0.1")}, .lifetime = {}};
    found.id.number |= std::uint64_t{1} << 48U;
    network.command(gateway, found);
    network.command(gateway, NameLookUpFailed{found.id});
    network.run_for(50ms);

    EXPECT_THAT(statuses(*network.rogue), IsEmpty());
}

TEST_F(GatewayNamesTest, ThatWereTakenAwayWhileTheyWereLookedUpAreInactive) {
    allow(gateway_cidr(2, "10.9.0.0/24"));
    request("foo.example", two);
    network.to_gateway(gateway, portal_api::RejectAccess{network.rogue->id, id<ResourceId>(1)});
    resolve({"10.0.0.1"});

    EXPECT_THAT(statuses(*network.rogue), ElementsAre("foo.example inactive"));
    EXPECT_EQ(udp(1000, "100.96.0.1"), "nothing");
}

TEST_F(GatewayNamesTest, BadRequestsAreIgnored) {
    for (const auto* text :
         {"", "{}", "[]", "null", R"({"resource":1})", R"({"resource":"x","domain":"a","proxy_ips":[]})",
          R"({"resource":"6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101","domain":"a","proxy_ips":["x"]})"}) {
        network.send_from_rogue(gateway, *p2p::make_control_packet(p2p::EventType::kAssignedIps, as_bytes(text)));
    }
    network.run_for(50ms);

    EXPECT_THAT(statuses(*network.rogue), IsEmpty());
    EXPECT_THAT(set_up("foo.example", two, {"10.0.0.1"}), ElementsAre("foo.example active"));
}

// --- Filters ---

TEST_F(GatewayNamesTest, AreFilteredByTheirResourceAndAddressesByTheirs) {
    allow(gateway_dns(2, "foo.test", {test::udp(80, 80)}));
    allow(gateway_cidr(3, "10.0.0.0/24", {test::udp(443, 443)}));
    set_up("foo.test", two, {"10.0.0.1"}, 2);

    EXPECT_NE(udp(1, "10.0.0.1", 443), "nothing") << "G6";
    EXPECT_THAT(refusal(udp_from(kClient4, 2, "10.0.0.1", 80)), testing::StartsWith("3/13"));
    EXPECT_THAT(refusal(udp_from(kClient4, 3, "100.96.0.1", 443)), testing::StartsWith("3/13"));
    EXPECT_NE(udp(4, "100.96.0.1", 80), "nothing");
    EXPECT_THAT(refusal(tcp_from(kClient4, 5, "100.96.0.1", 80, packet::kTcpSyn)), testing::StartsWith("3/13"));
}

TEST_F(GatewayNamesTest, AreFilteredEvenIfTheInternetIsOpen) {
    allow(gateway_dns(2, "foo.test", {test::udp(80, 80)}));
    allow(portal_api::GatewayInternetResource{id<ResourceId>(3)});
    set_up("foo.test", two, {"10.0.0.1"}, 2);

    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.1", 600)), testing::StartsWith("3/13")) << "G7";
    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.9", 80)), testing::StartsWith("3/13"))
        << "no name has this address";
    EXPECT_NE(udp(2, "1.1.1.1", 600), "nothing");
}

TEST_F(GatewayNamesTest, TakeNewFiltersWhileTheyAreInUse) {
    allow(gateway_dns(2, "foo.test"));
    set_up("foo.test", two, {"10.0.0.1"}, 2);
    EXPECT_NE(udp(1, "100.96.0.1", 443), "nothing");

    network.to_gateway(gateway, portal_api::ResourceUpdated{gateway_dns(2, "foo.test", {test::udp(80, 80)})});
    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.1", 443)), testing::StartsWith("3/13"));
    EXPECT_EQ(reply(udp_from("10.0.0.1", 443, kClient4, 1)), "none") << "what ran before is over too";
    EXPECT_NE(udp(1, "100.96.0.1", 80), "nothing");
    EXPECT_NE(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "none");
}

// The client numbers anew, and has a flow that was judged by the filters of the resource that had the address before.
TEST_F(GatewayNamesTest, ThatTakeOverAnAddressBringTheirFiltersAlong) {
    allow(gateway_dns(2, "foo.test", {test::udp(80, 80)}));
    set_up("open.example", two, {"10.0.0.1"});
    EXPECT_NE(udp(1, "100.96.0.1", 443), "nothing");
    EXPECT_NE(udp(1, "100.96.0.1", 80), "nothing");

    set_up("foo.test", two, {"10.0.0.2"}, 2);
    EXPECT_EQ(udp(1, "100.96.0.1", 80), "100.64.0.1:1 > 10.0.0.2:80") << "T3";
    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.1", 443)), testing::StartsWith("3/13"));
}

// --- Sessions ---

TEST_F(GatewayNamesTest, AnswerInTimeOrNotAtAll) {
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_NE(udp(1, "100.96.0.1"), "nothing");
    network.run_for(30s);
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "100.96.0.1:80 > 100.64.0.1:1") << "T1";
    network.run_for(122s);
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "none");
}

TEST_F(GatewayNamesTest, LateAnswersAreNotTakenForThoseOfAnAddress) {
    allow(gateway_cidr(3, "10.0.0.0/24"));
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_NE(udp(1, "100.96.0.1"), "nothing");
    network.run_for(122s);

    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "none");
}

TEST_F(GatewayNamesTest, ThatMoveTakeNewSessionsAlong) {
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_EQ(udp(1, "100.96.0.1"), "100.64.0.1:1 > 10.0.0.1:80");
    set_up("foo.example", two, {"10.0.0.2"});

    EXPECT_EQ(udp(1, "100.96.0.1"), "100.64.0.1:1 > 10.0.0.1:80") << "T2";
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "100.96.0.1:80 > 100.64.0.1:1");
    EXPECT_EQ(udp(2, "100.96.0.1"), "100.64.0.1:2 > 10.0.0.2:80");
}

TEST_F(GatewayNamesTest, OnOneHostAreToldApartByPorts) {
    set_up("foo.example", {"100.96.0.1"}, {"10.0.0.1"});
    set_up("baz.example", {"100.96.0.5"}, {"10.0.0.1"});

    EXPECT_EQ(udp(5000, "100.96.0.1"), "100.64.0.1:5000 > 10.0.0.1:80") << "T8";
    EXPECT_EQ(udp(5000, "100.96.0.5"), "100.64.0.1:5001 > 10.0.0.1:80");
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 5000)), "100.96.0.1:80 > 100.64.0.1:5000");
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 5001)), "100.96.0.5:80 > 100.64.0.1:5000");
}

TEST_F(GatewayNamesTest, ConnectionsEndWithARst) {
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_NE(send(tcp_from(kClient4, 1, "100.96.0.1", 80, packet::kTcpSyn)), "nothing");
    EXPECT_NE(send(tcp_from(kClient4, 1, "100.96.0.1", 80, packet::kTcpRst)), "nothing") << "T9";
    EXPECT_EQ(reply(tcp_from("10.0.0.1", 80, kClient4, 1, packet::kTcpAck)), "none");

    EXPECT_NE(send(tcp_from(kClient4, 2, "100.96.0.1", 80, packet::kTcpSyn)), "nothing");
    EXPECT_NE(reply(tcp_from("10.0.0.1", 80, kClient4, 2, packet::kTcpRst)), "none") << "T10";
    EXPECT_EQ(reply(tcp_from("10.0.0.1", 80, kClient4, 2, packet::kTcpAck)), "none");
}

TEST_F(GatewayNamesTest, RstOfNoConnectionIsNotAnswered) {
    set_up("foo.example", two, {"10.0.0.1"});

    EXPECT_EQ(refusal(tcp_from(kClient4, 1, "100.96.0.1", 80, packet::kTcpRst)), "none");
}

TEST_F(GatewayNamesTest, AnswerPings) {
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_EQ(send(packet::make_icmp_echo_request(ip(kClient4), ip("100.96.0.1"), 7, 1, {})),
              "100.64.0.1:7 > 10.0.0.1:7");
    EXPECT_EQ(send(packet::make_icmp_echo_request(ip(kClient4), ip("100.96.0.2"), 7, 1, {})),
              "100.64.0.1:8 > 10.0.0.1:8");
    EXPECT_EQ(reply(packet::make_icmp_echo_reply(ip("10.0.0.1"), ip(kClient4), 8, 1, {})),
              "100.96.0.2:7 > 100.64.0.1:7");
    EXPECT_EQ(reply(packet::make_icmp_echo_request(ip("10.0.0.1"), ip(kClient4), 8, 1, {})), "none")
        << "nobody pings clients";
}

TEST_F(GatewayNamesTest, AnswerOnlyWhereTheyWereAsked) {
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_NE(udp(1, "100.96.0.1", 80), "nothing");

    EXPECT_EQ(reply(udp_from("10.0.0.1", 81, kClient4, 1)), "none") << "another port of the same host";
    EXPECT_EQ(reply(udp_from("10.0.0.2", 80, kClient4, 1)), "none") << "another host";
    EXPECT_EQ(reply(udp_from("100.96.0.1", 80, kClient4, 1)), "none") << "no host has the address of a name";
}

TEST_F(GatewayNamesTest, KnowNoOtherProtocols) {
    set_up("foo.example", two, {"10.0.0.1"});
    auto gre = udp_from(kClient4, 1, "100.96.0.1");
    gre[9] = std::byte{47};
    auto view = packet::IpPacket::parse(gre);
    view->recompute_checksums();

    EXPECT_EQ(send(gre), "nothing");
}

// --- Flows to a name and to its address ---

TEST_F(GatewayNamesTest, TakeAnotherPortIfTheClientUsesItTowardsTheAddress) {
    allow(gateway_cidr(3, "10.0.0.0/24"));
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_EQ(udp(5000, "10.0.0.1"), "100.64.0.1:5000 > 10.0.0.1:80");
    EXPECT_EQ(udp(5000, "100.96.0.1"), "100.64.0.1:5001 > 10.0.0.1:80");

    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 5000)), "10.0.0.1:80 > 100.64.0.1:5000");
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 5001)), "100.96.0.1:80 > 100.64.0.1:5000");
}

TEST_F(GatewayNamesTest, KeepTheirPortFromFlowsToTheAddress) {
    allow(gateway_cidr(3, "10.0.0.0/24"));
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_EQ(udp(5000, "100.96.0.1"), "100.64.0.1:5000 > 10.0.0.1:80");

    EXPECT_THAT(refusal(udp_from(kClient4, 5000, "10.0.0.1", 80)), testing::StartsWith("3/0")) << "looks the same";
    EXPECT_EQ(udp(5000, "10.0.0.1", 81), "100.64.0.1:5000 > 10.0.0.1:81");
    EXPECT_THAT(refusal(udp_from(kClient4, 5000, "100.96.0.1", 81)), testing::StartsWith("3/0")) << "the other way";
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 5000)), "100.96.0.1:80 > 100.64.0.1:5000");
    EXPECT_EQ(reply(udp_from("10.0.0.1", 81, kClient4, 5000)), "10.0.0.1:81 > 100.64.0.1:5000");
}

// --- ICMP errors ---

TEST_F(GatewayNamesTest, ErrorsComeFromTheName) {
    set_up("foo.example", {"100.96.0.1"}, {"10.0.0.1"});
    set_up("baz.example", {"100.96.0.5"}, {"10.0.0.1"});
    udp(5000, "100.96.0.1");
    udp(5000, "100.96.0.5");
    const auto sent = gateway.received.back();

    EXPECT_EQ(reply(packet::make_icmp(ip("10.0.0.1"), ip(kClient4), 3, 3, 0, sent)),
              "3/3 from 100.96.0.5 about 100.64.0.1:5000 > 100.96.0.5:80")
        << "T12";
    EXPECT_EQ(reply(packet::make_icmp(ip("10.0.0.254"), ip(kClient4), 11, 0, 0, sent)),
              "11/0 from 100.96.0.5 about 100.64.0.1:5000 > 100.96.0.5:80")
        << "of a router on the way";
    EXPECT_EQ(reply(packet::make_icmp(ip("100.64.1.1"), ip(kClient4), 3, 4, 1400, sent)),
              "3/4 from 100.96.0.5 about 100.64.0.1:5000 > 100.96.0.5:80")
        << "D-8: of the gateway's own kernel";
}

TEST_F(GatewayNamesTest, ErrorsKeepTheMtu) {
    set_up("foo.example", {"100.96.0.1", "fd00:2021:1111:8000::"}, {"10.0.0.1", "2001:db8::1"});
    for (const bool is_v4 : {true, false}) {
        udp(5000, is_v4 ? "100.96.0.1" : "fd00:2021:1111:8000::");
        const auto sent = gateway.received.back();
        const auto error = is_v4 ? packet::make_icmp(ip("10.0.0.9"), ip(kClient4), 3, 4, 1111, sent)
                                 : packet::make_icmp(ip("2001:db8::9"), ip(kClient6), 2, 0, 1111, sent);
        ASSERT_NE(reply(error), "none");
        auto copy = network.rogue->received.back();
        const auto packet = packet::IpPacket::parse(copy);
        EXPECT_EQ((*packet::inspect_icmp_error(*packet))->next_hop_mtu(), 1111U);
    }
}

TEST_F(GatewayNamesTest, ErrorsAboutNothingAreDropped) {
    set_up("foo.example", {"100.96.0.1"}, {"10.0.0.1"});
    udp(5000, "100.96.0.1");
    auto sent = gateway.received.back();
    EXPECT_EQ(reply(packet::make_icmp(ip("10.0.0.1"), ip(kClient4), 3, 3, 0, udp_from(kClient4, 5001, "10.0.0.1"))),
              "none");
    EXPECT_EQ(reply(packet::make_icmp(ip("10.0.0.1"), ip(kClient4), 3, 3, 0, udp_from(kClient4, 5000, "10.0.0.1", 81))),
              "none")
        << "about another port";
    EXPECT_EQ(reply(packet::make_icmp(ip("100.64.0.9"), ip(kClient4), 3, 3, 0, sent)), "none") << "of another client";
    network.run_for(122s);
    EXPECT_EQ(reply(packet::make_icmp(ip("10.0.0.1"), ip(kClient4), 3, 3, 0, sent)), "none") << "late";
}

TEST_F(GatewayNamesTest, ErrorsOfTheClientGoToTheHost) {
    set_up("foo.example", {"100.96.0.1"}, {"10.0.0.1"});
    set_up("baz.example", {"100.96.0.5"}, {"10.0.0.1"});
    udp(5000, "100.96.0.1");
    udp(5000, "100.96.0.5");
    ASSERT_NE(reply(udp_from("10.0.0.1", 80, kClient4, 5001)), "none");
    const auto received = network.rogue->received.back();

    EXPECT_EQ(send(packet::make_icmp(ip(kClient4), ip("100.96.0.5"), 3, 3, 0, received)),
              "3/3 from 100.64.0.1 about 10.0.0.1:80 > 100.64.0.1:5001");
    EXPECT_EQ(send(packet::make_icmp(ip(kClient4), ip("100.96.0.5"), 3, 3, 0, udp_from("100.96.0.5", 80, kClient4, 9))),
              "nothing")
        << "about nothing";
}

// --- The end ---

TEST_F(GatewayNamesTest, AreGoneWithTheirResource) {
    allow(gateway_cidr(2, "10.9.0.0/24"));
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_NE(udp(1, "100.96.0.1"), "nothing");

    network.to_gateway(gateway, portal_api::RejectAccess{network.rogue->id, id<ResourceId>(1)});
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "none");
    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.1")), testing::StartsWith("3/13"));
    allow(gateway_dns(1, "*.example"));
    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.1")), testing::StartsWith("3/13")) << "to be set up anew";
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "none");
}

TEST_F(GatewayNamesTest, AreGoneWhenAccessExpires) {
    allow(gateway_cidr(2, "10.9.0.0/24"));
    allow(gateway_dns(1, "*.example"), network.wall_now() + 5s);
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_NE(udp(1, "100.96.0.1"), "nothing");
    network.run_for(7s);

    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "none");
    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.1")), testing::StartsWith("3/13"));
}

TEST_F(GatewayNamesTest, AreGoneIfInitDoesNotListTheirResource) {
    allow(gateway_cidr(2, "10.9.0.0/24"));
    set_up("foo.example", two, {"10.0.0.1"});
    network.init_gateway(gateway, {{network.rogue->id, id<ResourceId>(2), network.wall_now() + 1h}});

    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.1")), testing::StartsWith("3/13"));
}

TEST_F(GatewayNamesTest, AreGoneWithAnotherPattern) {
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_NE(udp(1, "100.96.0.1"), "nothing");
    allow(gateway_dns(1, "*.example"));
    EXPECT_NE(udp(1, "100.96.0.1"), "nothing") << "the same again changes nothing";

    allow(gateway_dns(1, "*.test"));
    EXPECT_THAT(refusal(udp_from(kClient4, 1, "100.96.0.1")), testing::StartsWith("3/13"));
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "none");
}

TEST_F(GatewayNamesTest, AreGoneWithTheClient) {
    set_up("foo.example", two, {"10.0.0.1"});
    EXPECT_NE(udp(1, "100.96.0.1"), "nothing");
    network.send_from_rogue(gateway, p2p::goodbye_packet());
    network.run_for(50ms);
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1)), "none");
    EXPECT_THAT(gateway.state.debug_snapshot(network.now), testing::Not(testing::HasSubstr("names_of")));
}

// --- Two clients ---

TEST_F(GatewayNamesTest, OfTwoClientsNeverMix) {
    network.connect_other_rogue(gateway, gateway_dns(1, "*.example"));
    set_up("foo.example", two, {"10.0.0.1"});
    network.send_from_other_rogue(gateway, assigned_ips("baz.example", two));
    network.run_for(50ms);
    resolve({"10.0.0.2"});
    EXPECT_THAT(statuses(*network.other_rogue), ElementsAre("baz.example active"));

    gateway.received.clear();
    network.send_from_other_rogue(gateway, udp_from("100.64.0.67", 1000, "100.96.0.1"));
    network.run_for(50ms);
    ASSERT_THAT(gateway.received, SizeIs(1));
    EXPECT_EQ(describe(gateway.received[0]), "100.64.0.67:1000 > 10.0.0.2:80");
    EXPECT_EQ(udp(1000, "100.96.0.1"), "100.64.0.1:1000 > 10.0.0.1:80");

    network.other_rogue->received.clear();
    EXPECT_EQ(reply(udp_from("10.0.0.1", 80, kClient4, 1000)), "100.96.0.1:80 > 100.64.0.1:1000");
    EXPECT_EQ(reply(udp_from("10.0.0.2", 80, kClient4, 1000)), "none") << "the other's";
    EXPECT_THAT(network.other_rogue->received, IsEmpty());
    network.send(gateway, udp_from("10.0.0.2", 80, "100.64.0.67", 1000));
    network.run_for(50ms);
    EXPECT_EQ(describe(network.other_rogue->received.back()), "100.96.0.1:80 > 100.64.0.67:1000");
}

TEST_F(GatewayNamesTest, OfAnotherClientAreOutOfReach) {
    network.connect_other_rogue(gateway, gateway_dns(1, "*.example"));
    set_up("foo.example", two, {"10.0.0.1"});

    gateway.received.clear();
    network.send_from_other_rogue(gateway, udp_from("100.64.0.67", 1000, "100.96.0.1"));
    network.send_from_other_rogue(gateway, udp_from(kClient4, 1000, "100.96.0.1"));
    network.run_for(50ms);
    EXPECT_THAT(gateway.received, IsEmpty());
}

// --- The log of flows ---

class LoggedFlows : public GatewayNamesTest {
protected:
    void SetUp() override {
        GatewayNamesTest::SetUp();
        allow(gateway_cidr(3, "10.0.0.0/24"));
        set_up("foo.example", {"100.96.0.1"}, {"10.0.0.1"});
    }
    std::string value(std::size_t line, std::string_view key) const {
        for (const auto& field : lines.at(line)) {
            if (field.key == key) {
                return field.value;
            }
        }
        return "none";
    }

    std::vector<std::vector<log::TextField>> lines;
    log::CaptureScope capture{log::Level::kTrace, [this](log::Level, std::string_view target, std::string_view,
                                                         const std::vector<log::TextField>& fields) {
                                  if (target.starts_with("flow_logs")) {
                                      lines.push_back(fields);
                                  }
                              }};
};

TEST_F(LoggedFlows, TellWhatIsBehindANameAndWhatIsNot) {
    udp(5000, "10.0.0.1");
    udp(5000, "100.96.0.1");
    EXPECT_NE(reply(udp_from("10.0.0.1", 80, kClient4, 5001)), "none");
    EXPECT_NE(reply(udp_from("10.0.0.1", 80, kClient4, 5000)), "none");
    EXPECT_NE(reply(udp_from("10.0.0.1", 80, kClient4, 5000)), "none");
    EXPECT_THAT(lines, IsEmpty());
    network.run_for(125s);

    ASSERT_THAT(lines, SizeIs(2));
    for (const std::size_t line : {0U, 1U}) {
        const bool is_name = value(line, "inner_domain") != "none";
        EXPECT_EQ(value(line, "inner_domain"), is_name ? "foo.example" : "none");
        EXPECT_EQ(value(line, "resource_id"), id<ResourceId>(is_name ? 1 : 3).to_string());
        EXPECT_EQ(value(line, "client_id"), network.rogue->id.to_string());
        EXPECT_EQ(value(line, "inner_src_port"), "5000") << "the client's own";
        EXPECT_EQ(value(line, "inner_dst_ip"), "10.0.0.1");
        EXPECT_EQ(value(line, "tx_packets"), "1");
        EXPECT_EQ(value(line, "rx_packets"), is_name ? "1" : "2");
        EXPECT_EQ(value(line, "rx_bytes"), is_name ? "20" : "40");
        EXPECT_EQ(value(line, "outer_dst_port"), "52625");
    }
}

TEST_F(LoggedFlows, AreThoseThatPass) {
    allow(gateway_dns(1, "*.example", {test::udp(80, 80)}));
    EXPECT_EQ(udp(1, "100.96.0.1", 81), "nothing");
    EXPECT_EQ(udp(1, "10.9.9.9"), "nothing");
    send(packet::make_icmp_echo_request(ip(kClient4), ip("10.0.0.1"), 1, 1, {}));
    send(tcp_from(kClient4, 1, "10.0.0.1", 80, packet::kTcpRst));
    network.run_for(125s);
    EXPECT_THAT(lines, IsEmpty());
}

TEST_F(LoggedFlows, AreToldOfAtTheEndOfTheProgram) {
    udp(1, "100.96.0.1");
    gateway.state.shut_down(network.now);
    EXPECT_THAT(lines, SizeIs(1));
}

TEST_F(LoggedFlows, OfClientsThatAreGoneAreToldOf) {
    udp(1, "100.96.0.1");
    network.send_from_rogue(gateway, p2p::goodbye_packet());
    network.run_for(125s);
    ASSERT_THAT(lines, SizeIs(1));
    EXPECT_EQ(value(0, "client_id"), network.rogue->id.to_string());
}

TEST_F(GatewayNamesTest, FlowsAreNotToldOfUnlessThatIsWanted) {
    std::size_t lines = 0;
    const log::CaptureScope capture{log::Level::kDebug, [&](log::Level, std::string_view target, std::string_view,
                                                            const std::vector<log::TextField>&) {
                                        lines += target.starts_with("flow_logs") ? 1 : 0;
                                    }};
    allow(gateway_cidr(3, "10.0.0.0/24"));
    udp(1, "10.0.0.1");
    network.run_for(125s);
    EXPECT_EQ(lines, 0U);
}

// --- Queries to the gateway itself ---

TEST_F(GatewayNamesTest, MayBeAskedAboutByWhoHasSome) {
    network.command(gateway, SetSystemResolvers{{ip("192.0.2.53")}});
    network.drain();
    for (const auto& probe : std::exchange(gateway.asks, {})) {
        network.command(gateway, DnsResponse{probe.id, dns::test::response(probe.message, {}, 0x8180)});
    }
    const auto query = packet::make_udp(socket("100.64.0.1:4000"), socket("100.64.1.1:53535"),
                                        dns::test::query("a.example", dns::RecordType::kTxt));
    EXPECT_EQ(send(query), "nothing") << "the kernel sees nothing of it";
    ASSERT_THAT(gateway.asks, SizeIs(1));
    network.command(gateway, DnsResponse{gateway.asks[0].id, dns::test::response(gateway.asks[0].message, {}, 0x8180)});
    network.run_for(50ms);
    EXPECT_EQ(answer(), "100.64.1.1:53535 > 100.64.0.1:4000");

    EXPECT_EQ(send(query), "nothing");
    ASSERT_THAT(gateway.asks, SizeIs(2));
    allow(gateway_cidr(2, "10.9.0.0/24"));
    network.to_gateway(gateway, portal_api::RejectAccess{network.rogue->id, id<ResourceId>(1)});
    network.rogue->received.clear();
    network.command(gateway, DnsResponse{gateway.asks[1].id, dns::test::response(gateway.asks[1].message, {}, 0x8180)});
    network.run_for(50ms);
    EXPECT_EQ(answer(), "none") << "has none any more";
    EXPECT_EQ(refusal(query), "3/13 from 100.64.1.1 about 100.64.0.1:4000 > 100.64.1.1:53535");
    EXPECT_THAT(gateway.asks, SizeIs(2));
}

TEST_F(GatewayNamesTest, AreNotAskedAboutInTheNameOfOthers) {
    network.command(gateway, SetSystemResolvers{{ip("192.0.2.53")}});
    network.run_for(50ms);
    gateway.asks.clear();
    EXPECT_EQ(send(packet::make_udp(socket("100.64.0.9:4000"), socket("100.64.1.1:53535"),
                                    dns::test::query("a.example", dns::RecordType::kTxt))),
              "nothing");
    EXPECT_THAT(gateway.asks, IsEmpty());
}

// --- The Internet Resource ---

TEST_F(GatewayNamesTest, TheInternetIsWhatBelongsToNobody) {
    allow(portal_api::GatewayInternetResource{id<ResourceId>(3)});

    EXPECT_NE(udp(1, "1.1.1.1", 53), "nothing");
    EXPECT_NE(udp(1, "2606:4700::1", 53), "nothing");
    for (const auto* address : {"10.1.2.3", "172.16.0.1", "192.168.1.1", "240.0.0.1"}) {
        EXPECT_THAT(refusal(udp_from(kClient4, 2, address)), testing::StartsWith("3/0")) << address;
    }
    for (const auto* address : {"127.0.0.1", "0.0.0.1", "100.64.0.67", "100.100.111.1", "100.127.0.1"}) {
        EXPECT_THAT(refusal(udp_from(kClient4, 2, address)), testing::StartsWith("3/13")) << address;
    }
    EXPECT_EQ(udp(2, "169.254.169.254"), "nothing");
    EXPECT_EQ(udp(2, "100.64.1.1"), "nothing") << "the gateway itself";
    EXPECT_EQ(udp(2, "255.255.255.255"), "nothing");
    EXPECT_EQ(udp(2, "224.0.0.1"), "nothing");
    for (const auto* address :
         {"fd12::1", "fe80::1", "fec0::1", "::1", "fd00:2021:1111::67", "ff02::1", "::ffff:1.1.1.1"}) {
        EXPECT_EQ(udp(2, address), "nothing") << address;
    }
}

TEST_F(GatewayNamesTest, TheInternetIsNotTheGatewayItself) {
    allow(portal_api::GatewayInternetResource{id<ResourceId>(3)});
    EXPECT_NE(udp(1, "8.8.8.8", 22), "nothing");
    network.command(gateway, SetHostAddresses{{ip("8.8.8.8"), ip("2606:4700::2")}});
    EXPECT_EQ(udp(1, "8.8.8.8", 22), "nothing") << "what ran before is over too";
    EXPECT_EQ(udp(1, "2606:4700::2", 22), "nothing");
    EXPECT_NE(udp(1, "8.8.8.9", 22), "nothing");

    network.connect_other_rogue(gateway, portal_api::GatewayInternetResource{id<ResourceId>(3)});
    gateway.received.clear();
    network.send_from_other_rogue(gateway, udp_from("100.64.0.67", 1, "8.8.8.8"));
    network.run_for(50ms);
    EXPECT_THAT(gateway.received, IsEmpty()) << "whoever comes later";

    allow(gateway_cidr(4, "8.8.8.8/32", {test::udp(22, 22)}));
    EXPECT_NE(udp(1, "8.8.8.8", 22), "nothing") << "unless it is a resource";
    EXPECT_EQ(udp(1, "8.8.8.8", 23), "nothing");
}

TEST_F(GatewayNamesTest, TheInternetOpensNoOtherResource) {
    allow(portal_api::GatewayInternetResource{id<ResourceId>(3)});
    allow(gateway_cidr(4, "10.0.0.0/24", {test::udp(80, 80)}));

    EXPECT_NE(udp(1, "10.0.0.1", 80), "nothing");
    EXPECT_EQ(udp(1, "10.0.0.1", 81), "nothing");
}

}  // namespace
}  // namespace culvert::tunnel::test
