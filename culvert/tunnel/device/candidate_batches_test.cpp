#include "culvert/tunnel/device/candidate_batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using testing::ElementsAre;

std::vector<std::string> flush(CandidateBatches& batches) {
    std::vector<std::string> lines;
    const auto collect = [&](const char* what) {
        return [&lines, what](const connectivity::ConnectionId& id, const std::vector<std::string>& candidates) {
            auto line = what + std::to_string(id.bytes().back());
            for (const auto& candidate : candidates) {
                line += " " + candidate;
            }
            lines.push_back(line);
        };
    };
    batches.flush(collect("+"), collect("-"));
    return lines;
}

TEST(CandidateBatches, SendsOneMessagePerConnectionAndAdditionsFirst) {
    const auto a = test::id<GatewayId>(1).uuid();
    const auto b = test::id<GatewayId>(2).uuid();
    CandidateBatches batches;
    batches.add(connectivity::InvalidateIceCandidate{a, "old", 5});
    batches.add(connectivity::NewIceCandidate{b, "low", 1});
    batches.add(connectivity::NewIceCandidate{a, "srflx", 50});
    batches.add(connectivity::NewIceCandidate{b, "high", 100});
    batches.add(connectivity::NewIceCandidate{b, "middle", 50});

    EXPECT_THAT(flush(batches), ElementsAre("+1 srflx", "+2 high middle low", "-1 old"));
    EXPECT_TRUE(batches.empty());
    EXPECT_THAT(flush(batches), ElementsAre());
}

TEST(CandidateBatches, SendsARepeatedCandidateOnce) {
    const auto a = test::id<GatewayId>(1).uuid();
    CandidateBatches batches;
    batches.add(connectivity::NewIceCandidate{a, "host", 7});
    batches.add(connectivity::NewIceCandidate{a, "host", 7});
    batches.add(connectivity::NewIceCandidate{a, "other", 7});

    EXPECT_THAT(flush(batches), ElementsAre("+1 host other"));
}

}  // namespace
}  // namespace culvert::tunnel
