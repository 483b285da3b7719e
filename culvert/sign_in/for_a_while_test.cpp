#include "culvert/sign_in/for_a_while.h"

#include <gtest/gtest.h>

namespace culvert::sign_in {
namespace {

UnixSeconds at(int seconds) {
    return UnixSeconds{std::chrono::seconds{seconds}};
}

TEST(ForAWhile, ForgetsWhatIsOver) {
    ForAWhile<int> kept{8};
    kept.put("a", 1, at(10), at(0));

    ASSERT_NE(kept.find("a", at(9)), nullptr);
    EXPECT_EQ(*kept.find("a", at(9)), 1);
    EXPECT_EQ(kept.find("a", at(10)), nullptr);
    EXPECT_EQ(kept.find("b", at(9)), nullptr);
}

TEST(ForAWhile, MakesRoomWhereTheTimeIsOverFirst) {
    ForAWhile<int> kept{2};
    kept.put("a", 1, at(20), at(0));
    kept.put("b", 2, at(10), at(0));
    kept.put("c", 3, at(30), at(0));

    EXPECT_EQ(kept.size(), 2U);
    EXPECT_EQ(kept.find("b", at(1)), nullptr);
    EXPECT_NE(kept.find("a", at(1)), nullptr);
    EXPECT_NE(kept.find("c", at(1)), nullptr);
}

}  // namespace
}  // namespace culvert::sign_in
