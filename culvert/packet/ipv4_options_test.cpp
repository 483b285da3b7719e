#include "culvert/packet/ipv4_options.h"

#include <gtest/gtest.h>

#include "culvert/base/bytes.h"

namespace culvert::packet {
namespace {

std::optional<OptionsProblem> check(std::string_view hex) {
    return check_ipv4_options(*from_hex(hex));
}

TEST(Ipv4Options, PassWhenTheyRouteNothing) {
    EXPECT_EQ(check(""), std::nullopt);
    EXPECT_EQ(check("01010101"), std::nullopt) << "no operation";
    EXPECT_EQ(check("07070400000000"
                    "00"),
              std::nullopt)
        << "record route";
    EXPECT_EQ(check("94040000"), std::nullopt) << "router alert";
    EXPECT_EQ(check("00"
                    "830704"),
              std::nullopt)
        << "nothing counts behind the end";
}

TEST(Ipv4Options, RefuseSourceRoutesWhereverTheyStand) {
    EXPECT_EQ(check("8307040a0a0a0a00"), OptionsProblem::kSourceRoute) << "loose";
    EXPECT_EQ(check("8907040a0a0a0a00"), OptionsProblem::kSourceRoute) << "strict";
    EXPECT_EQ(check("0307040a0a0a0a00"), OptionsProblem::kSourceRoute) << "not to be copied";
    EXPECT_EQ(check("8307080a0a0a0a00"), OptionsProblem::kSourceRoute) << "whose last router was visited";
    EXPECT_EQ(check("01"
                    "94040000"
                    "8307040a0a0a0a"),
              OptionsProblem::kSourceRoute)
        << "behind others";
    EXPECT_EQ(check("83"), OptionsProblem::kSourceRoute) << "cut off";
}

TEST(Ipv4Options, RefuseLengthsThatLeadNowhere) {
    EXPECT_EQ(check("0700830704"), OptionsProblem::kMalformed) << "zero";
    EXPECT_EQ(check("0701830704"), OptionsProblem::kMalformed) << "shorter than its header";
    EXPECT_EQ(check("07090400"), OptionsProblem::kMalformed) << "longer than the options";
    EXPECT_EQ(check("07"), OptionsProblem::kMalformed);
}

}  // namespace
}  // namespace culvert::packet
