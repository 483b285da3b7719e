#include "culvert/sandbox/landlock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "culvert/sandbox/testing/child.h"

namespace culvert::sandbox {
namespace {

namespace fs = std::filesystem;

bool enforce(Landlock& files) {
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && files.enforce() == Landlock::Result::kEnforced;
}

bool can_open(const fs::path& path, int flags) {
    return static_cast<bool>(io::FileDescriptor{::open(path.c_str(), flags | O_CLOEXEC, 0600)});
}

class LandlockTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!testing::in_child([] {
                 Landlock nothing;
                 return enforce(nothing) ? 0 : 1;
             }).exited_with(0)) {
            GTEST_SKIP() << "this kernel has no Landlock";
        }
        std::string pattern = fs::temp_directory_path() / "landlock_test.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        fs::create_directory(folder_ / "open");
        fs::create_directory(folder_ / "shut");
        std::ofstream{folder_ / "open" / "file"} << "text";
        std::ofstream{folder_ / "shut" / "file"} << "text";
    }
    void TearDown() override {
        if (!folder_.empty()) {
            fs::remove_all(folder_);
        }
    }

    fs::path folder_;
};

TEST_F(LandlockTest, NothingIsAllowedThatNoRuleNames) {
    EXPECT_TRUE(testing::in_child([&] {
                    Landlock files;
                    files.read(folder_ / "open");
                    return enforce(files) && !can_open(folder_ / "shut" / "file", O_RDONLY) && errno == EACCES &&
                                   !can_open(folder_ / "new", O_WRONLY | O_CREAT) &&
                                   !can_open("/etc/hostname", O_RDONLY)
                               ? 0
                               : 1;
                }).exited_with(0));
}

TEST_F(LandlockTest, ReadingIsNotWriting) {
    EXPECT_TRUE(testing::in_child([&] {
                    Landlock files;
                    files.read(folder_ / "open");
                    const auto file = folder_ / "open" / "file";
                    return enforce(files) && can_open(file, O_RDONLY) && !can_open(file, O_WRONLY) &&
                                   ::truncate(file.c_str(), 0) != 0 && ::unlink(file.c_str()) != 0
                               ? 0
                               : 1;
                }).exited_with(0));
}

TEST_F(LandlockTest, WritingIsNotCreating) {
    EXPECT_TRUE(testing::in_child([&] {
                    Landlock files;
                    files.write(folder_ / "open");
                    return enforce(files) && can_open(folder_ / "open" / "file", O_RDWR | O_TRUNC) &&
                                   !can_open(folder_ / "open" / "new", O_WRONLY | O_CREAT)
                               ? 0
                               : 1;
                }).exited_with(0));
}

TEST_F(LandlockTest, AManagedFolderIsManagedAlone) {
    EXPECT_TRUE(testing::in_child([&] {
                    Landlock files;
                    files.manage(folder_ / "open");
                    const auto made = folder_ / "open" / "new";
                    return enforce(files) && can_open(made, O_WRONLY | O_CREAT) &&
                                   ::rename(made.c_str(), (folder_ / "open" / "newer").c_str()) == 0 &&
                                   ::unlink((folder_ / "open" / "newer").c_str()) == 0 &&
                                   ::rename((folder_ / "open" / "file").c_str(), (folder_ / "shut" / "x").c_str()) != 0
                               ? 0
                               : 1;
                }).exited_with(0));
}

TEST_F(LandlockTest, OnlyAManagedTreeGetsFolders) {
    const auto makes_folders = [&](auto allow) {
        return testing::in_child([&] {
                   Landlock files;
                   allow(files);
                   const auto made = folder_ / "open" / "below";
                   return enforce(files) && ::mkdir(made.c_str(), S_IRWXU) == 0 &&
                                  can_open(made / "new", O_WRONLY | O_CREAT) && ::unlink((made / "new").c_str()) == 0 &&
                                  ::rmdir(made.c_str()) == 0 &&
                                  ::mkdir((folder_ / "shut" / "below").c_str(), S_IRWXU) != 0
                              ? 0
                              : 1;
               })
            .exited_with(0);
    };
    EXPECT_TRUE(makes_folders([&](Landlock& files) { files.manage_tree(folder_ / "open"); }));
    EXPECT_FALSE(makes_folders([&](Landlock& files) { files.manage(folder_ / "open"); }));
}

TEST_F(LandlockTest, OneFileIsReachedThroughItsDescriptor) {
    EXPECT_TRUE(testing::in_child([&] {
                    const io::FileDescriptor held{::open((folder_ / "shut" / "file").c_str(), O_PATH | O_CLOEXEC)};
                    Landlock files;
                    files.write(held);
                    const auto again = "/proc/self/fd/" + std::to_string(held.get());
                    return enforce(files) && can_open(again, O_RDWR) && !can_open(folder_ / "open" / "file", O_RDONLY)
                               ? 0
                               : 1;
                }).exited_with(0));
}

TEST_F(LandlockTest, AFileThatWasReplacedIsFoundThroughItsFolder) {
    EXPECT_TRUE(testing::in_child([&] {
                    Landlock files;
                    files.manage(folder_ / "open");
                    const auto file = folder_ / "open" / "file";
                    return enforce(files) && ::unlink(file.c_str()) == 0 && can_open(file, O_WRONLY | O_CREAT) &&
                                   can_open(file, O_RDONLY)
                               ? 0
                               : 1;
                }).exited_with(0));
}

TEST_F(LandlockTest, WhatDoesNotExistIsNoError) {
    EXPECT_TRUE(testing::in_child([&] {
                    Landlock files;
                    files.read(folder_ / "nowhere");
                    return enforce(files) ? 0 : 1;
                }).exited_with(0));
}

/// errno of bind() (or of connect(), if `connects`) to a TCP port of this machine; 0 if it works.
int use_port(std::uint16_t port, bool connects) {
    const io::FileDescriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    const int result =
        connects ? ::connect(socket.get(), generic, sizeof address) : ::bind(socket.get(), generic, sizeof address);
    return result == 0 ? 0 : errno;
}

TEST_F(LandlockTest, TcpPortsAreNamedOneByOne) {
    const auto ending = testing::in_child([&] {
        Landlock files;
        files.listen(0).connect(9);
        if (!enforce(files)) {
            return 1;
        }
        if (use_port(2, true) != EACCES) {
            return 77;  // before version 4
        }
        return use_port(0, false) == 0 && use_port(9, true) == ECONNREFUSED && use_port(2, false) == EACCES ? 0 : 2;
    });
    if (ending.exited_with(77)) {
        GTEST_SKIP() << "this kernel's Landlock does not know ports";
    }
    EXPECT_TRUE(ending.exited_with(0));
}

}  // namespace
}  // namespace culvert::sandbox
