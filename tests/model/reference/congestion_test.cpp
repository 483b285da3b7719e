#include "tests/model/reference/congestion.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr ClientNo kClient{1};
constexpr GatewayNo kGateway{1};

class CongestionTest : public ::testing::Test {
protected:
    void impair(Device device, bool up, bool down, std::uint16_t share = 100) {
        Impairment impairment;
        impairment.congestion = share;
        congestion.handle(ActionTaken{{.at = 0ms, .action = ImpairLink{device, up, down, impairment}}, true}, now);
    }
    void heal(const Process& process) { congestion.handle(FaultChanged{"link", process, false}, now); }
    [[nodiscard]] bool is_possible_there() const { return congestion.is_possible(kClient, kGateway, now, now); }
    [[nodiscard]] bool is_possible_back() const { return congestion.is_possible(kGateway, kClient, now, now); }

    Instant now = kCaseBegin;
    Congestion congestion;
};

TEST_F(CongestionTest, MarksInItsDirectionOnly) {
    EXPECT_FALSE(is_possible_there());
    impair(kClient, true, false);
    EXPECT_TRUE(is_possible_there());
    EXPECT_FALSE(is_possible_back());

    impair(kGateway, true, false);
    EXPECT_TRUE(is_possible_back());
}

TEST_F(CongestionTest, OfAnyRelayMarksBothWays) {
    impair(RelayNo{2}, false, true);
    EXPECT_TRUE(is_possible_there());
    EXPECT_TRUE(is_possible_back());
}

TEST_F(CongestionTest, OfOthersMarksNothing) {
    impair(ClientNo{2}, true, true);
    impair(GatewayNo{2}, true, true);
    EXPECT_FALSE(is_possible_there());
    EXPECT_FALSE(is_possible_back());
}

TEST_F(CongestionTest, MarksNothingThatIsSentAfterIt) {
    impair(kClient, true, true);
    now += 5s;
    heal(kGateway);
    EXPECT_TRUE(is_possible_there());
    heal(kClient);
    now += 1ms;
    EXPECT_FALSE(is_possible_there());
    EXPECT_TRUE(congestion.is_possible(kClient, kGateway, now - 2ms, now));
}

TEST_F(CongestionTest, EndsWhereAnotherImpairmentTakesItsPlace) {
    impair(kClient, true, true);
    now += 1s;
    impair(kClient, true, false, 0);
    now += 1ms;
    EXPECT_FALSE(is_possible_there());
    EXPECT_TRUE(is_possible_back());
}

TEST_F(CongestionTest, IsNoneWhereTheActionHadNoEffect) {
    Impairment impairment;
    impairment.congestion = 100;
    congestion.handle(ActionTaken{{.at = 0ms, .action = ImpairLink{kClient, true, true, impairment}}, false}, now);
    EXPECT_FALSE(is_possible_there());
}

}  // namespace
}  // namespace culvert::model
