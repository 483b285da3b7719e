#include "culvert/portal_channel/held_candidates.h"

#include <gtest/gtest.h>

#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {
namespace {

using portal_api::BroadcastClientIceCandidates;
using portal_api::BroadcastGatewayIceCandidates;
using portal_api::BroadcastInvalidatedGatewayIceCandidates;
using portal_api::FromClient;
using portal_api::FromDevice;
using portal_api::FromGateway;
using Texts = std::vector<std::string>;

GatewayId gateway(std::uint8_t number) {
    return GatewayId{Uuid{std::array<std::uint8_t, 16>{number}}};
}

FromDevice added(std::uint8_t number, const Texts& candidates) {
    return FromClient{BroadcastGatewayIceCandidates{{gateway(number)}, candidates}};
}
FromDevice removed(std::uint8_t number, const Texts& candidates) {
    return FromClient{BroadcastInvalidatedGatewayIceCandidates{{gateway(number)}, candidates}};
}

TEST(HeldCandidates, MakeOneMessageOfManyPerConnectionAndKind) {
    HeldCandidates held;
    EXPECT_TRUE(held.hold(added(1, {"a"})));
    EXPECT_TRUE(held.hold(added(2, {"x"})));
    EXPECT_TRUE(held.hold(added(1, {"b", "a"})));
    EXPECT_TRUE(held.hold(removed(1, {"c"})));

    EXPECT_EQ(held.take(), (std::vector<FromDevice>{added(1, {"a", "b"}), removed(1, {"c"}), added(2, {"x"})}));
    EXPECT_TRUE(held.take().empty()) << "once";
}

TEST(HeldCandidates, ComeInDescendingPriority) {
    const std::string relayed = "candidate:a 1 udp 37748479 203.0.113.1 61743 typ relay raddr 0.0.0.0 rport 0";
    const std::string reflexive = "candidate:b 1 udp 1694498815 198.51.100.7 52625 typ srflx raddr 0.0.0.0 rport 0";
    const std::string host = "candidate:c 1 udp 2130706175 10.99.0.2 52625 typ host ufrag vf5y";
    HeldCandidates held;
    held.hold(added(1, {relayed, "strange"}));
    held.hold(added(1, {host}));
    held.hold(added(1, {reflexive}));

    EXPECT_EQ(held.take(), std::vector<FromDevice>{added(1, {host, reflexive, relayed, "strange"})});
}

TEST(HeldCandidates, TheNewerWordCounts) {
    HeldCandidates held;
    held.hold(added(1, {"a", "b"}));
    held.hold(removed(1, {"a"}));
    held.hold(removed(1, {"c"}));
    held.hold(added(1, {"c"}));

    EXPECT_EQ(held.take(), (std::vector<FromDevice>{added(1, {"b", "c"}), removed(1, {"a"})}));
}

TEST(HeldCandidates, AreForgottenWithTheirConnection) {
    HeldCandidates held;
    held.hold(added(1, {"a"}));
    held.hold(added(2, {"b"}));
    held.forget(gateway(1).uuid());

    EXPECT_EQ(held.take(), std::vector<FromDevice>{added(2, {"b"})});
}

TEST(HeldCandidates, OfAGatewayAreForClients) {
    HeldCandidates held;
    const FromDevice message = FromGateway{BroadcastClientIceCandidates{{ClientId{gateway(1).uuid()}}, {"a"}}};
    EXPECT_TRUE(held.hold(message));

    EXPECT_EQ(held.take(), std::vector<FromDevice>{message});
}

TEST(HeldCandidates, AreNothingElse) {
    HeldCandidates held;
    EXPECT_FALSE(held.hold(FromClient{portal_api::CreateFlow{}}));
    EXPECT_FALSE(held.hold(FromGateway{portal_api::FlowAuthorized{}}));
    EXPECT_EQ(held.size(), 0U);
}

TEST(HeldCandidates, AreBounded) {
    HeldCandidates held;
    for (std::size_t i = 0; i < 2 * kMaxHeldCandidates; ++i) {
        held.hold(added(1, {std::to_string(i)}));
    }
    const auto messages = held.take();
    ASSERT_EQ(messages.size(), 1U);
    const auto& message = std::get<BroadcastGatewayIceCandidates>(std::get<FromClient>(messages[0]));
    EXPECT_EQ(message.candidates.size(), kMaxHeldCandidates);
}

}  // namespace
}  // namespace culvert::portal_channel
