#include "culvert/tunnel/names/name_setups.h"

#include <string>

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/tunnel/names/constants.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using test::id;
using test::ip;
using test::socket;
using Outcome = NameSetups::Outcome;

dns::Name name(std::string_view text) {
    return dns::Name::parse(text).value();
}

class NameSetupsTest : public ::testing::Test {
protected:
    void update(std::vector<Bytes> packets = {}) { setups.update(gateway, wiki, std::move(packets), now); }
    Outcome send(const Bytes& packet) {
        return setups.handle_outgoing(gateway, {wiki.resource, wiki.domain}, packet, now);
    }
    void say(std::string_view status, std::string_view domain = "wiki.corp.example", std::uint8_t resource = 7) {
        const auto text = R"({"resource":")" + id<ResourceId>(resource).to_string() + R"(","domain":")" +
                          std::string{domain} + R"(","status":")" + std::string{status} + R"("})";
        setups.handle_status(gateway, p2p::decode_domain_status(as_bytes(text)).value());
    }
    static Bytes datagram(std::uint8_t number) {
        return packet::make_udp(socket("100.64.0.1:4000"), socket("100.96.0.1:80"), Bytes(1, std::byte{number}));
    }
    /// Everything that is to be sent: "told" for AssignedIps, the number for datagrams.
    std::vector<std::string> outputs() {
        std::vector<std::string> all;
        while (const auto output = setups.poll_output()) {
            const auto control = p2p::parse_control_packet(output->packet);
            all.push_back(control ? "told" : std::to_string(static_cast<int>(output->packet.back())));
        }
        return all;
    }
    using Sent = std::vector<std::string>;

    Instant now = Instant{} + 1h;
    const GatewayId gateway = id<GatewayId>(1);
    const NameSetups::Assignment wiki{
        .domain = name("wiki.corp.example"),
        .resource = id<ResourceId>(7),
        .proxy_ips = {ip("100.96.0.1"), ip("100.96.0.2"), ip("100.96.0.3"), ip("100.96.0.4")}};
    NameSetups setups;
};

TEST_F(NameSetupsTest, TellsWhichProxyIpsANameHas) {
    update();

    const auto output = setups.poll_output();
    ASSERT_TRUE(output.has_value());
    EXPECT_EQ(output->gateway, gateway);
    const auto control = p2p::parse_control_packet(output->packet);
    ASSERT_TRUE(control.has_value());
    EXPECT_EQ(control->event_type, static_cast<std::uint8_t>(p2p::EventType::kAssignedIps));
    EXPECT_EQ(p2p::decode_assigned_ips(control->payload),
              (p2p::AssignedIps{wiki.resource, "wiki.corp.example", wiki.proxy_ips}));
}

// spec/tunnel.md section 11.4 from here on.

TEST_F(NameSetupsTest, TellsAgainAfterTwoSecondsOnly) {
    update();
    update();
    EXPECT_EQ(outputs(), Sent{"told"});
    now += 1999ms;
    update();
    EXPECT_EQ(outputs(), Sent{});

    now += 1ms;
    update();
    EXPECT_EQ(outputs(), Sent{"told"});
}

TEST_F(NameSetupsTest, APacketIsBufferedAndMakesItTellAgain) {
    update();
    now += 2s;

    EXPECT_EQ(send(datagram(1)), Outcome::kBuffered);

    EXPECT_EQ(outputs(), (Sent{"told", "told"}));
}

TEST_F(NameSetupsTest, ReleasesWhatWaitedOnceTheGatewayKnows) {
    update({datagram(1)});
    EXPECT_EQ(send(datagram(2)), Outcome::kBuffered);
    EXPECT_EQ(setups.buffered(), 2U);

    say("Active");

    EXPECT_EQ(outputs(), (Sent{"told", "1", "2"}));
    EXPECT_EQ(setups.buffered(), 0U);
    EXPECT_EQ(send(datagram(3)), Outcome::kPass);
    EXPECT_EQ(setups.poll_timeout(), std::nullopt);
}

