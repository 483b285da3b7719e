#include "culvert/session/event_merge.h"

#include <gtest/gtest.h>

namespace culvert::session {
namespace {

tunnel::KeyChanged key(std::uint8_t number) {
    tunnel::KeyChanged changed;
    changed.public_key.bytes.front() = std::byte{number};
    return changed;
}

TEST(EventMerge, LetsTheFirstShardSpeakOfWhatAllHear) {
    EventMerge merge{2};

    EXPECT_FALSE(merge.passes(1, tunnel::TunInterfaceUpdated{}));
    EXPECT_TRUE(merge.passes(0, tunnel::TunInterfaceUpdated{}));
    EXPECT_TRUE(merge.passes(0, tunnel::ResourcesChanged{}));
    EXPECT_FALSE(merge.passes(1, tunnel::ResourcesChanged{}));
}

TEST(EventMerge, LetsEachShardSpeakToThePortal) {
    EventMerge merge{2};

    EXPECT_TRUE(merge.passes(0, tunnel::SendToPortal{}));
    EXPECT_TRUE(merge.passes(1, tunnel::SendToPortal{}));
}

TEST(EventMerge, AsksForRelaysOncePerRound) {
    EventMerge merge{2};
    merge.start_round();
    EXPECT_TRUE(merge.passes(1, tunnel::AskForRelays{}));
    EXPECT_FALSE(merge.passes(0, tunnel::AskForRelays{}));

    merge.start_round();
    EXPECT_TRUE(merge.passes(0, tunnel::AskForRelays{}));
}

TEST(EventMerge, AnnouncesAKeyThatAllShardsHave) {
    EventMerge merge{2};
    EXPECT_FALSE(merge.passes(0, key(1)));
    EXPECT_FALSE(merge.passes(0, key(2))) << "it was reset twice";
    EXPECT_TRUE(merge.passes(1, key(2))) << "and this one skipped a key";

    EXPECT_FALSE(merge.passes(1, key(3)));
    EXPECT_TRUE(merge.passes(0, key(3)));
}

TEST(EventMerge, PassesEverythingOfASingleShard) {
    EventMerge merge{1};

    EXPECT_TRUE(merge.passes(0, tunnel::TunInterfaceUpdated{}));
    EXPECT_TRUE(merge.passes(0, key(1)));
    EXPECT_TRUE(merge.passes(0, key(2)));
}

}  // namespace
}  // namespace culvert::session
