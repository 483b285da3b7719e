#include "model/world/relay_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using testing::ElementsAre;
using testing::Pair;

class RelayWatchTest : public ::testing::Test {
protected:
    const RelayUsers nobody;
    const RelayUsers one{{"198.51.100.1:7", "allocation"}};
    const RelayUsers two{{"198.51.100.1:7", "allocation"}, {"198.51.100.2:7", "allocation"}};
    const Bytes request{std::byte{0}, std::byte{3}, std::byte{1}};

    /// An attacker sends the request from the address of the user of `one`.
    bool judge(const RelayUsers& before, const RelayUsers& after) {
        return watch.judge({.host = RelayNo{1},
                            .from = *net::SocketAddress::parse("198.51.100.1:7"),
                            .to = {},
                            .payload = request,
                            .is_attack = true},
                           before, after, Instant{});
    }
    void send_as_user() {
        watch.watch(DatagramReceived{RelayNo{1}, *net::SocketAddress::parse("198.51.100.1:7"), {}, request, false});
    }

    Verdict verdict;
    RelayWatch watch{verdict};
};

TEST_F(RelayWatchTest, FindsWhatAStrangerChanged) {
    EXPECT_FALSE(judge(one, one));
    EXPECT_TRUE(verdict.violations().empty());

    judge(one, nobody);
    EXPECT_EQ(verdict.violations().size(), 1U);
}

TEST_F(RelayWatchTest, ToleratesARecordedRequestForTheSameUserOnly) {
    send_as_user();

    EXPECT_TRUE(judge(one, nobody));
    EXPECT_TRUE(judge(nobody, one));
    EXPECT_TRUE(verdict.violations().empty());
    EXPECT_THAT(verdict.tolerances(), ElementsAre(Pair("a recorded request counts again", 1U),
                                                  Pair("a recorded request deletes an allocation", 1U)));

    EXPECT_FALSE(judge(one, two));
    EXPECT_EQ(verdict.violations().size(), 1U);
}

}  // namespace
}  // namespace culvert::model