TEST_F(NameSetupsTest, ANameThatTheGatewayRefusedIsAskedForOnlyIfAnApplicationDoes) {
    update({datagram(1)});
    say("Inactive");
    EXPECT_EQ(outputs(), Sent{"told"}) << "what waited is lost";
    now += 10s;
    update();
    EXPECT_EQ(outputs(), Sent{});
    EXPECT_EQ(send(datagram(2)), Outcome::kPass) << "the gateway answers it";

    EXPECT_TRUE(setups.recreate(gateway, {wiki.resource, name("WIKI.corp.example")}));
    update();

    EXPECT_EQ(outputs(), Sent{"told"});
    EXPECT_EQ(send(datagram(3)), Outcome::kBuffered);
}

TEST_F(NameSetupsTest, WhatWorksGoesOnWhileItIsConfirmedAgain) {
    update();
    say("Active");
    outputs();

    EXPECT_FALSE(setups.recreate(gateway, {wiki.resource, wiki.domain}));
    EXPECT_EQ(send(datagram(1)), Outcome::kPass);
    update({datagram(2)});

    EXPECT_EQ(outputs(), (Sent{"told", "2"}));
    EXPECT_EQ(send(datagram(3)), Outcome::kPass);
    now += 2s;
    EXPECT_EQ(send(datagram(4)), Outcome::kPass);
    EXPECT_EQ(outputs(), Sent{"told"}) << "the first one may be lost";
}

TEST_F(NameSetupsTest, AFurtherQueryLosesNothing) {
    update({datagram(1)});
    EXPECT_FALSE(setups.recreate(gateway, {wiki.resource, wiki.domain}));
    update();

    say("Active");

    EXPECT_EQ(outputs(), (Sent{"told", "1"}));
}

TEST_F(NameSetupsTest, AnUnknownStatusIsNoGoodOne) {
    update({datagram(1)});
    say("what_is_this");

    EXPECT_EQ(outputs(), Sent{"told"});
}

TEST_F(NameSetupsTest, AGatewayIsToldEverythingAgainAfterItWasGone) {
    update({datagram(1)});
    say("Active");
    outputs();

    setups.forget_gateway(gateway);
    EXPECT_EQ(send(datagram(2)), Outcome::kPass);
    update();

    EXPECT_EQ(outputs(), Sent{"told"});
    EXPECT_EQ(send(datagram(3)), Outcome::kBuffered);
}

// What the table does not say.

TEST_F(NameSetupsTest, WhatWaitsIsAskedForAgainWithoutFurtherTraffic) {
    update({datagram(1)});
    EXPECT_EQ(outputs(), Sent{"told"});
    unsigned repeats = 0;
    while (const auto next = setups.poll_timeout()) {
        EXPECT_EQ(*next - now, 2s);
        now = *next;
        setups.handle_timeout(now);
        EXPECT_EQ(outputs(), Sent{"told"});
        ++repeats;
    }
    EXPECT_EQ(repeats, kAssignedIpsRepeats);

    say("Active");
    EXPECT_EQ(outputs(), Sent{"1"});
}

TEST_F(NameSetupsTest, NothingIsRepeatedForNobody) {
    update();

    EXPECT_EQ(setups.poll_timeout(), std::nullopt);
}

TEST_F(NameSetupsTest, AFullBufferKeepsTheNewest) {
    update();
    for (std::uint8_t i = 0; i < kNamePackets + 3; ++i) {
        EXPECT_EQ(send(datagram(i)), Outcome::kBuffered);
    }
    outputs();
    say("Active");

    const auto released = outputs();
    ASSERT_EQ(released.size(), kNamePackets);
    EXPECT_EQ(released.front(), "3");
}

