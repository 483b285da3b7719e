#include "tests/model/reference/calm.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr ClientNo kClient{1};
constexpr GatewayNo kGateway{1};
constexpr GatewayNo kOther{2};
constexpr RelayNo kRelay{1};

Setup make_setup() {
    Setup setup;
    setup.clients.resize(1);
    setup.gateways.resize(2);
    setup.relays.resize(1);
    return setup;
}

/// A client, two gateways and a relay that have been there for a while.
class CalmTest : public ::testing::Test {
protected:
    void SetUp() override {
        see(ProcessChanged{PortalNo{}, ProcessState::kRunning});
        for (const Device device : {Device{kClient}, Device{kGateway}, Device{kOther}, Device{kRelay}}) {
            see(ProcessChanged{as_process(device), ProcessState::kRunning});
            see(HostAttached{device, {}, access});
            see(SessionOpened{device, {}, {}});
        }
        now += 3s;
    }
    template <typename Seen>
    void see(const Seen& seen) {
        calm.observe(seen, now);
    }
    void act(Action action) {
        const Step step{.at = 0ms, .action = std::move(action)};
        see(ActionTaken{step, true});
    }
    void run(Device device, ProcessState state) { see(ProcessChanged{as_process(device), state}); }
    [[nodiscard]] bool holds(Device device) const { return calm.holds(device, now); }
    /// Whether the device is calm kSettleTime after what has just been seen, and not sooner.
    [[nodiscard]] bool settles(Device device) {
        now += kSettleTime - 1ms;
        const bool was_calm = holds(device);
        now += 1ms;
        return !was_calm && holds(device);
    }

    Access access;
    Instant now = kCaseBegin;
    Calm calm{make_setup()};
};

TEST_F(CalmTest, BeginsSoonAfterTheFirstSessions) {
    EXPECT_TRUE(holds(kClient));
    EXPECT_TRUE(calm.holds(now));
    EXPECT_FALSE(calm.holds(now - 1s));
}

TEST_F(CalmTest, IsTheDevicesOwn) {
    see(FaultChanged{"link", kGateway, true});
    EXPECT_FALSE(holds(kGateway));
    EXPECT_TRUE(holds(kClient));
    EXPECT_FALSE(calm.holds(now));
    now += 600s;
    EXPECT_FALSE(holds(kGateway));
    see(FaultChanged{"link", kGateway, false});
    EXPECT_TRUE(settles(kGateway));
    EXPECT_EQ(calm.rule(kGateway), "LIV-5");
    EXPECT_EQ(calm.rule(kClient), "");
}

TEST_F(CalmTest, EndsForEverybodyWithARelayOrThePortal) {
    run(kRelay, ProcessState::kStopped);
    EXPECT_FALSE(holds(kClient));
    EXPECT_TRUE(settles(kClient));
    see(ProcessChanged{PortalNo{}, ProcessState::kStopped});
    now += 600s;
    EXPECT_FALSE(holds(kGateway));
    see(ProcessChanged{PortalNo{}, ProcessState::kRunning});
    EXPECT_FALSE(settles(kGateway)) << "it has no session";
    see(SessionOpened{kGateway, {}, {}});
    EXPECT_TRUE(settles(kGateway));
}

TEST_F(CalmTest, WaitsForWhoHangsButNotForWhoIsGone) {
    run(kGateway, ProcessState::kHung);
    now += 600s;
    EXPECT_FALSE(holds(kGateway));
    run(kGateway, ProcessState::kRunning);
    EXPECT_TRUE(settles(kGateway));
    run(kGateway, ProcessState::kStopped);
    EXPECT_TRUE(settles(kGateway));
    EXPECT_FALSE(calm.is_running(kGateway));
    run(kGateway, ProcessState::kRunning);
    EXPECT_TRUE(settles(kGateway)) << "the portal has not missed it";
    EXPECT_EQ(calm.rule(kGateway), "LIV-4");
}

TEST_F(CalmTest, WaitsForASessionAfterAMove) {
    act(Roam{.client = kClient, .access = {}});
    see(HostAttached{kClient, {}, access});
    now += 600s;
    EXPECT_FALSE(holds(kClient));
    see(SessionOpened{kClient, {}, {}});
    see(SessionClosed{kClient, ""});
    EXPECT_TRUE(settles(kClient)) << "the old session ends when the portal misses it";
    EXPECT_EQ(calm.rule(kClient), "LIV-2");
}

TEST_F(CalmTest, NamesTheMoveAlsoIfTheOldSessionEndsFirst) {
    act(Roam{.client = kClient, .access = {}});
    see(HostAttached{kClient, {}, access});
    see(SessionClosed{kClient, ""});
    see(SessionOpened{kClient, {}, {}});
    EXPECT_EQ(calm.rule(kClient), "LIV-2");
    see(SessionClosed{kClient, ""});
    see(SessionOpened{kClient, {}, {}});
    EXPECT_EQ(calm.rule(kClient), "LIV-6") << "a session that is lost without a move";
}

TEST_F(CalmTest, EndsAtOnceWhenACutIsPlanned) {
    act(CutPortal{kClient, 1000});
    now += 600s;
    EXPECT_FALSE(holds(kClient));
    see(SessionClosed{kClient, ""});
    see(SessionOpened{kClient, {}, {}});
    EXPECT_TRUE(settles(kClient));
}

TEST_F(CalmTest, NeverReturnsAfterALie) {
    see(FaultChanged{"deceit", kRelay, true});
    now += 600s;
    EXPECT_FALSE(calm.holds(now));
    EXPECT_TRUE(holds(kClient)) << "who does not use the relay must not notice";
}

TEST_F(CalmTest, KnowsWhoCannotHearThePortal) {
    EXPECT_FALSE(calm.was_unreachable(kClient, now));
    see(FaultChanged{"link", kClient, true});
    EXPECT_FALSE(calm.was_unreachable(kClient, now));
    see(FaultChanged{"portal", kClient, true});
    now += 10s;
    EXPECT_TRUE(calm.was_unreachable(kClient, now));
    see(FaultChanged{"portal", kClient, false});
    now += 10s;
    EXPECT_TRUE(calm.was_unreachable(kClient, now - 10s));
    EXPECT_FALSE(calm.was_unreachable(kClient, now - 9s));
}

}  // namespace
}  // namespace culvert::model
