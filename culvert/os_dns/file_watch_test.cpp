#include "culvert/os_dns/file_watch.h"

#include <gtest/gtest.h>

#include "culvert/os_dns/test_folder.h"

namespace culvert::os_dns {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public ::testing::Test {
protected:
    /// The watch begins with what stands there now.
    FileWatch watch() { return std::move(*FileWatch::open(folder.root(), "/etc/resolv.conf")); }

    TestFolder folder;
};

TEST_F(FileWatchTest, NoticesThatTheFileIsWrittenOrReplacedAgainAndAgain) {
    TestFolder::write(folder.live(), "a");
    auto watch = this->watch();
    EXPECT_FALSE(watch.take());
    for (int i = 0; i < 3; ++i) {
        TestFolder::write(folder.live(), "b");
        EXPECT_TRUE(watch.take()) << i;
        EXPECT_FALSE(watch.take()) << i;
        TestFolder::replace(folder.live(), "c");
        EXPECT_TRUE(watch.take()) << i;
        EXPECT_FALSE(watch.take()) << i;
    }
}

TEST_F(FileWatchTest, NoticesThatTheFileComesAndGoes) {
    auto watch = this->watch();
    TestFolder::write(folder.live(), "a");
    EXPECT_TRUE(watch.take());
    fs::remove(folder.live());
    EXPECT_TRUE(watch.take());
    TestFolder::write(folder.live(), "b");
    EXPECT_TRUE(watch.take());
}

TEST_F(FileWatchTest, DoesNotCareForItsNeighbours) {
    TestFolder::write(folder.live(), "a");
    auto watch = this->watch();
    TestFolder::write(folder.root() / "etc/hosts", "a");
    TestFolder::replace(folder.root() / "etc/hosts", "b");
    EXPECT_FALSE(watch.take());
}

TEST_F(FileWatchTest, FollowsLinks) {
    fs::create_directories(folder.root() / "run/resolve");
    TestFolder::write(folder.root() / "run/resolve/stub", "a");
    fs::create_symlink("../run/resolve/stub", folder.live());
    auto watch = this->watch();

    TestFolder::replace(folder.root() / "run/resolve/stub", "b");
    EXPECT_TRUE(watch.take());
    EXPECT_FALSE(watch.take());

    fs::remove(folder.live());
    fs::create_symlink("/run/resolve/full", folder.live());
    EXPECT_TRUE(watch.take());
    TestFolder::write(folder.root() / "run/resolve/full", "c");
    EXPECT_TRUE(watch.take()) << "below the root of the test";
    TestFolder::replace(folder.root() / "run/resolve/stub", "d");
    EXPECT_FALSE(watch.take()) << "no longer on the way";
}

TEST_F(FileWatchTest, NoticesThatAFolderOnTheWayIsAnotherOne) {
    for (const auto* name : {"one", "two"}) {
        fs::create_directories(folder.root() / name);
        TestFolder::write(folder.root() / name / "resolv.conf", name);
    }
    fs::create_symlink("one", folder.root() / "current");
    fs::create_symlink("../current/resolv.conf", folder.live());
    auto watch = this->watch();

    fs::create_symlink("two", folder.root() / "next");
    fs::rename(folder.root() / "next", folder.root() / "current");
    EXPECT_TRUE(watch.take());
    TestFolder::write(folder.root() / "two/resolv.conf", "new");
    EXPECT_TRUE(watch.take());
    TestFolder::write(folder.root() / "one/resolv.conf", "new");
    EXPECT_FALSE(watch.take());
}

TEST_F(FileWatchTest, WaitsForAFolderThatDoesNotExistYet) {
    fs::create_symlink("../run/resolve/stub", folder.live());
    auto watch = this->watch();
    fs::create_directories(folder.root() / "run");
    EXPECT_TRUE(watch.take());
    fs::create_directories(folder.root() / "run/resolve");
    EXPECT_TRUE(watch.take());
    TestFolder::write(folder.root() / "run/resolve/stub", "a");
    EXPECT_TRUE(watch.take());
}

TEST_F(FileWatchTest, SeesAFileBeWrittenUnderItsOtherName) {
    TestFolder::write(folder.root() / "elsewhere", "a");
    fs::create_hard_link(folder.root() / "elsewhere", folder.live());
    auto watch = this->watch();
    TestFolder::write(folder.root() / "elsewhere", "b");
    EXPECT_TRUE(watch.take());
}

TEST_F(FileWatchTest, IsNotCaughtInACircle) {
    fs::create_symlink("resolv.conf", folder.live());
    auto watch = this->watch();
    fs::remove(folder.live());
    EXPECT_TRUE(watch.take());
}

}  // namespace
}  // namespace culvert::os_dns
