#include "culvert/tunnel/client/silent_gateways.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{1h};
const auto kGateway = id<GatewayId>(1);

TEST(SilentGateways, OnlyTheSecondSilenceInARowIsReasonToStartAnew) {
    SilentGateways silent;
    EXPECT_FALSE(silent.note_silence(kGateway, kNow));
    silent.note_contact(kGateway);
    EXPECT_FALSE(silent.note_silence(kGateway, kNow + 10s));
    EXPECT_FALSE(silent.note_silence(id<GatewayId>(2), kNow + 11s)) << "another gateway's counts for itself";
    EXPECT_TRUE(silent.note_silence(kGateway, kNow + 20s));
}

TEST(SilentGateways, AGatewayThatStaysSilentDisturbsTheOthersOnce) {
    SilentGateways silent;
    (void)silent.note_silence(kGateway, kNow);
    ASSERT_TRUE(silent.note_silence(kGateway, kNow));
    for (auto now = kNow + 10s; now < kNow + 2h; now += 10s) {
        EXPECT_FALSE(silent.note_silence(kGateway, now));
    }
    silent.note_contact(kGateway);
    EXPECT_FALSE(silent.note_silence(kGateway, kNow + 2h));
    EXPECT_TRUE(silent.note_silence(kGateway, kNow + 2h));
}

TEST(SilentGateways, SeveralSilentOnesDoNotTakeTurnsWithoutAPause) {
    SilentGateways silent;
    (void)silent.note_silence(kGateway, kNow);
    ASSERT_TRUE(silent.note_silence(kGateway, kNow));
    const auto other = id<GatewayId>(2);
    for (auto now = kNow + 10s; now < kNow + kSilenceResetPause; now += 10s) {
        EXPECT_FALSE(silent.note_silence(other, now));
    }
    EXPECT_TRUE(silent.note_silence(other, kNow + kSilenceResetPause));
}

}  // namespace
}  // namespace culvert::tunnel::test
