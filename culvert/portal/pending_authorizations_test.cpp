#include "culvert/portal/pending_authorizations.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/portal/constants.h"

namespace culvert::portal {
namespace {

class PendingAuthorizationsTest : public testing::Test {
protected:
    std::string ask(const GatewayId& gateway) { return pending_.add({SessionId{1}, gateway, {}}, rng_); }

    Rng rng_ = Rng::from_number(1);
    GatewayId gateway_ = GatewayId::random(rng_);
    PendingAuthorizations pending_;
};

TEST_F(PendingAuthorizationsTest, AreAnsweredOnce) {
    const auto ref = ask(gateway_);

    EXPECT_TRUE(pending_.take(ref, gateway_));
    EXPECT_FALSE(pending_.take(ref, gateway_));
}

TEST_F(PendingAuthorizationsTest, AreAnsweredOnlyByTheGatewayThatWasAsked) {
    const auto ref = ask(gateway_);

    EXPECT_FALSE(pending_.take(ref, GatewayId::random(rng_)));
    EXPECT_TRUE(pending_.take(ref, gateway_));
}

TEST_F(PendingAuthorizationsTest, SurviveOneGenerationAndAreThenForgotten) {
    const auto answered = ask(gateway_);
    const auto forgotten = ask(gateway_);

    pending_.start_generation();
    const auto recent = ask(gateway_);
    EXPECT_TRUE(pending_.take(answered, gateway_));

    pending_.start_generation();
    EXPECT_FALSE(pending_.take(forgotten, gateway_));
    EXPECT_TRUE(pending_.take(recent, gateway_));
}

TEST_F(PendingAuthorizationsTest, AreBoundedHoweverManyAreAsked) {
    std::vector<std::string> refs;
    for (std::size_t i = 0; i < 2 * kMaxPendingOfGeneration + 1; ++i) {
        refs.push_back(ask(gateway_));
    }

    EXPECT_FALSE(pending_.take(refs.front(), gateway_));
    EXPECT_TRUE(pending_.take(refs[kMaxPendingOfGeneration], gateway_));
    EXPECT_TRUE(pending_.take(refs.back(), gateway_));
}

}  // namespace
}  // namespace culvert::portal
