#include "culvert/tunnel/gateway/admitted_clients.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::id;
using test::ip;

const auto kAlice = id<ClientId>(1);
const auto kBob = id<ClientId>(2);
const auto kIpv4 = ip("100.64.0.2");
const auto kIpv6 = ip("fd00:2021:1111::2");

TEST(AdmittedClients, AreFoundByBothAddresses) {
    AdmittedClients clients;

    const auto& alice = clients.admit(kAlice, kIpv4, kIpv6);

    EXPECT_EQ(clients.find(kAlice), &alice);
    EXPECT_EQ(clients.find_by_address(kIpv4), kAlice);
    EXPECT_EQ(clients.find_by_address(kIpv6), kAlice);
    EXPECT_EQ(clients.find(kBob), nullptr);
    EXPECT_EQ(clients.find_by_address(ip("100.64.0.3")), std::nullopt);
}

TEST(AdmittedClients, KeepWhatIsKnownOfThemWhenTheyAreAdmittedAgain) {
    AdmittedClients clients;
    clients.admit(kAlice, kIpv4, kIpv6).owner = kBob.uuid();

    const auto& again = clients.admit(kAlice, ip("100.64.0.9"), kIpv6);

    EXPECT_EQ(again.owner, kBob.uuid());
    EXPECT_TRUE(again.has_address(kIpv4));
    EXPECT_FALSE(again.has_address(ip("100.64.0.9")));
    EXPECT_EQ(clients.find_by_address(ip("100.64.0.9")), std::nullopt);
}

TEST(AdmittedClients, LeaveAnAddressToWhoHasItByNow) {
    AdmittedClients clients;
    clients.admit(kAlice, kIpv4, kIpv6);
    clients.admit(kBob, kIpv4, ip("fd00:2021:1111::3"));

    EXPECT_TRUE(clients.forget(kAlice));
    EXPECT_FALSE(clients.forget(kAlice));

    EXPECT_EQ(clients.find_by_address(kIpv4), kBob);
    EXPECT_EQ(clients.find_by_address(kIpv6), std::nullopt);
    EXPECT_EQ(clients.addresses(), 2U);
}

TEST(AdmittedClients, LeaveNothingBehind) {
    AdmittedClients clients;
    clients.admit(kAlice, kIpv4, kIpv6);

    clients.clear();

    EXPECT_TRUE(clients.empty());
    EXPECT_EQ(clients.addresses(), 0U);
}

}  // namespace
}  // namespace culvert::tunnel
