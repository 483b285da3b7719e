#include "tests/model/shrink/shrink.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/model/choice/choice_source.h"
#include "tests/model/scenario/decode.h"
#include "tests/model/scenario/script.h"

namespace culvert::model {
namespace {

using Predicate = std::function<bool(const Scenario&)>;

constexpr unsigned kPlenty = 100'000;

Scenario parsed(std::string_view script) {
    auto scenario = parse_script(script);
    EXPECT_TRUE(scenario) << scenario.error();
    return scenario.value_or(Scenario{});
}

std::string shrunk(const Scenario& failing, const Predicate& still_fails) {
    EXPECT_TRUE(still_fails(failing));
    return to_script(shrink(failing, still_fails, [](std::string_view) {}, kPlenty));
}

template <typename A>
std::size_t count_of(const Scenario& scenario) {
    return static_cast<std::size_t>(
        std::ranges::count_if(scenario.steps, [](const Step& step) { return std::holds_alternative<A>(step.action); }));
}

// The first random case in which `fails` holds.
Scenario random_case(const Predicate& fails) {
    auto rng = Rng::from_number(7);
    for (;;) {
        const auto bytes = ChoiceSource::random_bytes(rng, 600);
        if (auto scenario = decode(bytes); fails(scenario)) {
            return scenario;
        }
    }
}

TEST(Shrink, FindsTheTwoStepsThatMatter) {
    const Predicate fails = [](const Scenario& scenario) {
        const auto crash = std::ranges::find_if(scenario.steps, [](const Step& step) {
            const auto* found = std::get_if<Crash>(&step.action);
            return found != nullptr && std::holds_alternative<GatewayNo>(found->process);
        });
        return std::any_of(crash, scenario.steps.end(),
                           [](const Step& step) { return std::holds_alternative<Roam>(step.action); });
    };

    const auto scenario = shrink(random_case(fails), fails, [](std::string_view) {}, kPlenty);

    ASSERT_EQ(scenario.steps.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<Crash>(scenario.steps[0].action));
    EXPECT_TRUE(std::holds_alternative<Roam>(scenario.steps[1].action));
    EXPECT_EQ(scenario.steps[1].at, milliseconds{0});
    EXPECT_EQ(scenario.setup.clients.size(), 1U);
    EXPECT_TRUE(scenario.setup.resources.empty());
    EXPECT_TRUE(scenario.setup.policies.empty());
}

TEST(Shrink, RenumbersWhatRemains) {
    const auto failing = parsed(
        "case sites=3 groups=2\n"
        "client1 groups=group1,group2\n"
        "client2 groups=group1,group2\n"
        "gateway1 site1\n"
        "gateway2 site3\n"
        "relay1\n"
        "resource1 10.0.0.0/24 sites=site1\n"
        "resource2 10.0.1.0/24 sites=site1,site3\n"
        "policy group1 resource1\n"
        "policy group2 resource2\n"
        "t=1.000 probe client1 resource1:1 icmp\n"
        "t=2.000 probe client2 resource2:1 icmp\n");
    // Some client aims at 10.0.1.0/24, by a policy, and a gateway of one of the resource's sites is there.
    const Predicate fails = [](const Scenario& scenario) {
        const auto& setup = scenario.setup;
        return std::ranges::any_of(scenario.steps, [&](const Step& step) {
            const auto* probe = std::get_if<Probe>(&step.action);
            if (probe == nullptr) {
                return false;
            }
            const auto number = std::get<HostOf>(probe->to).resource;
            const auto& resource = setup.resources.at(number.value - 1U);
            const auto& groups = setup.clients.at(probe->client.value - 1U).groups;
            const bool is_allowed = std::ranges::any_of(setup.policies, [&](const PolicySetup& policy) {
                return policy.resource == number && std::ranges::find(groups, policy.group) != groups.end();
            });
            const bool is_served = std::ranges::any_of(setup.gateways, [&](const GatewaySetup& gateway) {
                return std::ranges::find(resource.sites, gateway.site) != resource.sites.end();
            });
            return resource.address.to_string() == "10.0.1.0/24" && is_allowed && is_served;
        });
    };

    EXPECT_EQ(shrunk(failing, fails),
              "case tail=1s\n"
              "client1 groups=group1\n"
              "gateway1 site1\n"
              "resource1 10.0.1.0/24 sites=site1\n"
              "policy group1 resource1\n"
              "t=0.000 probe client1 resource1:1 icmp\n");
}

TEST(Shrink, SimplifiesFields) {
    const auto failing = parsed(
        "case seed=99 tail=60s\n"
        "client1 no-v6 nat=address-and-port,address,hairpins,timeout=300s latency=100ms driver=late port=3478\n"
        "gateway1 site1 nat=address,address driver=spurious\n"
        "resource1 10.0.0.0/24 filters=tcp:1-5,udp:6,icmp\n"
        "t=1.000 probe client1 resource1:1 udp from=77 to=88 count=400 every=20ms payload=999\n"
        "t=2.000 block-direct client1 gateway1 for=118s\n");
    const Predicate fails = [](const Scenario& scenario) {
        const auto& setup = scenario.setup;
        const auto& nat = setup.clients.empty() ? std::nullopt : setup.clients[0].access.nat;
        return count_of<Probe>(scenario) == 1 && count_of<BlockDirect>(scenario) == 1 && nat && nat->hairpins &&
               setup.resources[0].filters.size() >= 2 && std::get<Probe>(scenario.steps[0].action).count >= 3 &&
               std::get<BlockDirect>(scenario.steps[1].action).duration >= seconds{4};
    };

    EXPECT_EQ(shrunk(failing, fails),
              "case tail=1s\n"
              "client1 nat=independent,address-and-port,hairpins\n"
              "gateway1 site1\n"
              "resource1 10.0.0.0/24 filters=udp:6,icmp\n"
              "t=0.000 probe client1 resource1:1 icmp count=4\n"
              "t=0.000 block-direct client1 gateway1 for=7s\n");
}

TEST(Shrink, ShortensThePausesThatMayBeShorter) {
    const auto failing = parsed(
        "client1\n"
        "t=20.000 reset client1\n"
        "t=400.000 settle\n"
        "t=401.000 reset client1\n");
    const Predicate fails = [](const Scenario& scenario) {
        return count_of<Reset>(scenario) == 2 && scenario.steps.back().at - scenario.steps.front().at > seconds{120};
    };

    const auto scenario = shrink(failing, fails, [](std::string_view) {}, kPlenty);

    ASSERT_EQ(scenario.steps.size(), 2U);
    EXPECT_EQ(scenario.steps[0].at, milliseconds{0});
    EXPECT_LE(scenario.steps[1].at, seconds{241});
}

TEST(Shrink, KeepsToItsRunsAndTellsWhatItDoes) {
    const auto failing = random_case([](const Scenario& scenario) { return scenario.steps.size() == 16; });
    unsigned runs = 0;
    std::vector<std::string> lines;

    const auto scenario = shrink(
        failing,
        [&](const Scenario& candidate) {
            ++runs;
            return count_of<Settle>(candidate) > 0;
        },
        [&](std::string_view line) { lines.emplace_back(line); }, 10);

    EXPECT_EQ(runs, 10U);
    EXPECT_GT(count_of<Settle>(scenario), 0U);
    ASSERT_FALSE(lines.empty());
    EXPECT_TRUE(lines.front().ends_with(": dropped 8 steps, 8 steps left")) << lines.front();
}

TEST(Shrink, IsDeterministicAndTriesNothingTwice) {
    const Predicate fails = [](const Scenario& scenario) { return count_of<Probe>(scenario) >= 2; };
    const auto failing = random_case(fails);
    std::set<std::string> tried;
    const Predicate observed = [&](const Scenario& candidate) {
        EXPECT_TRUE(tried.insert(to_script(candidate)).second);
        return fails(candidate);
    };

    const auto script = shrunk(failing, fails);

    EXPECT_EQ(to_script(shrink(failing, observed, [](std::string_view) {}, kPlenty)), script);
}

TEST(Shrink, TriesOnlyScenariosThatCanBeWrittenAsScripts) {
    auto rng = Rng::from_number(8);
    for (unsigned i = 0; i < 20; ++i) {
        const auto bytes = ChoiceSource::random_bytes(rng, 600);
        const auto failing = decode(bytes);
        const auto kind = failing.steps.front().action.index();
        const Predicate fails = [&](const Scenario& candidate) {
            const auto again = parse_script(to_script(candidate));
            EXPECT_TRUE(again) << again.error() << '\n' << to_script(candidate);
            EXPECT_TRUE(again == candidate) << to_script(candidate);
            return std::ranges::any_of(candidate.steps, [&](const Step& step) { return step.action.index() == kind; });
        };

        const auto scenario = shrink(failing, fails, [](std::string_view) {}, kPlenty);

        EXPECT_EQ(scenario.steps.size(), 1U);
    }
}

TEST(Shrink, LeavesWhatCannotBeSmaller) {
    const auto failing = random_case([](const Scenario&) { return true; });

    EXPECT_EQ(shrink(failing, [](const Scenario&) { return false; }, [](std::string_view) {}, kPlenty), failing);
}

}  // namespace
}  // namespace culvert::model
