#include "tests/model/observer/warning_excuses.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr ClientNo kClient{1};
constexpr GatewayNo kGateway{1};
constexpr RelayNo kRelay{1};

class WarningExcusesTest : public ::testing::Test {
protected:
    WarningExcusesTest() {
        setup.clients = {{}};
        setup.gateways = {{}};
        setup.relays = {{}};
        situation.emplace(setup);
        excuses.emplace(*situation);
        see(ProcessChanged{PortalNo{}, ProcessState::kRunning});
        for (const Device device : {Device{kClient}, Device{kGateway}, Device{kRelay}}) {
            see(ProcessChanged{std::visit([](auto number) { return Process{number}; }, device),
                               ProcessState::kRunning});
            see(SessionOpened{device, {}, {}});
        }
        now += 300s;
    }

    void see(const Observation& observation) {
        situation->observe(observation, now);
        excuses->observe(observation, now);
    }
    template <typename No>
    bool excuses_warning(No process, std::string_view target, std::string_view message) {
        return excuses->find(LogLine{process, log::Level::kWarn, target, message, no_fields}, now).has_value();
    }
    template <typename No>
    bool excuses_hiccup(No process) {
        return excuses_warning(process, "portal_channel", "Hiccup in connection to portal");
    }

    const std::vector<log::TextField> no_fields;
    model::Setup setup;
    Instant now = kCaseBegin;
    std::optional<Situation> situation;
    std::optional<WarningExcuses> excuses;
};

TEST_F(WarningExcusesTest, KnowsOnlyWarningsThatFaultsExplain) {
    EXPECT_FALSE(excuses_hiccup(kRelay));
    EXPECT_FALSE(excuses_warning(kGateway, "portal_channel", "Portal refused a message"));
    EXPECT_FALSE(excuses_warning(kClient, "turn", "Relay refused a request"));
    EXPECT_FALSE(excuses_warning(kRelay, "relay", "Request failed"));
    EXPECT_FALSE(excuses_warning(kClient, "tunnel", "Ignoring flow for unknown resource"));
    EXPECT_FALSE(excuses_warning(kClient, "tunnel", "something is odd"));
    EXPECT_FALSE(excuses_warning(kGateway, "tunnel", "Refusing access that has expired by our clock: is it right?"));
    see(SessionClosed{kRelay});
    EXPECT_FALSE(excuses_hiccup(kRelay)) << "who lost it, and why?";
}

TEST_F(WarningExcusesTest, ACutExplainsOneLossOfTheConnection) {
    const Step step{.at = 0ms, .action = CutPortal{.device = kRelay}};
    see(ActionTaken{step, true});
    now += 10min;  // it takes effect after some more bytes
    EXPECT_TRUE(excuses_hiccup(kRelay));
    now += 59s;
    EXPECT_TRUE(excuses_hiccup(kRelay));
    now += 2s;
    EXPECT_FALSE(excuses_hiccup(kRelay));
}

TEST_F(WarningExcusesTest, OnlyRelaysWarnAboutTheirConnection) {
    const Step step{.at = 0ms, .action = CutPortal{.device = kClient}};
    see(ActionTaken{step, true});

    EXPECT_FALSE(excuses_hiccup(kClient));
}

TEST_F(WarningExcusesTest, AGatewayMayAnswerWhatThePortalHasForgotten) {
    see(SessionClosed{kClient});
    now += 100s;
    EXPECT_TRUE(excuses_warning(kGateway, "portal_channel", "Portal refused a message"));
    EXPECT_FALSE(excuses_warning(kClient, "portal_channel", "Portal refused a message"));
    now += 60s;
    EXPECT_FALSE(excuses_warning(kGateway, "portal_channel", "Portal refused a message"));
    see(SessionOpened{kGateway, {}, {}});
    EXPECT_TRUE(excuses_warning(kGateway, "portal_channel", "Portal refused a message"));
}

TEST_F(WarningExcusesTest, ANatThatStartsAnewSwapsAllocations) {
    see(FaultChanged{"nat", kClient, true});
    see(FaultChanged{"nat", kClient, false});
    now += 800s;
    EXPECT_TRUE(excuses_warning(kClient, "turn", "Channel was not bound"));
    EXPECT_FALSE(excuses_warning(kGateway, "turn", "Channel was not bound"));
    now += 200s;
    EXPECT_FALSE(excuses_warning(kClient, "turn", "Channel was not bound"));
}

}  // namespace
}  // namespace culvert::model
