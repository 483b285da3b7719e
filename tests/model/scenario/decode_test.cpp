#include "tests/model/scenario/decode.h"

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "tests/model/choice/choice_source.h"
#include "tests/model/scenario/plan.h"

namespace culvert::model {
namespace {

constexpr int kCases = 1000;

std::vector<Scenario> decode_random_cases(const DecodeOptions& options) {
    auto rng = Rng::from_number(1);
    std::vector<Scenario> cases;
    for (int i = 0; i < kCases; ++i) {
        cases.push_back(decode(ChoiceSource::random_bytes(rng, kMaxDecodedBytes), options));
    }
    return cases;
}

/// The same for all tests: they take long to decode where sanitizers watch.
void for_random_cases(const std::function<void(const Scenario&)>& check) {
    static const auto cases = decode_random_cases({});
    std::ranges::for_each(cases, check);
}

template <typename A>
std::size_t count_of(const Scenario& scenario) {
    return static_cast<std::size_t>(
        std::ranges::count_if(scenario.steps, [](const Step& step) { return std::holds_alternative<A>(step.action); }));
}

TEST(Decode, MakesTheSimplestWorldOfNothing) {
    const auto scenario = decode({});

    EXPECT_EQ(scenario.setup.clients.size(), 1U);
    EXPECT_EQ(scenario.setup.clients[0].access, Access{});
    EXPECT_EQ(scenario.setup.gateways.size(), 1U);
    EXPECT_EQ(scenario.setup.gateways[0].access, Access{});
    EXPECT_EQ(scenario.setup.relays.size(), 1U);
    EXPECT_EQ(scenario.setup.resources.size(), 1U);
    EXPECT_EQ(scenario.setup.policies.size(), 1U);
    ASSERT_EQ(scenario.steps.size(), 2U);
    const auto& probe = std::get<Probe>(scenario.steps[0].action);
    EXPECT_EQ(probe.to, Destination{HostOf{}});
    EXPECT_EQ(probe.count, 1);
    EXPECT_TRUE(std::holds_alternative<Settle>(scenario.steps[1].action));
}

TEST(Decode, GivesTheSameScenarioForTheSameBytes) {
    auto rng = Rng::from_number(2);
    const auto bytes = ChoiceSource::random_bytes(rng, kMaxDecodedBytes);
    const auto others = ChoiceSource::random_bytes(rng, kMaxDecodedBytes);

    EXPECT_EQ(decode(bytes), decode(bytes));
    EXPECT_NE(decode(bytes), decode(others));
}

TEST(Decode, HasFiveToFifteenStepsInOrderAndSettlesAtTheEnd) {
    for_random_cases([](const Scenario& scenario) {
        ASSERT_GE(scenario.steps.size(), 6U);
        ASSERT_LE(scenario.steps.size(), 16U);
        ASSERT_TRUE(std::ranges::is_sorted(scenario.steps, {}, &Step::at));
        ASSERT_TRUE(std::holds_alternative<Settle>(scenario.steps.back().action));
    });
}

TEST(Decode, LetsTenMinutesPassInAboutOneOfFiftyCasesOftenDuringAFlow) {
    constexpr seconds kLong{600};
    int long_cases = 0;
    int lasting_flows = 0;
    for_random_cases([&](const Scenario& scenario) {
        milliseconds before{0};
        bool is_long = false;
        for (const auto& step : scenario.steps) {
            is_long = is_long || step.at - before >= kLong;
            before = step.at;
            const auto* probe = std::get_if<Probe>(&step.action);
            lasting_flows += probe != nullptr && probe->count * probe->interval >= seconds{400} ? 1 : 0;
        }
        long_cases += is_long ? 1 : 0;
    });
    EXPECT_GT(long_cases, kCases / 100);
    EXPECT_LT(long_cases, kCases / 25);
    EXPECT_GT(lasting_flows, long_cases / 5);
}

TEST(Decode, AcceptsEveryTruncation) {
    auto rng = Rng::from_number(3);
    const auto bytes = ChoiceSource::random_bytes(rng, 400);
    std::size_t steps = 0;

    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        const auto scenario = decode(ByteSpan{bytes}.first(length));
        ASSERT_GE(scenario.steps.size(), 2U);
        steps = std::max(steps, scenario.steps.size());
    }
    EXPECT_GT(steps, 5U);
}

TEST(Decode, ReadsNoMoreThanItSays) {
    auto rng = Rng::from_number(4);
    for (int i = 0; i < kCases; ++i) {
        const auto bytes = ChoiceSource::random_bytes(rng, 2 * kMaxDecodedBytes);
        ASSERT_LE(decoded_layout(bytes).step_ends.back(), kMaxDecodedBytes);
    }
}

TEST(Decode, DrawsEveryKindOfActionButDeadlines) {
    std::set<std::size_t> kinds;
    for_random_cases([&](const Scenario& scenario) {
        for (const auto& step : scenario.steps) {
            kinds.insert(step.action.index());
        }
    });

    EXPECT_FALSE(kinds.contains(Action{Expect{}}.index()));
    EXPECT_EQ(kinds.size(), std::variant_size_v<Action> - 1);
}

TEST(Decode, LeavesOutWhatItIsTold) {
    for (const auto& scenario :
         decode_random_cases({.faults = false, .attacks = false, .admin = false, .processes = false})) {
        const auto traffic = count_of<Probe>(scenario) + count_of<Transfer>(scenario) +
                             count_of<Unsolicited>(scenario) + count_of<Settle>(scenario);
        ASSERT_EQ(traffic, scenario.steps.size());
        ASSERT_TRUE(std::ranges::none_of(scenario.setup.clients, &ClientSetup::is_hostile));
        ASSERT_TRUE(std::ranges::none_of(scenario.setup.gateways, &GatewaySetup::is_hostile));
        ASSERT_TRUE(std::ranges::none_of(scenario.setup.clients,
                                         [](const ClientSetup& client) { return client.token_lifetime.has_value(); }));
    }
}

TEST(Decode, ProbesInAboutTwoOfFiveSteps) {
    std::size_t probes = 0;
    std::size_t steps = 0;
    for_random_cases([&](const Scenario& scenario) {
        probes += count_of<Probe>(scenario);
        steps += scenario.steps.size() - 1;
    });

    EXPECT_NEAR(static_cast<double>(probes) / static_cast<double>(steps), 0.4, 0.08);
}

TEST(Decode, HasOneHostileClientAmongAtLeastTwoInAQuarterOfTheCases) {
    int hostile_cases = 0;
    for_random_cases([&](const Scenario& scenario) {
        const auto& clients = scenario.setup.clients;
        const auto hostile = std::ranges::count_if(clients, &ClientSetup::is_hostile);
        ASSERT_LE(hostile, 1);
        ASSERT_LE(clients.size(), 3U);
        ASSERT_TRUE(hostile == 0 || clients.size() >= 2);
        hostile_cases += hostile == 1 ? 1 : 0;
    });

    EXPECT_NEAR(hostile_cases, kCases / 4, kCases / 10);
}

TEST(Decode, HasOneHostileGatewayBesidesHonestOnesInOneOfEightCases) {
    int hostile_cases = 0;
    for_random_cases([&](const Scenario& scenario) {
        const auto& gateways = scenario.setup.gateways;
        const auto hostile = std::ranges::count_if(gateways, &GatewaySetup::is_hostile);
        ASSERT_LE(hostile, 1);
        ASSERT_TRUE(hostile == 0 || gateways.size() >= 2);
        hostile_cases += hostile == 1 ? 1 : 0;
    });

    EXPECT_NEAR(hostile_cases, kCases / 8, kCases / 25);
}

TEST(Decode, AllowsMostPairsOfClientAndResourceButNotAll) {
    int allowed = 0;
    int pairs = 0;
    for_random_cases([&](const Scenario& scenario) {
        const Plan plan{scenario.setup};
        for (std::uint8_t client = 1; client <= scenario.setup.clients.size(); ++client) {
            for (std::uint8_t resource = 1; resource <= scenario.setup.resources.size(); ++resource) {
                ++pairs;
                allowed += plan.is_allowed({client}, {resource}) ? 1 : 0;
            }
        }
    });

    EXPECT_GT(allowed, pairs * 65 / 100);
    EXPECT_LT(allowed, pairs * 90 / 100);
}

TEST(Decode, MakesResourcesOverlap) {
    int overlapping = 0;
    int several = 0;
    for_random_cases([&](const Scenario& scenario) {
        const auto& resources = scenario.setup.resources;
        several += resources.size() > 1 ? 1 : 0;
        for (std::size_t i = 1; i < resources.size(); ++i) {
            const auto contains = [&](const ResourceSetup& r) { return r.address.contains(resources[i].address); };
            if (std::any_of(resources.begin(), resources.begin() + static_cast<std::ptrdiff_t>(i), contains)) {
                ++overlapping;
                break;
            }
        }
    });

    EXPECT_GT(overlapping, several / 2);
    EXPECT_LT(overlapping, several * 95 / 100);
}

TEST(Decode, DrawsNetworksFromTheTestRanges) {
    const auto v4 = *net::IpNetwork::parse("10.0.0.0/8");
    const auto v6 = *net::IpNetwork::parse("fd10::/16");
    std::set<unsigned> prefixes;
    for_random_cases([&](const Scenario& scenario) {
        for (const auto& resource : scenario.setup.resources) {
            ASSERT_TRUE(v4.contains(resource.address) || v6.contains(resource.address));
            prefixes.insert(resource.address.prefix());
        }
    });

    EXPECT_EQ(prefixes.size(), 13U + 17U);
    EXPECT_EQ(*prefixes.begin(), 20U);
}

TEST(Decode, GivesEveryFlowItsOwnPorts) {
    for_random_cases([](const Scenario& scenario) {
        std::set<std::tuple<ClientNo, Protocol, std::uint16_t>> flows;
        for (const auto& step : scenario.steps) {
            if (const auto* probe = std::get_if<Probe>(&step.action)) {
                ASSERT_TRUE(flows.emplace(probe->client, probe->protocol, probe->source_port).second);
            } else if (const auto* transfer = std::get_if<Transfer>(&step.action)) {
                ASSERT_TRUE(flows.emplace(transfer->client, Protocol::kTcp, transfer->source_port).second);
            }
        }
    });
}

TEST(Decode, HasAtMostThreeFaultsAtOnce) {
    for_random_cases([](const Scenario& scenario) {
        std::multiset<milliseconds> ends;
        const auto begin = [&](milliseconds at, milliseconds duration) {
            ends.erase(ends.begin(), ends.upper_bound(at));
            ends.insert(at + duration);
            ASSERT_LE(ends.size(), 3U);
        };
        for (const auto& step : scenario.steps) {
            if (const auto* impaired = std::get_if<ImpairLink>(&step.action)) {
                begin(step.at, impaired->duration);
            } else if (const auto* direct = std::get_if<BlockDirect>(&step.action)) {
                begin(step.at, direct->duration);
            } else if (const auto* relay = std::get_if<BlockRelay>(&step.action)) {
                begin(step.at, relay->duration);
            } else if (const auto* family = std::get_if<LoseFamily>(&step.action)) {
                begin(step.at, family->duration);
            } else if (const auto* portal = std::get_if<PortalTrouble>(&step.action)) {
                begin(step.at, portal->duration);
            } else if (const auto* hang = std::get_if<Hang>(&step.action)) {
                begin(step.at, hang->duration);
            } else if (std::holds_alternative<Settle>(step.action)) {
                ends.clear();
            }
        }
    });
}

TEST(Decode, TriesEveryKindOfNatAndDriver) {
    std::set<std::pair<Dependence, Dependence>> nats;
    std::set<Driver> drivers;
    std::set<std::pair<bool, bool>> stacks;
    bool shares_lan = false;
    for_random_cases([&](const Scenario& scenario) {
        for (const auto& client : scenario.setup.clients) {
            drivers.insert(client.driver);
            stacks.emplace(client.access.has_v4, client.access.has_v6);
            if (client.access.nat) {
                nats.emplace(client.access.nat->mapping, client.access.nat->filtering);
            }
        }
        shares_lan |= std::ranges::any_of(scenario.setup.gateways,
                                          [](const GatewaySetup& gateway) { return gateway.access.lan != 0; });
    });

    EXPECT_EQ(nats.size(), 9U);
    EXPECT_EQ(drivers.size(), 4U);
    EXPECT_EQ(stacks.size(), 3U);
    EXPECT_TRUE(shares_lan);
}

TEST(DecodedLayout, SaysWhatABytesFlipCanChange) {
    auto rng = Rng::from_number(5);
    auto bytes = ChoiceSource::random_bytes(rng, kMaxDecodedBytes);
    const auto layout = decoded_layout(bytes);
    const auto before = decode(bytes);

    bytes[layout.step_ends[2]] ^= std::byte{1};
    const auto after = decode(bytes);

    EXPECT_EQ(before.setup, after.setup);
    EXPECT_TRUE(std::equal(before.steps.begin(), before.steps.begin() + 3, after.steps.begin()));
}

}  // namespace
}  // namespace culvert::model
