#include "tests/model/world/relay_watch.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

class RelayWatchTest : public ::testing::Test {
protected:
    const RelayUsers nobody;
    const RelayUsers one{{"198.51.100.1:7", "allocation"}};
    const RelayUsers two{{"198.51.100.1:7", "allocation"}, {"198.51.100.2:7", "allocation"}};
    const Bytes request{std::byte{0}, std::byte{3}, std::byte{1}};

    /// An attacker sends the request from the address of the user of `one`.
    void judge(const RelayUsers& before, const RelayUsers& after) {
        watch.judge({.host = RelayNo{1},
                     .from = *net::SocketAddress::parse("198.51.100.1:7"),
                     .to = {},
                     .payload = request,
                     .is_attack = true},
                    before, after, Instant{});
    }
    Verdict verdict;
    RelayWatch watch{verdict};
};

TEST_F(RelayWatchTest, FindsWhatAStrangerChanged) {
    judge(one, one);
    EXPECT_TRUE(verdict.violations().empty());

    judge(one, nobody);
    EXPECT_EQ(verdict.violations().size(), 1U);
}

TEST_F(RelayWatchTest, AUserMayChangeWhatIsItsOwnOncePerRequest) {
    watch.permit(request);
    judge(nobody, one);
    EXPECT_TRUE(verdict.violations().empty());

    judge(one, nobody);
    EXPECT_EQ(verdict.violations().size(), 1U) << "the same request again";
}

TEST_F(RelayWatchTest, AUserMayNotChangeWhatIsOthers) {
    watch.permit(request);

    judge(one, two);

    EXPECT_EQ(verdict.violations().size(), 1U);
}

}  // namespace
}  // namespace culvert::model
