#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "culvert/dns/constants.h"
#include "culvert/dns/test_messages.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// Names of a client: its resolver, proxy IPs, and what gateways are told. spec/tunnel.md sections 11.2 to 11.4.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using portal_api::ResourceCreatedOrUpdated;
using portal_api::ResourceDeleted;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kAsker = "100.64.0.1:5000";
constexpr std::string_view kAsker6 = "[fd00:2021:1111::1]:5000";
constexpr std::string_view kResolver = "100.100.111.1:53";
constexpr std::string_view kWiki = "100.96.0.1:80";
constexpr std::string_view kWikiAddresses = "NOERROR 100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4";

Bytes name_packet(std::string_view from, std::string_view to, std::uint8_t number = 0) {
    return packet::make_udp(socket(from), socket(to), Bytes(1, std::byte{number}));
}

packet::IpPacket packet_of(Bytes& bytes) {
    return packet::IpPacket::parse(bytes).value();
}

/// "source > destination", or what a control packet says.
std::string summary_of(Bytes bytes) {
    if (const auto control = p2p::parse_control_packet(bytes)) {
        if (const auto assigned = p2p::decode_assigned_ips(control->payload)) {
            return "told " + assigned->domain + " " + assigned->proxy_ips.front().to_string() + " of " +
                   std::to_string(assigned->proxy_ips.size());
        }
        return control->event_type == 2 ? "goodbye" : "control";
    }
    const auto packet = packet_of(bytes);
    return net::SocketAddress{packet.source(), packet.source_port()}.to_string() + " > " +
           net::SocketAddress{packet.destination(), packet.destination_port()}.to_string();
}
std::vector<std::string> summaries_of(std::vector<Bytes>& packets) {
    std::vector<std::string> texts;
    for (auto& packet : std::exchange(packets, {})) {
        texts.push_back(summary_of(std::move(packet)));
    }
    return texts;
}

class ClientNames : public ::testing::Test {
protected:
    void SetUp() override {
        network.client.state.apply(SetSystemResolvers{{ip("192.0.2.53")}}, network.now, network.wall_now());
        network.init_client();
        network.run_for(1s);
        network.add_resource(dns(1, "*.corp.example"));
    }

    /// What the host's resolver says about a name.
    std::string ask(std::string_view name, dns::RecordType type = dns::RecordType::kA,
                    std::string_view sentinel = kResolver) {
        network.client.received.clear();
        network.send(packet::make_udp(socket("100.64.0.1:40000"), socket(sentinel), dns::test::query(name, type)));
        return take_answer();
    }
    std::string take_answer() {
        if (network.client.received.empty()) {
            return "nothing";
        }
        auto bytes = std::exchange(network.client.received, {}).front();
        return dns::test::summary(packet_of(bytes).payload());
    }
    void send(std::string_view to, std::uint8_t number = 0) {
        network.send(name_packet(to.starts_with('[') ? kAsker6 : kAsker, to, number));
    }

    // The gateway is one of ours.

    /// What the gateway looks up, in order.
    std::vector<std::string> look_ups() {
        std::vector<std::string> names;
        for (const auto& look_up : gateway.look_ups) {
            names.push_back(look_up.domain.to_string());
        }
        return names;
    }
    void resolve(std::string_view address) {
        network.command(gateway,
                        NameFound{.id = gateway.look_ups.back().id, .addresses = {ip(address)}, .lifetime = 1s});
        network.run_for(1s);
    }
    /// wiki.corp.example, which is 10.0.0.7.
    void connect() {
        ASSERT_EQ(ask("wiki.corp.example"), kWikiAddresses);
        send(kWiki);
        network.run_for(3s);
        resolve("10.0.0.7");
        ASSERT_THAT(summaries_of(gateway.received), ElementsAre("100.64.0.1:5000 > 10.0.0.7:80"));
        intents.clear();
        gateway.look_ups.clear();
    }
    bool is_answered() {
        network.client.received.clear();
        network.send(gateway, name_packet("10.0.0.7:80", kAsker));
        network.run_for(1s);
        return !network.client.received.empty();
    }

    // Or one that does what it likes.

