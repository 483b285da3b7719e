#include "culvert/portal/pending_flows.h"
#include "culvert/portal/constants.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace culvert::portal {
namespace {

class PendingFlowsTest : public testing::Test {
protected:
    std::string ask(const GatewayId& gateway) { return flows_.add({SessionId{1}, gateway, {}}, rng_); }

    Rng rng_ = Rng::from_number(1);
    GatewayId gateway_ = GatewayId::random(rng_);
    PendingFlows flows_;
};

TEST_F(PendingFlowsTest, AreAnsweredOnce) {
    const auto ref = ask(gateway_);

    EXPECT_TRUE(flows_.take(ref, gateway_));
    EXPECT_FALSE(flows_.take(ref, gateway_));
}

TEST_F(PendingFlowsTest, AreAnsweredOnlyByTheGatewayThatWasAsked) {
    const auto ref = ask(gateway_);

    EXPECT_FALSE(flows_.take(ref, GatewayId::random(rng_)));
    EXPECT_TRUE(flows_.take(ref, gateway_));
}

TEST_F(PendingFlowsTest, SurviveOneGenerationAndAreThenForgotten) {
    const auto answered = ask(gateway_);
    const auto forgotten = ask(gateway_);

    flows_.start_generation();
    const auto recent = ask(gateway_);
    EXPECT_TRUE(flows_.take(answered, gateway_));

    flows_.start_generation();
    EXPECT_FALSE(flows_.take(forgotten, gateway_));
    EXPECT_TRUE(flows_.take(recent, gateway_));
}

TEST_F(PendingFlowsTest, AreBoundedHoweverManyAreAsked) {
    std::vector<std::string> refs;
    for (std::size_t i = 0; i < 2 * kMaxPendingOfGeneration + 1; ++i) {
        refs.push_back(ask(gateway_));
    }

    EXPECT_FALSE(flows_.take(refs.front(), gateway_));
    EXPECT_TRUE(flows_.take(refs[kMaxPendingOfGeneration], gateway_));
    EXPECT_TRUE(flows_.take(refs.back(), gateway_));
}

}  // namespace
}  // namespace culvert::portal
