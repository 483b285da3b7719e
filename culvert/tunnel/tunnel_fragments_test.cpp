#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/packet/fragment.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// Packets that are too long for the tunnel, in fragments: they pass as a whole or not at all.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

Bytes numbered(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>(i * 7 + i / 256);
    }
    return bytes;
}

Bytes long_udp(std::string_view source, std::string_view destination, std::size_t payload, std::uint16_t id = 1) {
    return packet::make_udp(socket(source), socket(destination), numbered(payload),
                            {.dont_fragment = false, .identification = id});
}

std::vector<Bytes> fragments_of(Bytes whole) {
    std::vector<Bytes> fragments;
    packet::Segmenter segmenter{packet::IpPacket::parse(whole, packet::kMaxSuperPacket).value()};
    while (const auto fragment = segmenter.next()) {
        fragments.push_back(to_bytes(*fragment));
    }
    return fragments;
}

/// What a host makes of the fragments that it got; empty if they are no packet.
Bytes put_together(const std::vector<Bytes>& fragments) {
    packet::Reassembler host;
    for (const auto& fragment : fragments) {
        EXPECT_LE(fragment.size(), packet::kMaxIpPacket);
        if (const auto whole = host.add(Uuid{}, fragment, Instant{})) {
            return to_bytes(*whole);
        }
    }
    return {};
}

class TunnelFragments : public ::testing::Test {
protected:
    void SetUp() override {
        network.init_client();
        network.run_for(1s);
        network.add_resource(1, "10.1.0.0/16", {.filters = {udp(53, 53)}});
    }
    void send_all(const std::vector<Bytes>& packets) {
        for (const auto& packet : packets) {
            network.send(packet);
        }
        network.run_for(3s);
    }
    void connect_rogue() { network.connect_rogue(gateway, gateway_cidr(1, "10.1.0.0/16", {udp(53, 53)})); }
    void send_from_rogue(const std::vector<Bytes>& packets) {
        for (const auto& packet : packets) {
            network.send_from_rogue(gateway, packet);
        }
        network.run_for(1s);
    }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
};

TEST_F(TunnelFragments, PassBothWays) {
    const auto request = long_udp("100.64.0.1:1", "10.1.0.5:53", 4000);
    send_all(fragments_of(request));
    EXPECT_EQ(put_together(gateway.received), request) << "they waited for access";

    const auto answer = long_udp("10.1.0.5:53", "100.64.0.1:1", 9000);
    for (const auto& fragment : fragments_of(answer)) {
        network.send(gateway, fragment);
    }
    network.run_for(1s);
    EXPECT_EQ(put_together(network.client.received), answer);

    gateway.received.clear();
    auto fragments = fragments_of(long_udp("100.64.0.1:1", "10.1.0.5:53", 3000, 2));
    std::swap(fragments[0], fragments[2]);
    send_all(fragments);
    EXPECT_EQ(gateway.received.size(), 3U) << "in a flow that runs, in whatever order";
}

TEST_F(TunnelFragments, DoNotLeaveBeforeTheyAreAll) {
    auto fragments = fragments_of(long_udp("100.64.0.1:1", "10.1.0.5:53", 3000));
    fragments.pop_back();
    send_all(fragments);
    EXPECT_TRUE(gateway.received.empty());
    EXPECT_TRUE(network.client.intents.empty()) << "nor is anybody asked for access";
}

TEST_F(TunnelFragments, PassAGatewayOnlyWhereTheWholeMay) {
    connect_rogue();
    send_from_rogue(fragments_of(long_udp("100.64.0.1:1", "10.1.0.5:53", 3000)));
    EXPECT_EQ(gateway.received.size(), 3U);
    gateway.received.clear();

    send_from_rogue(fragments_of(long_udp("100.64.0.1:1", "10.1.0.5:54", 3000)));
    send_from_rogue(fragments_of(long_udp("100.64.0.9:1", "10.1.0.5:53", 3000)));
    EXPECT_TRUE(gateway.received.empty()) << "another port, and a source that is not its own";
    const auto refusals = network.rogue->received;
    ASSERT_EQ(refusals.size(), 2U) << "the client is told, once for each packet";
}

TEST_F(TunnelFragments, ThatHideWhatTheyAreDoNotPassAGateway) {
    connect_rogue();
    const auto permitted = fragments_of(long_udp("100.64.0.1:1", "10.1.0.5:53", 3000));
    const auto forbidden = fragments_of(long_udp("100.64.0.1:1", "10.1.0.5:54", 3000));

    send_from_rogue({permitted[0], forbidden[0], permitted[1], permitted[2]});
    EXPECT_TRUE(gateway.received.empty()) << "one header for the filter and one for the host";

    // A header in two halves: the ports come with the second fragment.
    auto tiny = long_udp("100.64.0.1:1", "10.1.0.5:54", 2000, 7);
    const auto header = ByteSpan{tiny}.first(packet::kIpv4FragmentHeader);
    const auto part = [&](std::size_t offset, std::size_t size, bool is_last) {
        auto fragment = to_bytes(header);
        append(fragment, ByteSpan{tiny}.subspan(packet::kIpv4FragmentHeader + offset, size));
        packet::write_fragment_header(fragment, offset, size, is_last);
        return fragment;
    };
    send_from_rogue({part(0, 8, false), part(8, 1000, false), part(1008, 1000, true)});
    EXPECT_TRUE(gateway.received.empty());

    send_from_rogue({permitted[1], permitted[2]});
    EXPECT_TRUE(gateway.received.empty()) << "without a first one nothing passes";
}

TEST_F(TunnelFragments, PassAClientOnlyAsAnswers) {
    network.connect_rogue_gateway(1, packet::make_udp(socket("100.64.0.1:1"), socket("10.1.0.5:53"), {}));
    const auto answer = long_udp("10.1.0.5:53", "100.64.0.1:1", 3000);
    for (const auto& packet :
         {long_udp("10.1.0.5:53", "100.64.0.1:2", 3000, 2), long_udp("10.1.0.6:53", "100.64.0.1:1", 3000, 3),
          long_udp("10.1.0.5:53", "192.168.0.1:1", 3000, 4)}) {
        for (const auto& fragment : fragments_of(packet)) {
            network.send_from_rogue_gateway(fragment);
        }
    }
    network.run_for(1s);
    EXPECT_TRUE(network.client.received.empty());

    for (const auto& fragment : fragments_of(answer)) {
        network.send_from_rogue_gateway(fragment);
    }
    network.run_for(1s);
    EXPECT_EQ(put_together(network.client.received), answer);
}

TEST_F(TunnelFragments, OfAFloodTakeNothingFromOthers) {
    connect_rogue();
    network.connect_other_rogue(gateway, gateway_cidr(1, "10.1.0.0/16", {udp(53, 53)}));
    const auto fragments = fragments_of(long_udp("100.64.0.67:1", "10.1.0.5:53", 2000));
    network.send_from_other_rogue(gateway, fragments[0]);
    for (std::uint16_t id = 1; id < 2000; ++id) {
        network.send_from_rogue(gateway, fragments_of(long_udp("100.64.0.1:1", "10.1.0.5:53", 2000, id))[1]);
    }
    network.run_for(1s);
    EXPECT_TRUE(gateway.received.empty());
    network.send_from_other_rogue(gateway, fragments[1]);
    network.run_for(1s);
    EXPECT_EQ(gateway.received.size(), 2U);
}

}  // namespace
}  // namespace culvert::tunnel::test
