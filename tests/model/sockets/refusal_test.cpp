// What the kernel refuses costs nothing but itself.

#include <cerrno>

#include <gtest/gtest.h>

#include "tests/model/sockets/test_rig.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kV4 = 1;
constexpr std::uint16_t kBadV4 = 3;
constexpr std::uint16_t kV6 = 2;
constexpr std::uint16_t kBadV6 = 4;

class RefusedSend : public testing::TestWithParam<int> {};

TEST_P(RefusedSend, LosesOnlyTheBadDatagramsOfABatch) {
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().refuse(peer_of(kBadV4), GetParam());
    rig.loop.kernel().refuse(peer_of(kBadV6), GetParam());
    const std::vector<Numbered> batch{{kV4, 1}, {kBadV4, 2}, {kV4, 3}, {kV6, 4}, {kBadV6, 5}, {kV6, 6}};
    for (const auto& packet : batch) {
        rig.submit(packet);
    }

    rig.run_for(1ms);

    EXPECT_EQ(rig.sent, (std::vector<Numbered>{{kV4, 1}, {kV4, 3}, {kV6, 4}, {kV6, 6}}));
    EXPECT_EQ(rig.loop.counters().udp_datagrams_refused, 2U);
}

TEST_P(RefusedSend, LosesOnlyTheBadTrainsOfABatch) {
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().refuse(peer_of(kBadV4), GetParam());
    std::uint64_t number = 0;
    for (const auto flow : {kV4, kBadV4, kV6, kV4}) {
        for (int i = 0; i < 10; ++i) {
            rig.submit({flow, number++});
        }
    }

    rig.run_for(1ms);

    EXPECT_EQ(rig.sent.size(), 30U);
    EXPECT_EQ(find_reordered(rig.sent), std::nullopt);
    EXPECT_EQ(rig.loop.counters().udp_datagrams_refused, 10U);
}

INSTANTIATE_TEST_SUITE_P(All, RefusedSend, testing::Values(ENOBUFS, EMSGSIZE, EPERM, ENETUNREACH, EINVAL));

class RefusedSegmentation : public testing::TestWithParam<int> {};

TEST_P(RefusedSegmentation, SendsSingleDatagramsInstead) {
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().set_faults({.segmentation_error = GetParam()});
    for (std::uint64_t i = 0; i < 100; ++i) {
        rig.submit({kV4, i});
    }

    rig.run_for(1ms);

    EXPECT_EQ(rig.sent.size(), 100U);
    EXPECT_EQ(find_reordered(rig.sent), std::nullopt);
    EXPECT_EQ(rig.loop.counters().udp_datagrams_refused, 0U);
}

INSTANTIATE_TEST_SUITE_P(All, RefusedSegmentation, testing::Values(EIO, EINVAL));

TEST(RefusedTunWrite, LosesOnlyTheBadPacketsOfABatch) {
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().set_faults({.tun_refused = 300});
    for (std::uint64_t i = 0; i < 200; ++i) {
        rig.deliver({static_cast<std::uint16_t>(1 + i % 20), i});  // of many flows, so that nothing is merged
        rig.run_for(1ms);
    }

    const auto refused = rig.loop.counters().tun_packets_refused.load();
    EXPECT_GT(refused, 20U);
    EXPECT_EQ(rig.delivered.size(), 200 - refused);
}

TEST(RefusedTunWrite, ASuperPacketIsWrittenInPieces) {
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().set_faults({.coalesced_receive = 1000, .refuses_super_packets = true});
    for (std::uint64_t i = 0; i < 60; ++i) {
        rig.deliver({static_cast<std::uint16_t>(1 + i / 20), i});
    }

    rig.run_for(1ms);

    EXPECT_EQ(rig.delivered.size(), 60U);
    EXPECT_EQ(find_reordered(rig.delivered), std::nullopt);
    EXPECT_EQ(rig.loop.counters().tun_packets_refused, 0U);
}

TEST(UnusableDatagrams, CostTheOthersOfTheirBatchNothing) {
    TestRig rig{1};
    rig.start();
    rig.deliver({kV4, 1});
    rig.loop.kernel().deliver({local_of(kV4), peer_of(kV4), net::Ecn::kNotEct, Bytes(1317)});
    rig.deliver({kV4, 2});
    rig.loop.kernel().deliver({local_of(kV4), {peer_of(kV4).ip, 0}, net::Ecn::kNotEct, Bytes(20)});
    rig.loop.kernel().deliver({local_of(kV4), peer_of(kV4), net::Ecn::kNotEct, {}});
    rig.deliver({kV4, 3});
    rig.deliver({kV6, 4});

    rig.run_for(1ms);

    EXPECT_EQ(rig.delivered, (std::vector<Numbered>{{kV4, 1}, {kV4, 2}, {kV4, 3}, {kV6, 4}}));
    EXPECT_EQ(rig.loop.counters().udp_datagrams_unusable, 3U);
}

TEST(MissingSocket, CostsTheOtherFamilyNothing) {
    TestRig rig{1};
    rig.loop.kernel().refuse_sockets(net::Family::kIpv6, EAFNOSUPPORT);
    rig.start();
    for (std::uint64_t i = 0; i < 10; ++i) {
        rig.submit({i % 2 == 0 ? kV4 : kV6, i});
    }

    rig.run_for(1ms);

    EXPECT_EQ(rig.sent.size(), 5U);
    EXPECT_EQ(rig.loop.counters().udp_datagrams_refused, 5U);
}

TEST(MissingSocket, IsOpenedOnceItCanBe) {
    TestRig rig{1};
    rig.start();
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        rig.loop.kernel().refuse_sockets(family, EMFILE);
    }
    EXPECT_FALSE(rig.loop.bind_sockets());
    rig.loop.run(rig.now);
    const auto turns = rig.loop.turns();
    rig.run_for(10s);
    EXPECT_LE(rig.loop.turns() - turns, 10U);

    rig.loop.kernel().refuse_sockets(net::Family::kIpv4, 0);
    rig.run_for(1s);
    rig.submit({kV4, 1});
    rig.run_for(1ms);

    EXPECT_EQ(rig.loop.kernel().port(net::Family::kIpv4), io::kPreferredPort);
    EXPECT_EQ(rig.sent.size(), 1U);
}

TEST(TakenPort, IsReplacedByAnother) {
    TestRig rig{1};
    rig.loop.kernel().occupy(io::kPreferredPort);
    rig.start();
    EXPECT_NE(rig.loop.kernel().port(net::Family::kIpv4), io::kPreferredPort);
    rig.submit({kV4, 1});
    rig.run_for(1ms);
    EXPECT_EQ(rig.sent.size(), 1U);
}

}  // namespace
}  // namespace culvert::model