    void connect_rogue(std::string_view to = kWiki, std::uint8_t resource = 1) {
        network.connect_rogue_gateway(resource, name_packet(kAsker, to));
        intents.clear();
    }
    void say(std::string_view domain, p2p::NatStatus status = p2p::NatStatus::kActive, std::uint8_t resource = 1) {
        const auto payload = p2p::encode(
            p2p::DomainStatus{.resource = id<ResourceId>(resource), .domain = std::string{domain}, .status = status});
        network.send_from_rogue_gateway(*p2p::make_control_packet(p2p::EventType::kDomainStatus, as_bytes(payload)));
        network.run_for(100ms);
    }
    std::vector<std::string> at_rogue() { return summaries_of(network.rogue_gateway->received); }
    bool rogue_reaches_us(const Bytes& packet) {
        network.client.received.clear();
        network.send_from_rogue_gateway(packet);
        network.run_for(1s);
        return !network.client.received.empty();
    }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
    std::vector<portal_api::CreateFlow>& intents = network.client.intents;
};

// --- The resolver ---

TEST_F(ClientNames, HaveAResolverThatTheHostIsToldOf) {
    EXPECT_THAT(network.client.tun_config->dns_servers, ElementsAre(ip("100.100.111.1")));

    network.client.state.apply(SetSystemResolvers{{ip("192.0.2.53"), ip("2001:db8::53")}}, network.now,
                               network.wall_now());
    network.drain();
    EXPECT_THAT(network.client.tun_config->dns_servers,
                ElementsAre(ip("100.100.111.2"), ip("fd00:2021:1111:8000:100:100:111:0")))
        << "new ones, so that nobody remembers";

    portal_api::Interface interface{network.client.ipv4, network.client.ipv6, {{socket("10.0.0.53:53")}}, {}, {}};
    network.to_client(portal_api::ConfigChanged{interface});
    EXPECT_THAT(network.client.tun_config->dns_servers, ElementsAre(ip("100.100.111.1"))) << "the portal's come first";

    interface.upstream_do53 = {ip("2001:db8::53")};
    network.to_client(portal_api::ConfigChanged{interface});
    EXPECT_THAT(network.client.tun_config->dns_servers, ElementsAre(ip("fd00:2021:1111:8000:100:100:111:0")))
        << "those without ports before the others";
}

TEST_F(ClientNames, AreAskedForAroundTheTunnelIfTheyAreNoResources) {
    EXPECT_EQ(ask("www.example.org"), "nothing");
    ASSERT_THAT(network.client.asks, SizeIs(1));
    const auto asked = network.client.asks[0];
    EXPECT_EQ(std::get<dns::ViaHost>(asked.route).server, socket("192.0.2.53:53"));

    const auto answer =
        dns::test::response(asked.message, {dns::test::a_record("www.example.org", 60, "198.51.100.7")});
    network.client.state.apply(DnsResponse{asked.id, answer}, network.now, network.wall_now());
    network.drain();
    EXPECT_EQ(take_answer(), "NOERROR 198.51.100.7");

    EXPECT_EQ(ask("www.example.net"), "nothing");
    network.client.state.apply(DnsFailure{network.client.asks[1].id}, network.now, network.wall_now());
    network.drain();
    EXPECT_EQ(take_answer(), "SERVFAIL");
}

TEST_F(ClientNames, LeaveAQueryThatNobodyWaitsForAnyMore) {
    ask("www.example.org");

    network.client.state.apply(SetSystemResolvers{{ip("192.0.2.54")}}, network.now, network.wall_now());
    network.drain();

    EXPECT_THAT(network.client.stopped_asks, ElementsAre(network.client.asks[0].id));
}

TEST_F(ClientNames, KeepTheirAddressesAndHaveTheHostKeepThem) {
    EXPECT_EQ(ask("wiki.corp.example"), kWikiAddresses);
    EXPECT_EQ(ask("WIKI.corp.example"), kWikiAddresses);
    EXPECT_EQ(ask("mail.corp.example"), "NOERROR 100.96.0.5 100.96.0.6 100.96.0.7 100.96.0.8");
    network.run_for(2s);

    EXPECT_EQ(network.client.dns_record_updates, 1U);
    EXPECT_THAT(network.client.dns_records, SizeIs(2));
    EXPECT_TRUE(intents.empty()) << "asking connects nobody";
    ask("wiki.corp.example");
    network.run_for(2s);
    EXPECT_EQ(network.client.dns_record_updates, 1U);
}

