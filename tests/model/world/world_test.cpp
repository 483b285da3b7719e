#include "tests/model/world/world.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// Counts the moments at which states are compared.
class Settlings final : public Observer {
public:
    void observe(const Observation& observation, Instant) override {
        count += std::holds_alternative<Settled>(observation) ? 1U : 0U;
    }
    unsigned count = 0;
};

Scenario settling() {
    Scenario scenario;
    scenario.setup.clients.resize(1);
    scenario.setup.gateways.resize(1);
    scenario.steps = {Step{.at = 5s, .action = Settle{}}};
    return scenario;
}

TEST(World, RunsAScenarioToItsEnd) {
    const auto scenario = settling();
    Settlings settlings;
    World world{scenario, {&settlings}};

    world.run([] { return true; });

    EXPECT_EQ(settlings.count, 1U);
    EXPECT_GT(world.now(), kCaseBegin + 10min);
    EXPECT_TRUE(world.verdict().checks().contains("RES-2"));
}

TEST(World, EndsInTheMiddleOfAStep) {
    const auto scenario = settling();
    Settlings settlings;
    World world{scenario, {&settlings}};
    const auto end = kCaseBegin + 10s;

    world.run([&] { return world.now() < end; });

    EXPECT_EQ(settlings.count, 0U);
    EXPECT_GE(world.now(), end);
    EXPECT_LT(world.now(), end + 30s);
    EXPECT_TRUE(world.verdict().violations().empty());
    EXPECT_FALSE(world.verdict().checks().contains("RES-2"));
}

}  // namespace
}  // namespace culvert::model