TEST_F(NameSetupsTest, ManyNamesTakeNoMoreThanTheirShareOfMemory) {
    for (int i = 0; i < 200; ++i) {
        auto one = wiki;
        one.domain = name("n" + std::to_string(i) + ".example");
        setups.update(gateway, one, {}, now);
        for (std::uint8_t packet = 0; packet < kNamePackets; ++packet) {
            const auto outcome = setups.handle_outgoing(gateway, {one.resource, one.domain}, datagram(packet), now);
            EXPECT_EQ(outcome == Outcome::kDropped,
                      setups.buffered() == kAllNamesPackets &&
                          static_cast<std::size_t>(i) * kNamePackets + packet >= kAllNamesPackets);
        }
    }
    EXPECT_EQ(setups.buffered(), kAllNamesPackets);

    setups.forget_gateway(gateway);
    EXPECT_EQ(setups.buffered(), 0U);
    EXPECT_EQ(setups.poll_timeout(), std::nullopt);
}

TEST_F(NameSetupsTest, AGatewaySpeaksForWhatItWasToldOnly) {
    update({datagram(1)});
    outputs();
    say("Active", "other.corp.example");
    say("Active", "wiki.corp.example", 8);
    say("Active", "..");
    setups.handle_status(id<GatewayId>(2), {wiki.resource, "wiki.corp.example", p2p::NatStatus::kActive});

    EXPECT_EQ(outputs(), Sent{});
    EXPECT_EQ(setups.buffered(), 1U);
}

TEST_F(NameSetupsTest, GatewaysAndNamesAreKeptApart) {
    auto other = wiki;
    other.domain = name("mail.corp.example");
    update({datagram(1)});
    setups.update(gateway, other, {datagram(2)}, now);
    setups.update(id<GatewayId>(2), wiki, {datagram(3)}, now);
    outputs();

    say("Active");

    EXPECT_EQ(outputs(), Sent{"1"});
}

TEST_F(NameSetupsTest, ANameInTwoResourcesIsTwoNames) {
    update({datagram(1)});
    auto other = wiki;
    other.resource = id<ResourceId>(8);
    other.proxy_ips = {ip("100.96.0.5"), ip("100.96.0.6"), ip("100.96.0.7"), ip("100.96.0.8")};
    setups.update(gateway, other, {datagram(2)}, now);
    EXPECT_EQ(outputs(), (Sent{"told", "told"}));

    say("Active", "wiki.corp.example", 8);

    EXPECT_EQ(outputs(), Sent{"2"});
    EXPECT_TRUE(setups.holds(gateway, {wiki.resource, wiki.domain}));
    EXPECT_FALSE(setups.holds(gateway, {other.resource, other.domain}));
}

TEST_F(NameSetupsTest, AResourceIsToldAnewOnceAccessWasGrantedAgain) {
    update();
    say("Active");
    outputs();

    setups.recreate(wiki.resource);
    update();

    EXPECT_EQ(outputs(), Sent{"told"});
    EXPECT_FALSE(setups.holds(gateway, {wiki.resource, wiki.domain})) << "what runs goes on";
    EXPECT_EQ(setups.poll_timeout(), now + 2s) << "the message may be lost";
    say("Active");
    EXPECT_EQ(setups.poll_timeout(), std::nullopt);
}

TEST_F(NameSetupsTest, AResourceThatIsGoneTakesItsNamesAlong) {
    update({datagram(1)});
    setups.forget_resource(wiki.resource);

    EXPECT_EQ(setups.buffered(), 0U);
    EXPECT_EQ(setups.poll_timeout(), std::nullopt);
    say("Active");
    EXPECT_EQ(outputs(), Sent{"told"});
}

TEST_F(NameSetupsTest, ANameWithoutItsProxyIpsIsNotToldAtAll) {
    auto poor = wiki;
    poor.proxy_ips.pop_back();
    setups.update(gateway, poor, {datagram(1)}, now);

    EXPECT_EQ(outputs(), Sent{});
}

TEST_F(NameSetupsTest, ARepeatedSynReplacesTheFirst) {
    const auto syn = packet::make_tcp(socket("100.64.0.1:4000"), socket("100.96.0.1:80"),
                                      {.sequence = 5, .flags = packet::kTcpSyn}, {});
    update({syn});
    EXPECT_EQ(send(syn), Outcome::kBuffered);

    EXPECT_EQ(setups.buffered(), 1U);
}

}  // namespace
}  // namespace culvert::tunnel