TEST_F(ClientNames, OutliveASessionOfTheProcess) {
    ask("wiki.corp.example");
    network.run_for(2s);

    std::destroy_at(&network.client.state);
    std::construct_at(&network.client.state, Rng::from_number(99), network.now, WallTime{network.wall_now()},
                      ClientOptions{.dns_records = network.client.dns_records});
    network.client.state.apply(SetSystemResolvers{{ip("192.0.2.53")}}, network.now, network.wall_now());
    network.init_client();
    network.run_for(1s);

    EXPECT_EQ(ask("mail.corp.example"), "NOERROR 100.96.0.5 100.96.0.6 100.96.0.7 100.96.0.8");
    send(kWiki);
    ASSERT_THAT(intents, SizeIs(1)) << "without being asked for again";
    network.run_for(3s);
    EXPECT_THAT(look_ups(), testing::UnorderedElementsAre("wiki.corp.example", "mail.corp.example"));
}

TEST_F(ClientNames, OfTheLastMomentOutliveTheSessionAsWell) {
    ask("wiki.corp.example");
    network.client.state.shut_down(network.now);
    network.drain();

    EXPECT_THAT(network.client.dns_records, SizeIs(1));
}

// --- Packets ---

TEST_F(ClientNames, LeadToWhereTheGatewaySaysThatTheyAre) {
    ask("wiki.corp.example");
    send(kWiki);
    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_EQ(intents[0].resource_id, id<ResourceId>(1));
    network.run_for(3s);
    EXPECT_THAT(look_ups(), ElementsAre("wiki.corp.example"));
    EXPECT_THAT(gateway.received, IsEmpty()) << "it does not know yet";

    resolve("10.0.0.7");

    EXPECT_THAT(summaries_of(gateway.received), ElementsAre("100.64.0.1:5000 > 10.0.0.7:80"));
    ASSERT_TRUE(is_answered());
    EXPECT_THAT(summaries_of(network.client.received), ElementsAre("100.96.0.1:80 > 100.64.0.1:5000"));
}

TEST_F(ClientNames, HaveTheirPacketsWaitUntilTheGatewayKnowsThem) {
    ask("wiki.corp.example");
    connect_rogue();
    EXPECT_THAT(at_rogue(), Each("told wiki.corp.example 100.96.0.1 of 8")) << "repeated while it says nothing";
    send("100.96.0.2:80", 1);
    network.run_for(100ms);
    EXPECT_THAT(at_rogue(), IsEmpty());

    say("wiki.corp.example");

    EXPECT_THAT(at_rogue(), ElementsAre("100.64.0.1:5000 > 100.96.0.1:80", "100.64.0.1:5000 > 100.96.0.2:80"));
    send("100.96.0.3:80");
    network.run_for(100ms);
    EXPECT_THAT(at_rogue(), ElementsAre("100.64.0.1:5000 > 100.96.0.3:80"));
    EXPECT_TRUE(rogue_reaches_us(name_packet(kWiki, kAsker)));
    EXPECT_FALSE(rogue_reaches_us(name_packet("100.96.0.4:80", kAsker))) << "it answers nothing";
}

TEST_F(ClientNames, HaveSuperPacketsWaitAsSegments) {
    ask("wiki.corp.example");
    connect_rogue();
    at_rogue();
    packet::TcpFields tcp;
    tcp.flags = packet::kTcpAck;
    Bytes buffer(64);
    append(buffer, packet::make_tcp(socket(kAsker), socket(kWiki), tcp, Bytes(3000)));

    network.send(
        packet::TunPacket{MutableByteSpan{buffer}.subspan(64),
                          {.kind = packet::Offload::Kind::kTcp4, .segment_size = 1240, .needs_checksum = true}});
    say("wiki.corp.example");

    EXPECT_THAT(at_rogue(), SizeIs(1 + 3));
}

