#include <gtest/gtest.h>

#include "culvert/base/testing/allocation_counter.h"
#include "culvert/dns/test_messages.h"
#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

class HotPath : public ::testing::Test {
protected:
    static constexpr std::size_t kHeadroom = 64;

    void SetUp() override {
        network.init_client();
        network.run_for(1s);
        network.add_resource(1, "10.1.0.0/16", {.gateway = 1, .filters = {tcp(80, 80)}, .expires_at = {}});
        network.send(request);
        network.run_for(3s);
        ASSERT_EQ(gateway.received.size(), 1U);
    }

    /// Through the tunnel and out again, without anything of the test that allocates. Yields what arrived.
    template <typename From, typename To>
    std::size_t transfer(From& from, To& to, const net::IpAddress& sender, ByteSpan packet) {
        std::ranges::copy(packet, buffer.begin() + kHeadroom);
        const packet::TunPacket read{MutableByteSpan{buffer}.subspan(kHeadroom, packet.size()), {}};
        from.handle_tun_packet(read, queue, network.now);
        for (std::size_t i = 0; i < queue.size(); ++i) {
            const auto batch = queue.batch(i);
            std::ranges::copy(batch.bytes, datagram.begin());
            to.handle_datagram(batch.path.destination, {sender, 52625}, batch.ecn,
                               MutableByteSpan{datagram}.first(batch.bytes.size()), coalescer, network.now);
        }
        queue.clear();
        const auto arrived = coalescer.size();
        coalescer.clear();
        (void)from.poll_transmit();
        (void)to.poll_transmit();
        (void)from.poll_timeout();
        (void)to.poll_timeout();
        (void)from.poll_event();
        (void)to.poll_event();
        return arrived;
    }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
    Bytes request = packet::make_tcp(socket("100.64.0.1:5000"), socket("10.1.0.5:80"), {}, Bytes(1240));
    Bytes reply = packet::make_tcp(socket("10.1.0.5:80"), socket("100.64.0.1:5000"), {}, Bytes(1240));

    Bytes buffer = Bytes(2048);
    Bytes datagram = Bytes(2048);
    net::TransmitQueue queue;
    packet::Coalescer coalescer;
};

TEST_F(HotPath, AllocatesNothingInEitherDirection) {
    auto& client = network.client;
    const auto round = [&] {
        return transfer(client.state, gateway.state, client.address, request) +
               transfer(gateway.state, client.state, gateway.address, reply);
    };
    ASSERT_EQ(round(), 2U);  // each buffer is allocated on its first use
    const auto before = testing_support::allocations.load();
    std::size_t arrived = 0;

    for (int i = 0; i < 1000; ++i) {
        network.now += 1us;
        arrived += round();
    }

    EXPECT_EQ(testing_support::allocations.load(), before);
    EXPECT_EQ(arrived, 2000U);
}

TEST_F(HotPath, AllocatesNothingForFlowsThatAreRecorded) {
    auto& client = network.client;
    network.add_resource(2, "10.2.0.0/16", {.gateway = 1, .records_flows = true});
    request = packet::make_tcp(socket("100.64.0.1:5000"), socket("10.2.0.5:80"), {}, Bytes(1240));
    reply = packet::make_tcp(socket("10.2.0.5:80"), socket("100.64.0.1:5000"), {}, Bytes(1240));
    network.send(request);
    network.run_for(3s);
    const auto round = [&] {
        return transfer(client.state, gateway.state, client.address, request) +
               transfer(gateway.state, client.state, gateway.address, reply);
    };
    ASSERT_EQ(round(), 2U);
    const auto before = testing_support::allocations.load();
    std::size_t arrived = 0;

    for (int i = 0; i < 1000; ++i) {
        network.now += 1us;
        arrived += round();
    }

    EXPECT_EQ(testing_support::allocations.load(), before);
    EXPECT_EQ(arrived, 2000U);
    network.run_for(1s);
    EXPECT_EQ(client.records.size(), 1U) << "they were recorded";
    EXPECT_EQ(gateway.records.size(), 1U);
}

TEST_F(HotPath, AllocatesNothingForNamesEither) {
    auto& client = network.client;
    client.state.apply(SetSystemResolvers{{ip("192.0.2.53")}}, network.now, network.wall_now());
    network.add_resource(dns(2, "*.corp.example"));
    network.send(packet::make_udp(socket("100.64.0.1:40000"), socket("100.100.111.1:53"),
                                  dns::test::query("wiki.corp.example")));
    const auto to_name = packet::make_udp(socket("100.64.0.1:5000"), socket("100.96.0.1:80"), Bytes(1200));
    const auto from_name = packet::make_udp(socket("10.0.0.7:80"), socket("100.64.0.1:5000"), Bytes(1200));
    network.send(to_name);
    network.run_for(3s);
    ASSERT_EQ(gateway.look_ups.size(), 1U);
    network.command(gateway, NameFound{.id = gateway.look_ups[0].id, .addresses = {ip("10.0.0.7")}, .lifetime = 1h});
    network.run_for(1s);
    const auto round = [&] {
        return transfer(client.state, gateway.state, client.address, to_name) +
               transfer(gateway.state, client.state, gateway.address, from_name);
    };
    ASSERT_EQ(round(), 2U);
    const auto before = testing_support::allocations.load();
    std::size_t arrived = 0;

    for (int i = 0; i < 1000; ++i) {
        network.now += 1us;
        arrived += round();
    }

    EXPECT_EQ(testing_support::allocations.load(), before);
    EXPECT_EQ(arrived, 2000U);
}

}  // namespace
}  // namespace culvert::tunnel::test
