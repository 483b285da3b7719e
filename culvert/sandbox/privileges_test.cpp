#include "culvert/sandbox/privileges.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "culvert/sandbox/testing/child.h"

namespace culvert::sandbox {
namespace {

const Identity kSomebody{60962, 60962, "60962"};

/// A line of /proc/self/status, such as "CapEff", as a hexadecimal number.
std::uint64_t status(const std::string& key) {
    std::ifstream file{"/proc/self/status"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key + ":")) {
            return std::stoull(line.substr(key.size() + 1), nullptr, 16);
        }
    }
    return ~std::uint64_t{0};
}

class Privileges : public ::testing::Test {
protected:
    void SetUp() override {
        if (!testing::is_root() || !can_become(kSomebody)) {
            GTEST_SKIP() << "needs root that can become another user";
        }
    }
};

TEST_F(Privileges, AreGoneForGood) {
    EXPECT_TRUE(testing::in_child([] {
                    if (!drop_privileges(kSomebody, {})) {
                        return 1;
                    }
                    for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
                        if (status(set) != 0) {
                            return 2;
                        }
                    }
                    return status("NoNewPrivs") == 1 ? 0 : 3;
                }).exited_with(0));
}

TEST_F(Privileges, RootIsNoWayBack) {
    EXPECT_TRUE(testing::in_child([] {
                    if (!drop_privileges(kSomebody, {})) {
                        return 1;
                    }
                    return ::setuid(0) != 0 && ::setgid(0) != 0 && ::getuid() == kSomebody.uid &&
                                   ::getgid() == kSomebody.gid && ::getgroups(0, nullptr) == 0
                               ? 0
                               : 2;
                }).exited_with(0));
}

TEST_F(Privileges, WhatIsKeptIsAllThatIsLeft) {
    EXPECT_TRUE(testing::in_child([] {
                    if (!drop_privileges(kSomebody, {CAP_NET_ADMIN})) {
                        return 1;
                    }
                    constexpr auto kOne = std::uint64_t{1} << CAP_NET_ADMIN;
                    return status("CapEff") == kOne && status("CapPrm") == kOne && status("CapBnd") == 0 ? 0 : 2;
                }).exited_with(0));
}

TEST_F(Privileges, RootItselfLosesThemToo) {
    EXPECT_TRUE(testing::in_child([] {
                    if (!drop_privileges(std::nullopt, {CAP_NET_ADMIN})) {
                        return 1;
                    }
                    constexpr auto kOne = std::uint64_t{1} << CAP_NET_ADMIN;
                    return ::getuid() == 0 && status("CapEff") == kOne && status("CapBnd") == 0 ? 0 : 2;
                }).exited_with(0));
}

TEST_F(Privileges, AreNotWonByAskingToKeepWhatIsNotThere) {
    EXPECT_TRUE(testing::in_child([] {
                    if (!drop_privileges(kSomebody, {}) || !drop_privileges(std::nullopt, {CAP_NET_ADMIN})) {
                        return 1;
                    }
                    return status("CapEff") == 0 ? 0 : 2;
                }).exited_with(0));
}

TEST_F(Privileges, MemoryStaysPrivateAfterTheChangeOfUser) {
    EXPECT_TRUE(testing::in_child([] {
                    return drop_privileges(kSomebody, {}) && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 1;
                }).exited_with(0));
}

TEST_F(Privileges, ABecomingThatFailsIsAnError) {
    EXPECT_TRUE(testing::in_child([] {
                    if (!drop_privileges(kSomebody, {})) {
                        return 1;
                    }
                    const auto again = drop_privileges(Identity{60963, 60963, "60963"}, {});
                    return !again && again.error().find("60963") != std::string::npos ? 0 : 2;
                }).exited_with(0));
}

TEST_F(Privileges, RootKnowsWhomItCanBecome) {
    EXPECT_TRUE(can_become(kSomebody));
    EXPECT_TRUE(testing::in_child([] {
                    return drop_privileges(std::nullopt, {CAP_NET_ADMIN}) && !can_become(kSomebody) ? 0 : 1;
                }).exited_with(0));
    // A container of one user: root is the only id there is.
    EXPECT_TRUE(testing::in_child([] {
                    return ::unshare(CLONE_NEWUSER) != 0 || !can_become(kSomebody) ? 0 : 1;
                }).exited_with(0));
}

TEST_F(Privileges, MoreThanAllowedIsNoticed) {
    EXPECT_TRUE(has_more_than({}));
    EXPECT_TRUE(has_more_than({CAP_NET_ADMIN}));
    EXPECT_TRUE(testing::in_child([] {
                    return drop_privileges(kSomebody, {CAP_NET_ADMIN}) && has_more_than({}) &&
                                   !has_more_than({CAP_NET_ADMIN})
                               ? 0
                               : 1;
                }).exited_with(0));
}

}  // namespace
}  // namespace culvert::sandbox