TEST_F(ClientNames, HaveTheGatewaySayWhatItRefuses) {
    ask("wiki.corp.example");
    connect_rogue();
    at_rogue();

    say("wiki.corp.example", p2p::NatStatus::kInactive);
    send(kWiki, 1);
    network.run_for(100ms);
    EXPECT_THAT(at_rogue(), ElementsAre("100.64.0.1:5000 > 100.96.0.1:80")) << "only what comes afterwards";

    ask("wiki.corp.example");
    send(kWiki, 2);
    network.run_for(100ms);
    EXPECT_THAT(at_rogue(), ElementsAre("told wiki.corp.example 100.96.0.1 of 8")) << "asked for again, it waits";
}

TEST_F(ClientNames, GoOnWhileTheyAreConfirmedAgain) {
    ask("wiki.corp.example");
    connect_rogue();
    say("wiki.corp.example");
    at_rogue();

    ask("wiki.corp.example");
    send(kWiki, 2);
    network.run_for(100ms);

    EXPECT_THAT(at_rogue(), testing::UnorderedElementsAre("told wiki.corp.example 100.96.0.1 of 8",
                                                          "100.64.0.1:5000 > 100.96.0.1:80"));
}

TEST_F(ClientNames, AreToldToTheGatewayThatIsThereAlready) {
    ask("wiki.corp.example");
    connect_rogue();
    at_rogue();

    ask("mail.corp.example");
    network.run_for(100ms);

    EXPECT_THAT(at_rogue(), ElementsAre("told mail.corp.example 100.96.0.5 of 8"));
}

TEST_F(ClientNames, AreAllToldAgainAfterTheGatewayWasGone) {
    connect();
    ask("mail.corp.example");
    network.run_for(1s);
    gateway.look_ups.clear();
    network.restart(gateway);
    network.run_for(30s);
    network.client.received.clear();

    send(kWiki, 1);
    network.run_for(3s);

    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_THAT(network.client.received, IsEmpty()) << "no packet went ahead, to be refused";
    EXPECT_THAT(look_ups(), testing::UnorderedElementsAre("wiki.corp.example", "mail.corp.example"));
}

TEST_F(ClientNames, StayTheSameOverAReset) {
    connect();

    network.client.state.apply(Reset{"network changed"}, network.now, network.wall_now());
    network.init_client();
    network.run_for(1s);
    EXPECT_TRUE(is_answered()) << "what is under way goes on";
    EXPECT_EQ(ask("wiki.corp.example"), kWikiAddresses);
    send(kWiki, 1);
    network.run_for(3s);

    EXPECT_THAT(look_ups(), ElementsAre("wiki.corp.example"));
    resolve("10.0.0.7");
    EXPECT_THAT(summaries_of(gateway.received), ElementsAre("100.64.0.1:5000 > 10.0.0.7:80"));
}

TEST_F(ClientNames, AreToldAgainWhenAccessWasTakenAway) {
    connect();
    network.add_resource(2, "10.1.0.0/16");
    send("10.1.0.5:53");
    network.run_for(3s);
    ASSERT_THAT(summaries_of(gateway.received), SizeIs(1));
    intents.clear();
    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, id<ResourceId>(1)});
    network.run_for(1s);

    send(kWiki, 1);  // is refused
    network.run_for(3s);

    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_THAT(look_ups(), ElementsAre("wiki.corp.example"));
}

TEST_F(ClientNames, AskForAccessAgainWhenTheirGatewayRefuses) {
    ask("wiki.corp.example");
    connect_rogue();
    say("wiki.corp.example");
    send(kWiki, 1);
    network.run_for(3s);
    auto sent = name_packet(kAsker, kWiki, 1);

    EXPECT_TRUE(rogue_reaches_us(*packet::make_icmp_error(packet::IcmpErrorKind::kProhibited, packet_of(sent))));

    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_EQ(intents[0].resource_id, id<ResourceId>(1));
}

// --- Where they do not lead ---

