#include "tests/model/wire/candidate_line.h"

#include <gtest/gtest.h>

namespace culvert::model::wire {
namespace {

constexpr std::string_view kHost = "candidate:fffeff7e51c0ab09 1 udp 2130706175 192.168.40.9 52625 typ host ufrag k7qd";
constexpr std::string_view kReflexive =
    "candidate:ffffff647a10c4e2 1 udp 1694498815 2001:db8:77::9 52625 typ srflx raddr :: rport 0";
constexpr std::string_view kRelay =
    "candidate:fffe3f02e08b3c55 1 udp 37748479 198.51.100.7 61234 typ relay raddr 0.0.0.0 rport 0 ufrag k7qd";

TEST(CandidateLine, ReadsTheExamplesOfTheSpecification) {
    const auto host = CandidateLine::parse(kHost);
    ASSERT_TRUE(host.has_value());
    EXPECT_EQ(host->address.to_string(), "192.168.40.9:52625");
    EXPECT_EQ(host->ufrag, "k7qd");
    EXPECT_TRUE(host->has_valid_priority());
    EXPECT_TRUE(CandidateLine::parse(kReflexive)->has_valid_priority());
    EXPECT_TRUE(CandidateLine::parse(kRelay)->has_valid_priority());
}

TEST(CandidateLine, RejectsWhatSendersNeverWrite) {
    for (const auto* line :
         {"a=candidate:1 1 udp 1 10.0.0.1 1 typ host", "candidate:1 2 udp 2130706175 10.0.0.1 1 typ host",
          "candidate:1 1 tcp 2130706175 10.0.0.1 1 typ host", "candidate:1 1 udp 2130706175 host.local 1 typ host",
          "candidate:1 1 udp 2130706175 10.0.0.1 0 typ host", "candidate:1 1 udp 2130706175 0.0.0.0 9 typ host",
          "candidate:1 1 udp 1862270719 10.0.0.1 9 typ prflx",
          "candidate:1 1 udp 2130706175 10.0.0.1 1 typ host generation 0",
          "candidate:1  1 udp 2130706175 10.0.0.1 1 typ host"}) {
        EXPECT_FALSE(CandidateLine::parse(line).has_value()) << line;
    }
}

TEST(CandidateLine, RejectsDisclosedBases) {
    EXPECT_FALSE(
        CandidateLine::parse("candidate:1 1 udp 1694498559 198.51.100.7 9 typ srflx raddr 10.0.0.1 rport 52625"));
}

TEST(CandidateLine, ChecksPrioritiesAgainstTheFormula) {
    const auto is_valid = [](std::uint32_t priority, std::string_view rest) {
        const auto line = "candidate:1 1 udp " + std::to_string(priority) + " " + std::string{rest};
        return CandidateLine::parse(line)->has_valid_priority();
    };
    EXPECT_TRUE(is_valid(2130705663, "10.0.0.1 9 typ host"));   // the second of its family
    EXPECT_FALSE(is_valid(2130706431, "10.0.0.1 9 typ host"));  // that of IPv6
    EXPECT_TRUE(is_valid(37492735, "2001:db8::1 9 typ relay raddr :: rport 0"));
    EXPECT_FALSE(is_valid(16777215, "10.0.0.1 9 typ relay raddr 0.0.0.0 rport 0"));  // type preference 0
    EXPECT_FALSE(is_valid(1694498047, "10.0.0.1 9 typ srflx raddr 0.0.0.0 rport 0"));
}

}  // namespace
}  // namespace culvert::model::wire
