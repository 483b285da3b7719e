// spec/connectivity.md section 13.2.
#include "culvert/turn/channel_bindings.h"

#include <chrono>

#include <gtest/gtest.h>

namespace culvert::turn {
namespace {

Instant at(std::int64_t seconds) {
    return Instant{} + std::chrono::seconds{seconds};
}

net::SocketAddress peer(unsigned number) {
    return {net::IpAddress{std::array<std::uint8_t, 4>{192, 0, 2, 1}}, static_cast<std::uint16_t>(number)};
}

void create_all(ChannelBindings& channels, bool confirm) {
    for (unsigned i = 0; i < kChannelCount; ++i) {
        const auto channel = channels.create(peer(i), at(0));
        ASSERT_EQ(channel, kFirstChannel + i);
        if (confirm) {
            channels.confirm(*channel, at(0));
        }
    }
}

TEST(ChannelBindings, GivesOutNumbersInOrderUntilTheyRunOut) {
    ChannelBindings channels;
    create_all(channels, false);
    EXPECT_FALSE(channels.create(peer(5000), at(0)).has_value());
}

TEST(ChannelBindings, StartsOverOnceNumbersWereLeftAloneFor15Minutes) {
    ChannelBindings channels;
    create_all(channels, false);
    EXPECT_FALSE(channels.create(peer(5000), at(899)).has_value());
    EXPECT_EQ(channels.create(peer(5000), at(900)), 0x4000);
}

TEST(ChannelBindings, PrefersUnusedNumbersToUsedOnes) {
    ChannelBindings channels;
    for (unsigned i = 0; i < 100; ++i) {
        channels.confirm(*channels.create(peer(i), at(0)), at(0));
    }
    EXPECT_EQ(channels.create(peer(5000), at(1200)), 0x4064);
}

TEST(ChannelBindings, GoesRoundInsteadOfStartingAgainAtTheFirstNumber) {
    ChannelBindings channels;
    create_all(channels, true);
    channels.confirm(kLastChannel, at(900));
    EXPECT_EQ(channels.create(peer(5000), at(900)), 0x4000);

    channels.confirm(kLastChannel, at(1800));
    EXPECT_EQ(channels.create(peer(5001), at(1800)), 0x4001);
}

TEST(ChannelBindings, RefreshesAChannelThatReceivedSomething) {
    ChannelBindings channels;
    channels.confirm(*channels.create(peer(1), at(1)), at(1));
    EXPECT_EQ(channels.receive(0x4000), peer(1));

    EXPECT_EQ(channels.next_refresh(), at(301));
    EXPECT_TRUE(channels.channels_to_refresh(at(300)).empty());
    EXPECT_EQ(channels.channels_to_refresh(at(360)), (std::vector<std::uint16_t>{0x4000}));
    EXPECT_TRUE(channels.channels_to_refresh(at(361)).empty()) << "its bind is in flight";
    EXPECT_FALSE(channels.next_refresh().has_value());

    channels.confirm(0x4000, at(361));
    channels.receive(0x4000);
    EXPECT_EQ(channels.next_refresh(), at(661));
}

TEST(ChannelBindings, DoesNotRefreshAChannelThatReceivedNothing) {
    ChannelBindings channels;
    channels.confirm(*channels.create(peer(1), at(1)), at(1));
    EXPECT_FALSE(channels.next_refresh().has_value());
    EXPECT_TRUE(channels.channels_to_refresh(at(360)).empty());
}

TEST(ChannelBindings, BindsTheSamePeerToTheSameNumberDuringCoolDown) {
    ChannelBindings channels;
    channels.confirm(*channels.create(peer(1), at(1)), at(1));
    EXPECT_EQ(channels.create(peer(1), at(720)), 0x4000);
    EXPECT_EQ(channels.to(peer(1), at(721)), 0x4000);
}

TEST(ChannelBindings, GivesAPeerANewNumberAfterItsCoolDown) {
    ChannelBindings channels;
    channels.confirm(*channels.create(peer(1), at(0)), at(0));
    EXPECT_EQ(channels.create(peer(1), at(900)), 0x4001);
    EXPECT_EQ(channels.to(peer(1), at(900)), 0x4001);
}

TEST(ChannelBindings, ReusesANumberAfter15MinutesAndNotBefore) {
    ChannelBindings channels;
    create_all(channels, true);
    EXPECT_FALSE(channels.create(peer(5000), at(601)).has_value());
    channels.receive(0x4000);  // nobody refreshed it, so the peer may still be using it
    EXPECT_EQ(channels.create(peer(5000), at(900)), 0x4001);
    EXPECT_FALSE(channels.to(peer(1), at(900)).has_value());
}

TEST(ChannelBindings, SendsForTenMinutesConfirmedOrNot) {
    ChannelBindings channels;
    const auto unconfirmed = channels.create(peer(1), at(0));
    const auto confirmed = channels.create(peer(2), at(0));
    channels.confirm(*confirmed, at(0));

    EXPECT_EQ(channels.to(peer(1), at(599)), unconfirmed);
    EXPECT_EQ(channels.to(peer(2), at(599)), confirmed);
    EXPECT_FALSE(channels.is_bound(peer(1), at(0)));
    EXPECT_TRUE(channels.is_bound(peer(2), at(599)));
    EXPECT_FALSE(channels.to(peer(1), at(600)).has_value());
    EXPECT_FALSE(channels.to(peer(2), at(600)).has_value());
}

TEST(ChannelBindings, ForgetsOneOrAll) {
    ChannelBindings channels;
    channels.confirm(*channels.create(peer(1), at(0)), at(0));
    channels.confirm(*channels.create(peer(2), at(0)), at(0));

    channels.forget(0x4000);
    EXPECT_FALSE(channels.to(peer(1), at(0)).has_value());
    EXPECT_FALSE(channels.receive(0x4000).has_value());
    EXPECT_EQ(channels.to(peer(2), at(0)), 0x4001);

    channels.clear();
    EXPECT_FALSE(channels.to(peer(2), at(0)).has_value());
    EXPECT_EQ(channels.create(peer(3), at(0)), 0x4002) << "the relay may remember the others";
}

}  // namespace
}  // namespace culvert::turn