TEST_F(ClientNames, LeadNowhereWithoutTheirResource) {
    network.add_resource(internet(7));
    network.client.state.apply(SetInternetResource{true}, network.now, network.wall_now());
    connect();

    network.to_client(ResourceDeleted{id<ResourceId>(1)});
    network.run_for(1s);
    send(kWiki, 1);
    send("100.96.0.9:80", 1);
    network.run_for(3s);

    EXPECT_THAT(intents, IsEmpty());
    EXPECT_THAT(gateway.received, IsEmpty());
    EXPECT_FALSE(is_answered());
}

TEST_F(ClientNames, BelongToTheirResourceOnlyWhileItsPatternSaysSo) {
    connect();
    network.to_client(ResourceCreatedOrUpdated{dns(1, "*.other.example")});
    send(kWiki, 1);
    network.run_for(1s);
    EXPECT_THAT(intents, IsEmpty());

    network.to_client(ResourceCreatedOrUpdated{dns(1, "**.example")});
    send(kWiki, 1);
    EXPECT_THAT(intents, SizeIs(1));
}

TEST_F(ClientNames, LoseTheAddressesOfAFamilyWithTheirResource) {
    ask("wiki.corp.example", dns::RecordType::kAaaa);
    auto narrower = dns(1, "*.corp.example");
    narrower.ip_stack = portal_api::IpStack::kIpv4Only;
    network.to_client(ResourceCreatedOrUpdated{narrower});
    send("[fd00:2021:1111:8000::]:80");
    EXPECT_THAT(intents, IsEmpty());

    connect_rogue();

    EXPECT_THAT(at_rogue(), Each("told wiki.corp.example 100.96.0.1 of 4"));
}

TEST_F(ClientNames, WinOverNetworksAndTheInternet) {
    network.add_resource(2, "100.96.0.0/11");
    network.add_resource(internet(7));
    network.client.state.apply(SetInternetResource{true}, network.now, network.wall_now());
    ask("wiki.corp.example");

    send(kWiki);

    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_EQ(intents[0].resource_id, id<ResourceId>(1));
}

TEST_F(ClientNames, StartAnewWhenTheirResourceMovesToAnotherSite) {
    connect();
    auto moved = dns(1, "*.corp.example");
    moved.sites = {{id<SiteId>(77), "other"}};
    network.is_portal_answering = false;

    network.to_client(ResourceCreatedOrUpdated{moved});
    network.run_for(1s);
    send(kWiki, 1);
    network.run_for(1s);

    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_THAT(gateway.received, IsEmpty()) << "nothing goes to the place before";
}

// --- Gateways that lie ---

TEST_F(ClientNames, AreNotConfirmedByAGatewayThatWasNotTold) {
    network.is_portal_answering = false;
    network.add_resource(2, "10.1.0.0/16");
    ask("wiki.corp.example");
    ask("mail.corp.example");
    network.is_portal_answering = true;
    send(kWiki);
    network.run_for(3s);
    ASSERT_THAT(gateway.look_ups, Not(IsEmpty()));
    connect_rogue("10.1.0.5:53", 2);
    at_rogue();

    say("wiki.corp.example");
    say("wiki.corp.example", p2p::NatStatus::kActive, 2);
    say("elsewhere.example");

    EXPECT_THAT(at_rogue(), IsEmpty()) << "what waits for one gateway is not for another";
    EXPECT_THAT(gateway.received, IsEmpty());
}

TEST_F(ClientNames, AreAnsweredForByTheirOwnGatewayOnly) {
    connect();
    network.add_resource(2, "10.1.0.0/16");
    network.add_resource(internet(7));
    network.client.state.apply(SetInternetResource{true}, network.now, network.wall_now());
    connect_rogue("10.1.0.5:53", 2);

    EXPECT_FALSE(rogue_reaches_us(name_packet(kWiki, kAsker)));
    auto sent = name_packet(kAsker, kWiki);
    EXPECT_FALSE(rogue_reaches_us(*packet::make_icmp_error(packet::IcmpErrorKind::kProhibited, packet_of(sent))));
    EXPECT_THAT(intents, IsEmpty());
    EXPECT_TRUE(is_answered());
}

