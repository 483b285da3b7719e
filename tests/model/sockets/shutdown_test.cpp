// The loop ends within three seconds from any state, without spinning, and says what it has to say if it can.

#include <cerrno>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "tests/model/sockets/test_rig.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

struct State {
    std::string name;
    std::function<void(TestRig&)> enter;
    bool can_say_goodbye;
};

void submit_many(TestRig& rig) {
    for (std::uint64_t i = 0; i < 1000; ++i) {
        rig.submit({1, i}, 1200);
    }
}

const std::vector<State>& states() {
    static const std::vector<State> states{
        {"idle", [](TestRig&) {}, true},
        {"full_tun", [](TestRig& rig) { submit_many(rig); }, true},
        {"blocked_for_long",
         [](TestRig& rig) {
             submit_many(rig);
             rig.loop.kernel().block(net::Family::kIpv4, rig.now + 60s);
         },
         false},
        {"blocked_for_a_moment",
         [](TestRig& rig) {
             submit_many(rig);
             rig.loop.kernel().block(net::Family::kIpv4, rig.now + 500ms);
         },
         true},
        {"blocked_with_input",
         [](TestRig& rig) {
             rig.loop.kernel().block(net::Family::kIpv4, rig.now + 60s);
             rig.submit({1, 0});
             rig.loop.run(rig.now);
             for (std::uint64_t i = 0; i < 500; ++i) {
                 rig.deliver({2, i});
                 rig.submit({2, i});
             }
         },
         false},
        {"refused",
         [](TestRig& rig) {
             submit_many(rig);
             rig.loop.kernel().refuse(peer_of(1), EPERM);
         },
         false},
        {"storm",
         [](TestRig& rig) {
             submit_many(rig);
             rig.loop.kernel().set_faults({.interrupted = 500, .partial_send = 500, .tun_read_failed = 500});
         },
         true},
    };
    return states;
}

class Shutdown : public testing::TestWithParam<State> {};

TEST_P(Shutdown, EndsInTime) {
    TestRig rig{1};
    rig.start();
    rig.path.start_timer(100ms, rig.now);
    GetParam().enter(rig);
    const auto began = rig.now;
    const auto turns = rig.loop.turns();

    rig.path.send({{std::nullopt, peer_of(1)}, net::Ecn::kNotEct, Bytes(20)});
    rig.path.finish();
    rig.loop.run(rig.now);
    while (!rig.loop.has_ended() && rig.now - began < 10s) {
        rig.run_for(10ms);
    }
    rig.run_for(0s);

    EXPECT_TRUE(rig.loop.has_ended());
    EXPECT_EQ(rig.loop.error(), std::nullopt);
    EXPECT_LE(rig.now - began, 3s);
    EXPECT_LE(rig.loop.turns() - turns, 20U);
    EXPECT_EQ(rig.others, GetParam().can_say_goodbye ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(FromEveryState, Shutdown, testing::ValuesIn(states()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace culvert::model
