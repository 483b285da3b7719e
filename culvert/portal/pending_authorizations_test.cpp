#include "culvert/portal/pending_authorizations.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/portal/constants.h"

namespace culvert::portal {
namespace {

using std::chrono::seconds;

class PendingAuthorizationsTest : public testing::Test {
protected:
    std::string ask(const GatewayId& gateway, const ResourceId& resource, std::uint8_t key = 1) {
        PendingAuthorization pending{.client = client_, .client_key = {}, .gateway = gateway, .answer = {}};
        pending.client_key.bytes[0] = std::byte{key};
        pending.answer.resource_id = resource;
        return pending_.add(std::move(pending), now_, rng_);
    }
    std::string ask(const GatewayId& gateway) { return ask(gateway, resource_); }
    bool take(const std::string& ref, const GatewayId& gateway) {
        return pending_.take(ref, gateway, now_).has_value();
    }
    bool is_known_as_late(const std::string& ref, const GatewayId& gateway) {
        const auto pending = pending_.take(ref, gateway, now_);
        return !pending && pending.error() == PendingAuthorizations::NotPending::kSettled;
    }
    std::vector<ResourceId> take_unanswered() {
        std::vector<ResourceId> all;
        while (const auto request = pending_.take_unanswered(now_)) {
            EXPECT_EQ(request->client, client_);
            all.push_back(request->resource);
        }
        return all;
    }

    Rng rng_ = Rng::from_number(1);
    Instant now_{std::chrono::hours{1}};
    ClientId client_ = ClientId::random(rng_);
    GatewayId gateway_ = GatewayId::random(rng_);
    ResourceId resource_ = ResourceId::random(rng_);
    PendingAuthorizations pending_;
};

TEST_F(PendingAuthorizationsTest, AreAnsweredOnce) {
    const auto ref = ask(gateway_);

    EXPECT_TRUE(take(ref, gateway_));
    EXPECT_FALSE(take(ref, gateway_));
    EXPECT_FALSE(pending_.next_deadline());
}

TEST_F(PendingAuthorizationsTest, AreAnsweredOnlyByTheGatewayThatWasAsked) {
    const auto ref = ask(gateway_);

    EXPECT_FALSE(take(ref, GatewayId::random(rng_)));
    EXPECT_TRUE(take(ref, gateway_));
}

TEST_F(PendingAuthorizationsTest, AreSettledByWhicheverAnswerComesFirst) {
    const auto first = ask(gateway_);
    const auto other_gateway = GatewayId::random(rng_);
    const auto second = ask(other_gateway);
    const auto elsewhere = ask(gateway_, ResourceId::random(rng_));

    EXPECT_TRUE(take(first, gateway_));
    EXPECT_FALSE(take(second, other_gateway)) << "the client has one answer";
    EXPECT_TRUE(is_known_as_late(second, other_gateway));
    EXPECT_FALSE(is_known_as_late(second, gateway_)) << "which was not asked that";
    EXPECT_TRUE(take(elsewhere, gateway_));
}

TEST_F(PendingAuthorizationsTest, FailTogetherWhenNoneIsAnsweredInTime) {
    const auto start = now_;
    const auto first = ask(gateway_);
    std::string last;
    for (int i = 0; i < 7; ++i) {
        now_ += seconds{2};
        last = ask(gateway_);  // as clients with traffic do
    }
    EXPECT_EQ(pending_.next_deadline(), start + kAuthorizationAnswer);
    EXPECT_TRUE(take_unanswered().empty());

    now_ = start + kAuthorizationAnswer;
    EXPECT_EQ(take_unanswered(), std::vector{resource_});
    EXPECT_FALSE(take(first, gateway_));
    EXPECT_FALSE(take(last, gateway_)) << "too late";
    EXPECT_TRUE(is_known_as_late(last, gateway_));
    now_ += kLateAnswer;
    EXPECT_FALSE(is_known_as_late(last, gateway_)) << "nothing is remembered for ever";

    const auto again = ask(gateway_);
    EXPECT_EQ(pending_.next_deadline(), now_ + kAuthorizationAnswer);
    EXPECT_TRUE(take(again, gateway_));
}

TEST_F(PendingAuthorizationsTest, OfAFormerKeyAreWorthless) {
    const auto old = ask(gateway_, resource_, 1);
    now_ += seconds{10};
    const auto fresh = ask(gateway_, resource_, 2);

    EXPECT_FALSE(take(old, gateway_));
    EXPECT_EQ(pending_.next_deadline(), now_ + kAuthorizationAnswer);
    EXPECT_TRUE(take(fresh, gateway_));
}

TEST_F(PendingAuthorizationsTest, AreBoundedHoweverOftenOneIsAsked) {
    std::vector<std::string> refs;
    for (std::size_t i = 0; i < kMaxPendingOfRequest + 1; ++i) {
        refs.push_back(ask(gateway_));
    }
    EXPECT_TRUE(is_known_as_late(refs.front(), gateway_));
    EXPECT_TRUE(take(refs[1], gateway_));
}

TEST_F(PendingAuthorizationsTest, AreBoundedHoweverManyAreAsked) {
    std::vector<std::string> refs;
    for (std::size_t i = 0; i < kMaxPendingAuthorizations + 1; ++i) {
        now_ += std::chrono::microseconds{1};
        refs.push_back(ask(gateway_, ResourceId::random(rng_)));
    }

    EXPECT_FALSE(take(refs.front(), gateway_));
    EXPECT_TRUE(take(refs[1], gateway_));
    EXPECT_TRUE(take(refs.back(), gateway_));
}

}  // namespace
}  // namespace culvert::portal