TEST_F(ClientNames, AreNotAnsweredForByAGatewayThatServedThemOnce) {
    ask("wiki.corp.example");
    connect_rogue();
    say("wiki.corp.example");
    network.add_resource(2, "10.1.0.0/16");
    network.is_portal_answering = false;
    send("10.1.0.5:53");
    auto flow = network.rogue_flow_created;
    flow.resource_id = id<ResourceId>(2);
    network.to_client(flow);
    ASSERT_TRUE(rogue_reaches_us(name_packet(kWiki, kAsker)));

    network.to_client(ResourceDeleted{id<ResourceId>(1)});

    EXPECT_TRUE(rogue_reaches_us(name_packet("10.1.0.5:53", kAsker)));
    EXPECT_FALSE(rogue_reaches_us(name_packet(kWiki, kAsker)));
}

// --- Queries through the tunnel ---

TEST_F(ClientNames, HaveTheirSiteAskedForWhatOnlyItKnows) {
    network.is_portal_answering = false;
    EXPECT_EQ(ask("_ldap._tcp.corp.example", dns::RecordType::kSrv), "nothing") << "no name of the pattern";
    EXPECT_THAT(network.client.asks, SizeIs(1));
    EXPECT_EQ(ask("wiki.corp.example", dns::RecordType::kTxt), "nothing");
    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_EQ(intents[0].resource_id, id<ResourceId>(1));

    network.connect_rogue_gateway(1, name_packet(kAsker, "100.64.0.99:1"));

    ASSERT_THAT(network.rogue_gateway->received, SizeIs(1));
    auto query = network.rogue_gateway->received[0];
    const auto packet = packet_of(query);
    EXPECT_EQ(packet.destination(), network.rogue_gateway->ipv4);
    EXPECT_EQ(packet.destination_port(), dns::kGatewayDnsPort);
    const net::SocketAddress here{packet.source(), packet.source_port()};
    const net::SocketAddress there{packet.destination(), packet.destination_port()};
    const auto answer = dns::test::response(packet.payload(), {});
    EXPECT_FALSE(rogue_reaches_us(packet::make_udp({ip("10.9.9.9"), dns::kGatewayDnsPort}, here, answer)));
    EXPECT_TRUE(rogue_reaches_us(packet::make_udp(there, here, answer)));
    EXPECT_EQ(take_answer(), "NOERROR");
    EXPECT_FALSE(rogue_reaches_us(packet::make_udp(there, here, answer))) << "once";

    network.to_client(ResourceDeleted{id<ResourceId>(1)});
    network.run_for(1s);
    EXPECT_THAT(at_rogue(), testing::Contains("goodbye"));
}

TEST_F(ClientNames, HaveTheirGatewayAnswerForItsSite) {
    network.command(gateway, SetSystemResolvers{{ip("10.0.0.53")}});
    network.drain();
    for (const auto& probe : std::exchange(gateway.asks, {})) {
        network.command(gateway, DnsResponse{probe.id, dns::test::response(probe.message, {})});
    }
    EXPECT_EQ(ask("wiki.corp.example", dns::RecordType::kTxt), "nothing");
    network.run_for(3s);
    ASSERT_THAT(gateway.asks, SizeIs(1));
    const auto asked = gateway.asks[0];

    network.command(gateway, DnsResponse{asked.id, dns::test::response(asked.message, {})});
    network.run_for(1s);

    EXPECT_EQ(take_answer(), "NOERROR");
}

class ClientNamesBehindTheTunnel : public ClientNames {
protected:
    void SetUp() override {
        ClientNames::SetUp();
        network.is_portal_answering = false;
        network.to_client(
            portal_api::ConfigChanged{{network.client.ipv4, network.client.ipv6, {{socket("10.0.0.53:53")}}, {}, {}}});
    }
    static constexpr std::string_view kPortalSentinel = "100.100.111.2:53";
};

