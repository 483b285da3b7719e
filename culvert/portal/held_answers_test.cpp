#include "culvert/portal/held_answers.h"

#include <gtest/gtest.h>

#include "culvert/portal/constants.h"

namespace culvert::portal {
namespace {

using std::chrono::seconds;

class HeldAnswersTest : public testing::Test {
protected:
    portal_api::FlowCreated answer(const ResourceId& resource) const {
        portal_api::FlowCreated made;
        made.resource_id = resource;
        made.gateway_id = gateway_;
        return made;
    }
    crypto::PublicKey key() { return crypto::PublicKey{rng_.array<32>()}; }

    Rng rng_ = Rng::from_number(1);
    HeldAnswers held_;
    Instant now_{std::chrono::hours{1}};
    Instant until_ = now_ + seconds{15};
    ClientId client_ = ClientId::random(rng_);
    GatewayId gateway_ = GatewayId::random(rng_);
    ResourceId resource_ = ResourceId::random(rng_);
    crypto::PublicKey key_ = key();
};

TEST_F(HeldAnswersTest, AreTakenOnceWithTheirCandidates) {
    held_.hold(client_, key_, answer(resource_), until_, now_);
    held_.add_candidates({ClientId::random(rng_), client_}, gateway_, {"a", "b", "a", "c"}, now_);
    held_.add_candidates({client_}, GatewayId::random(rng_), {"of another gateway"}, now_);
    held_.remove_candidates({client_}, gateway_, {"b"});

    const auto taken = held_.take(client_, key_, now_ + seconds{14});

    ASSERT_EQ(taken.answers.size(), 1U);
    EXPECT_EQ(taken.answers[0].resource_id, resource_);
    ASSERT_EQ(taken.candidates.size(), 1U);
    EXPECT_EQ(taken.candidates.at(gateway_), (std::vector<std::string>{"a", "c"}));
    EXPECT_TRUE(held_.take(client_, key_, now_).answers.empty());
    EXPECT_EQ(held_.size(), 0U);
}

TEST_F(HeldAnswersTest, AreForTheKeyThatAsked) {
    held_.hold(client_, key_, answer(resource_), until_, now_);
    EXPECT_TRUE(held_.take(client_, key(), now_).answers.empty());

    held_.hold(client_, key_, answer(resource_), until_, now_);
    held_.hold(client_, key(), answer(ResourceId::random(rng_)), until_, now_);
    EXPECT_EQ(held_.size(), 1U) << "the newer key counts";
    EXPECT_TRUE(held_.take(client_, key_, now_).answers.empty());
}

TEST_F(HeldAnswersTest, AreForgottenInTime) {
    held_.hold(client_, key_, answer(resource_), until_, now_);
    EXPECT_TRUE(held_.take(client_, key_, until_).answers.empty());

    held_.hold(client_, key_, answer(resource_), until_, until_);
    EXPECT_EQ(held_.size(), 0U) << "too late already";
    held_.hold(client_, key_, answer(resource_), until_, now_);
    held_.prune(until_);
    EXPECT_EQ(held_.size(), 0U);
}

TEST_F(HeldAnswersTest, AreBounded) {
    for (std::size_t i = 0; i <= kMaxHeldOfClient; ++i) {
        held_.hold(client_, key_, answer(ResourceId::random(rng_)), until_, now_);
    }
    EXPECT_EQ(held_.size(), kMaxHeldOfClient);
    std::vector<std::string> candidates;
    for (int i = 0; i < 1000; ++i) {
        candidates.push_back(std::to_string(i));
    }
    held_.add_candidates({client_}, gateway_, {std::string(kMaxCandidateLength + 1, 'c')}, now_);
    held_.add_candidates({client_}, gateway_, candidates, now_);
    EXPECT_EQ(held_.take(client_, key_, now_).candidates.at(gateway_).size(), kMaxHeldCandidates);

    for (std::size_t i = 0; i < 2 * kMaxHeldAnswers; ++i) {
        held_.hold(ClientId::random(rng_), key_, answer(resource_), until_, now_);
    }
    EXPECT_EQ(held_.size(), kMaxHeldAnswers);
    held_.hold(client_, key_, answer(resource_), until_ + seconds{1}, until_);
    EXPECT_EQ(held_.size(), 1U) << "those that are too old make room";
}

}  // namespace
}  // namespace culvert::portal
