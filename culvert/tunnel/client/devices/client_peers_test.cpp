#include "culvert/tunnel/client/devices/client_peers.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace test;

const ClientId kAlice = id<ClientId>(1);
const ClientId kBob = id<ClientId>(2);
const ResourceId kPool = id<ResourceId>(10);

crypto::PublicKey key(std::uint8_t number) {
    crypto::PublicKey made;
    made.bytes[0] = std::byte{number};
    return made;
}
ClientPeers::Peer peer(std::uint8_t number, std::uint8_t key_number) {
    return {.key = key(key_number),
            .ipv4 = ip("100.64.0." + std::to_string(number)),
            .ipv6 = ip("fd00:2021:1111::" + std::to_string(number))};
}

TEST(ClientPeers, AreFoundByTheirAddresses) {
    ClientPeers peers;
    peers.put(kAlice, peer(1, 1));
    peers.put(kBob, peer(2, 2));

    EXPECT_EQ(peers.find_by_address(ip("100.64.0.2")), kBob);
    EXPECT_EQ(peers.find_by_address(ip("fd00:2021:1111::1")), kAlice);
    EXPECT_EQ(peers.find_by_address(ip("100.64.0.3")), std::nullopt);
    EXPECT_TRUE(peers.find(kAlice)->has_address(ip("100.64.0.1")));
    EXPECT_FALSE(peers.find(kAlice)->has_address(ip("100.64.0.2")));

    EXPECT_TRUE(peers.erase(kAlice));
    EXPECT_FALSE(peers.erase(kAlice));
    EXPECT_EQ(peers.find_by_address(ip("100.64.0.1")), std::nullopt);
}

TEST(ClientPeers, KeepTheirPoolsUnlessTheyStartAnew) {
    ClientPeers peers;
    peers.put(kAlice, peer(1, 1));
    peers.grant(kAlice, kPool);

    peers.put(kAlice, peer(3, 1));
    EXPECT_TRUE(peers.find(kAlice)->pools.contains(kPool)) << "only the address is new";
    EXPECT_EQ(peers.find_by_address(ip("100.64.0.1")), std::nullopt);
    EXPECT_EQ(peers.find_by_address(ip("100.64.0.3")), kAlice);

    peers.put(kAlice, peer(3, 2));
    EXPECT_TRUE(peers.find(kAlice)->pools.empty());
}

TEST(ClientPeers, DoNotLoseAnAddressToWhoHadItBefore) {
    ClientPeers peers;
    peers.put(kAlice, peer(1, 1));
    peers.put(kBob, peer(1, 2));

    EXPECT_TRUE(peers.erase(kAlice));

    EXPECT_EQ(peers.find_by_address(ip("100.64.0.1")), kBob);
}

TEST(ClientPeers, AreFinishedWithTheirLastPool) {
    ClientPeers peers;
    peers.put(kAlice, peer(1, 1));
    peers.put(kBob, peer(2, 2));
    peers.grant(kAlice, kPool);
    peers.grant(kAlice, id<ResourceId>(11));

    const auto of = [](const ResourceId& ended) {
        return [ended](const ClientId&, const ResourceId& pool) { return pool == ended; };
    };
    EXPECT_TRUE(peers.end_grants(of(kPool)).empty());
    EXPECT_EQ(peers.end_grants(of(id<ResourceId>(11))), std::vector{kAlice});
    EXPECT_TRUE(peers.end_grants(of(kPool)).empty()) << "who never had one is not finished";
}

}  // namespace
}  // namespace culvert::tunnel