TEST_F(ClientNamesBehindTheTunnel, AreAskedForOnceItsGatewayIsThere) {
    network.add_resource(2, "10.0.0.0/8");
    EXPECT_EQ(ask("www.example.org", dns::RecordType::kA, kPortalSentinel), "nothing");
    EXPECT_THAT(network.client.asks, IsEmpty());
    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_EQ(intents[0].resource_id, id<ResourceId>(2));

    connect_rogue("10.0.0.9:1", 2);

    ASSERT_THAT(network.rogue_gateway->received, SizeIs(2));
    auto query = network.rogue_gateway->received[0];
    const auto packet = packet_of(query);
    EXPECT_EQ(packet.destination(), ip("10.0.0.53"));
    EXPECT_EQ(packet.destination_port(), 53);
    const auto answer =
        dns::test::response(packet.payload(), {dns::test::a_record("www.example.org", 60, "198.51.100.7")});
    EXPECT_TRUE(rogue_reaches_us(
        packet::make_udp({packet.destination(), 53}, {packet.source(), packet.source_port()}, answer)));
    EXPECT_EQ(take_answer(), "NOERROR 198.51.100.7");
}

TEST_F(ClientNamesBehindTheTunnel, AreAskedForAroundItWithoutAResource) {
    ask("www.example.org", dns::RecordType::kA, kPortalSentinel);
    EXPECT_THAT(network.client.asks, SizeIs(1));

    network.add_resource(internet(7));
    network.client.state.apply(SetInternetResource{true}, network.now, network.wall_now());
    network.drain();
    ask("www.example.net", dns::RecordType::kA, kPortalSentinel);
    EXPECT_THAT(network.client.asks, SizeIs(1));
    ASSERT_THAT(intents, SizeIs(1));
    EXPECT_EQ(intents[0].resource_id, id<ResourceId>(7));

    network.client.state.apply(SetInternetResource{false}, network.now, network.wall_now());
    network.drain();
    ask("www.example.com", dns::RecordType::kA, kPortalSentinel);
    EXPECT_THAT(network.client.asks, SizeIs(2));
}

TEST_F(ClientNamesBehindTheTunnel, AreAskedForAroundItIfItsFiltersLeaveOutATransport) {
    auto resource = cidr(2, "10.0.0.0/8");
    resource.filters = {{.protocol = portal_api::FilterProtocol::kUdp, .port_range_start = 53, .port_range_end = 53}};
    network.add_resource(resource);
    EXPECT_EQ(ask("www.example.org", dns::RecordType::kA, kPortalSentinel), "nothing");
    ASSERT_THAT(network.client.asks, SizeIs(1));
    EXPECT_EQ(std::get<dns::ViaHost>(network.client.asks[0].route).server, socket("10.0.0.53:53"));
    EXPECT_THAT(intents, IsEmpty());

    resource.filters.push_back({.protocol = portal_api::FilterProtocol::kTcp});
    network.add_resource(resource);
    EXPECT_EQ(ask("www.example.net", dns::RecordType::kA, kPortalSentinel), "nothing");
    EXPECT_THAT(network.client.asks, SizeIs(1));
    EXPECT_THAT(intents, SizeIs(1));
}

TEST_F(ClientNamesBehindTheTunnel, AreForgottenWhenTheyAreAskedForAnotherWay) {
    ask("www.example.org", dns::RecordType::kA, kPortalSentinel);
    ASSERT_THAT(network.client.asks, SizeIs(1));
    const auto asked = network.client.asks[0];
    network.client.state.apply(
        DnsResponse{asked.id,
                    dns::test::response(asked.message, {dns::test::a_record("www.example.org", 60, "198.51.100.7")})},
        network.now, network.wall_now());
    network.drain();
    EXPECT_EQ(take_answer(), "NOERROR 198.51.100.7");
    EXPECT_EQ(ask("www.example.org", dns::RecordType::kA, kPortalSentinel), "NOERROR 198.51.100.7");

    network.add_resource(2, "10.0.0.0/8");

    EXPECT_EQ(ask("www.example.org", dns::RecordType::kA, kPortalSentinel), "nothing");
}

TEST_F(ClientNames, AreInTheListOfResources) {
    ASSERT_THAT(network.client.resources, SizeIs(1));
    EXPECT_EQ(network.client.resources[0].type, ResourceType::kDns);
    EXPECT_EQ(network.client.resources[0].address, "*.corp.example");
}

}  // namespace
}  // namespace culvert::tunnel::test
