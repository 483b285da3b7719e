// A relay that knows our credentials, as every relay does, and answers whatever it likes.
#include <algorithm>
#include <array>
#include <deque>

#include "culvert/base/rng.h"
#include "culvert/base/testing/repetitions.h"
#include "culvert/turn/allocation_fixture.h"

namespace culvert::turn::test {
namespace {

using HostileRelayTest = AllocationTest;

TEST_F(HostileRelayTest, RelayedAddressesThatAreNobodysAreNoCandidates) {
    for (const auto* text : {"127.0.0.1:22", "0.0.0.0:22", "224.0.0.1:22", "255.255.255.255:67", "169.254.169.254:80",
                             "[::1]:22", "[ff02::1]:22", "198.51.100.1:0"}) {
        start_v4();
        const auto request = answer_binding();
        events();

        EXPECT_FALSE(deliver(request, allocate_success(request, {address(text)}), 0)) << text;

        EXPECT_TRUE(events().empty()) << text;
        EXPECT_FALSE(allocation->has_allocation()) << text;
    }
}

TEST_F(HostileRelayTest, TheRightAddressCountsAmongWrongOnes) {
    start_v4();
    const auto request = answer_binding();

    EXPECT_TRUE(deliver(request, allocate_success(request, {address("127.0.0.1:22"), kAllocated4}), 0));

    EXPECT_EQ(allocation->relay_address(net::Family::kIpv4), kAllocated4);
}

TEST_F(HostileRelayTest, AMessageNotSignedWithOurPasswordChangesNothing) {
    allocate();
    bind(kPeer1, 1);
    allocation->refresh(at(2));
    const auto refresh = only();
    const auto before = events();
    for (const auto code : {400, 401, 403, 420, 437, 438, 441, 500}) {
        auto builder = reply(refresh, Class::kError);
        builder.error_code(static_cast<std::uint16_t>(code), "reason")
            .text(AttributeType::kRealm, kRealm)
            .text(AttributeType::kNonce, "forged");
        EXPECT_FALSE(
            deliver(refresh, builder.integrity(stun::long_term_key(kUsername, kRealm, "guess").reveal()).build(), 2));
    }

    EXPECT_TRUE(before.empty());
    EXPECT_TRUE(events().empty());
    EXPECT_TRUE(allocation->has_allocation());
    EXPECT_EQ(allocation->channel_to(kPeer1, at(2)), 0x4000);
}

/// Random answers, each properly signed. Whatever they are: the client stays within its bounds, and it does not send
/// more than the relay did, but for what time and its user ask for.
TEST_F(HostileRelayTest, RandomAnswersDoNotMakeAClientFloodOrGrow) {
    constexpr std::array kCodes{300, 400, 401, 403, 420, 437, 438, 440, 441, 443, 486, 500, 508, 699};
    for (std::uint64_t seed = 1; seed <= repetitions(60U); ++seed) {
        auto rng = Rng::from_number(seed);
        start_v4();
        double now = 0;
        std::deque<Sent> waiting;
        unsigned answers = 0;
        unsigned requests = 0;
        unsigned own = 0;  // what time and the user ask for
        unsigned accepted = 0;
        // As many peers as there are, and the rest.
        const auto in_flight = [&] { return std::min(requests - accepted, 510U); };
        for (int step = 0; step < 2000 && !allocation->is_dead(); ++step) {
            for (auto& request : sent()) {
                ++requests;
                waiting.push_back(std::move(request));
            }
            events();
            const auto dice = rng.below(10);
            if (dice == 0) {
                now += static_cast<double>(rng.below(30));
                allocation->handle_timeout(at(now));
                own += 3 + in_flight();
            } else if (dice == 1) {
                allocation->bind_channel({kPeer1.ip, static_cast<std::uint16_t>(1 + rng.below(500))}, at(now));
                ++own;
            } else if (dice == 2 && allocation->is_suspended()) {
                allocation->refresh(at(now));
                ++own;
            } else if (!waiting.empty()) {
                const auto position = waiting.begin() + static_cast<std::ptrdiff_t>(rng.below(waiting.size()));
                const auto request = *position;
                waiting.erase(position);
                ++answers;
                if (request.method() == Method::kBinding) {
                    accepted += deliver(request, binding_success(request), now) ? 1 : 0;
                } else if (rng.below(3) != 0) {
                    const auto code = static_cast<std::uint16_t>(kCodes[rng.below(kCodes.size())]);
                    accepted += deliver(request, challenge(request, code, "n" + std::to_string(step)), now) ? 1 : 0;
                } else if (request.method() == Method::kAllocate) {
                    constexpr std::array kLifetimes{0U, 1U, 600U, 0xffffffffU};
                    const auto answer = allocate_success(request, {kAllocated4, address("127.0.0.1:9")},
                                                         kLifetimes[rng.below(kLifetimes.size())]);
                    accepted += deliver(request, answer, now) ? 1 : 0;
                } else {
                    accepted +=
                        deliver(request, refresh_success(request, static_cast<std::uint32_t>(rng.below(3)) * 300), now)
                            ? 1
                            : 0;
                }
                // An allocation at last brings the buffered binds, at most a hundred.
                own += allocation->has_allocation() && request.method() == Method::kAllocate
                           ? unsigned{kMaxBufferedBinds}
                           : 0U;
            }
            ASSERT_LE(waiting.size(), 10'000U) << "seed " << seed;
        }
        EXPECT_LE(requests, answers + own + 10) << "seed " << seed;
    }
}

}  // namespace
}  // namespace culvert::turn::test
