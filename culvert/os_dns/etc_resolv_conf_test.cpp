#include "culvert/os_dns/etc_resolv_conf.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "culvert/os_dns/resolv_conf_text.h"
#include "culvert/os_dns/test_folder.h"
#include "culvert/sandbox/testing/child.h"

namespace culvert::os_dns {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

net::IpAddress ip(const char* text) {
    return *net::IpAddress::parse(text);
}

Settings asking(const char* server) {
    return {.servers = {ip(server)}};
}

/// As a file that is a mount point.
int fixed_in_place(std::string_view step) {
    return step == "rename resolv.conf" ? EBUSY : 0;
}

constexpr const char* kOriginal = "# by hand\nnameserver 8.8.8.8\nsearch a.example\n";

class EtcResolvConfTest : public ::testing::Test {
protected:
    EtcResolvConfTest() { TestFolder::write(folder.live(), kOriginal); }

    std::unique_ptr<EtcResolvConf> open(Fault fault = {}) {
        auto opened = EtcResolvConf::open({.root = folder.root(),
                                           .on_notice = [this](const Notice& notice) { notices.push_back(notice); },
                                           .fault = std::move(fault)});
        EXPECT_TRUE(opened) << opened.error();
        return std::move(*opened);
    }
    std::string live() { return TestFolder::read(folder.live()); }
    std::vector<net::IpAddress> asked() { return nameservers(live()); }
    /// Lets it see what happened, and time go by.
    void process(EtcResolvConf& control) {
        const auto soon = now + std::chrono::minutes{5};
        EXPECT_TRUE(control.process(now));
        if (control.wait().until) {
            now = soon;
            EXPECT_TRUE(control.process(now));
        }
    }

    TestFolder folder;
    std::vector<Notice> notices;
    Instant now{};
};

TEST_F(EtcResolvConfTest, MakesTheMachineAskTheSentinels) {
    auto control = open();
    ASSERT_TRUE(control->start());
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    EXPECT_TRUE(os_dns::is_ours(live()));
    EXPECT_THAT(asked(), ElementsAre(ip("100.100.111.1")));
    EXPECT_EQ(TestFolder::read(folder.backup()), kOriginal);
    EXPECT_THAT(control->system_resolvers(), ElementsAre(ip("8.8.8.8")));
}

TEST_F(EtcResolvConfTest, PutsBackWhatWasThereToTheByte) {
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    ASSERT_TRUE(control->revert());
    EXPECT_EQ(live(), kOriginal);
    EXPECT_TRUE(fs::exists(folder.backup())) << "for the case that the power goes now";
    EXPECT_THAT(control->system_resolvers(), ElementsAre(ip("8.8.8.8")));
    EXPECT_FALSE(fs::exists(folder.root() / "etc/.resolv.conf.new"));
}

TEST_F(EtcResolvConfTest, KeepsOwnerAndPermissions) {
    ASSERT_EQ(::chmod(folder.live().c_str(), 0640), 0);
    ASSERT_EQ(::chown(folder.live().c_str(), 12, 34), 0) << "needs root";
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    for (const auto& path : {folder.live(), folder.backup()}) {
        const auto status = TestFolder::status(path);
        EXPECT_EQ(status.st_mode & 07777, 0640U) << path;
        EXPECT_EQ(status.st_uid, 12U) << path;
        EXPECT_EQ(status.st_gid, 34U) << path;
    }
    ASSERT_TRUE(control->revert());
    EXPECT_EQ(TestFolder::status(folder.live()).st_mode & 07777, 0640U);
    EXPECT_EQ(TestFolder::status(folder.live()).st_uid, 12U);
}

TEST_F(EtcResolvConfTest, TakesOtherServersWithoutForgettingTheOriginal) {
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    ASSERT_TRUE(control->apply(asking("100.100.111.2")));
    EXPECT_THAT(asked(), ElementsAre(ip("100.100.111.2")));
    ASSERT_TRUE(control->apply(asking("100.100.111.2")));
    EXPECT_EQ(TestFolder::read(folder.backup()), kOriginal);
    ASSERT_TRUE(control->revert());
    ASSERT_TRUE(control->revert());
    EXPECT_EQ(live(), kOriginal);
}

TEST_F(EtcResolvConfTest, LeavesEverythingAsItIsWithoutServers) {
    auto control = open();
    ASSERT_TRUE(control->apply({}));
    EXPECT_EQ(live(), kOriginal);
    EXPECT_FALSE(fs::exists(folder.backup()));
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    ASSERT_TRUE(control->apply({}));
    EXPECT_EQ(live(), kOriginal) << "nobody answers at the old ones any more";
}

TEST_F(EtcResolvConfTest, NeverSendsQueriesToStrangers) {
    auto control = open();
    EXPECT_FALSE(control->apply(asking("192.0.2.66")));
    EXPECT_FALSE(control->apply({.servers = {ip("100.100.111.1")}, .search_domain = "a\nnameserver 192.0.2.66"}));
    EXPECT_EQ(live(), kOriginal);
}

TEST_F(EtcResolvConfTest, RepairsAtStartWhatACrashLeft) {
    ASSERT_TRUE(open()->apply(asking("100.100.111.1")));

    auto control = open();
    EXPECT_THAT(control->system_resolvers(), ElementsAre(ip("8.8.8.8")));
    ASSERT_TRUE(control->start());
    EXPECT_EQ(live(), kOriginal);
}

TEST_F(EtcResolvConfTest, TakesOverFromACrashedOneWithoutLosingTheOriginal) {
    ASSERT_TRUE(open()->apply(asking("100.100.111.1")));

    ASSERT_TRUE(open()->apply(asking("100.100.111.2")));
    EXPECT_THAT(asked(), ElementsAre(ip("100.100.111.2")));
    EXPECT_EQ(TestFolder::read(folder.backup()), kOriginal);
}

TEST_F(EtcResolvConfTest, RespectsWhatAUserWroteAfterACrash) {
    ASSERT_TRUE(open()->apply(asking("100.100.111.1")));
    TestFolder::write(folder.live(), "nameserver 1.1.1.1\n");

    auto control = open();
    ASSERT_TRUE(control->start());
    EXPECT_EQ(live(), "nameserver 1.1.1.1\n") << "the copy is an older one";
    EXPECT_THAT(control->system_resolvers(), ElementsAre(ip("1.1.1.1")));
    ASSERT_TRUE(control->apply(asking("100.100.111.2")));
    ASSERT_TRUE(control->revert());
    EXPECT_EQ(live(), "nameserver 1.1.1.1\n");
    EXPECT_EQ(TestFolder::read(folder.backup()), "nameserver 1.1.1.1\n");
}

TEST_F(EtcResolvConfTest, LeavesAloneWhatAUserWroteMeanwhile) {
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    TestFolder::write(folder.live(), "nameserver 1.1.1.1\n");
    ASSERT_TRUE(control->revert());
    EXPECT_EQ(live(), "nameserver 1.1.1.1\n");
}

TEST_F(EtcResolvConfTest, TakesTheFileOverAgainFromAnotherProgram) {
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    process(*control);
    TestFolder::replace(folder.live(), "nameserver 192.0.2.53\n");
    process(*control);
    EXPECT_THAT(asked(), ElementsAre(ip("100.100.111.1")));
    EXPECT_THAT(control->system_resolvers(), ElementsAre(ip("192.0.2.53")));
    ASSERT_TRUE(control->revert());
    EXPECT_EQ(live(), "nameserver 192.0.2.53\n");
}

TEST_F(EtcResolvConfTest, DoesNotFightForever) {
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    int rewrites = 0;
    const auto end = now + std::chrono::seconds{60};
    for (; now < end; now += std::chrono::milliseconds{20}) {
        if (os_dns::is_ours(live())) {
            ++rewrites;
            TestFolder::write(folder.live(), "nameserver 192.0.2.53\n");
        }
        ASSERT_TRUE(control->process(now));
    }
    EXPECT_LT(rewrites, 12);
    EXPECT_GT(rewrites, 3);
}

TEST_F(EtcResolvConfTest, WaitsForAFileThatIsBeingReplaced) {
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    fs::remove(folder.live());
    process(*control);
    ASSERT_TRUE(control->apply(asking("100.100.111.2")));
    TestFolder::write(folder.live(), "nameserver 192.0.2.53\n");
    process(*control);
    EXPECT_THAT(asked(), ElementsAre(ip("100.100.111.2")));
}

TEST_F(EtcResolvConfTest, RefusesLinksAndSaysWhatToDo) {
    fs::remove(folder.live());
    TestFolder::write(folder.root() / "etc/real", kOriginal);
    fs::create_symlink("real", folder.live());
    auto control = open();
    const auto started = control->start();
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error(), HasSubstr("symbolic link"));
    EXPECT_THAT(started.error(), HasSubstr("--dns-control systemd-resolved"));
    EXPECT_FALSE(control->apply(asking("100.100.111.1")));
    EXPECT_EQ(TestFolder::read(folder.root() / "etc/real"), kOriginal);
}

TEST_F(EtcResolvConfTest, WritesThroughNoLinkInPlaceOfItsCopy) {
    TestFolder::write(folder.root() / "precious", "precious");
    fs::create_symlink("../precious", folder.backup());
    fs::create_symlink("../precious", folder.root() / "etc/.resolv.conf.new");
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    ASSERT_TRUE(control->revert());
    EXPECT_EQ(TestFolder::read(folder.root() / "precious"), "precious");
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(folder.backup())));
    EXPECT_EQ(live(), kOriginal);
}

TEST_F(EtcResolvConfTest, SaysWhatToDoWithoutItsCopy) {
    ASSERT_TRUE(open()->apply(asking("100.100.111.1")));
    fs::remove(folder.backup());
    const auto started = open()->start();
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error(), HasSubstr("Write your nameservers into"));
}

TEST_F(EtcResolvConfTest, RemembersTheOriginalWhenItsCopyIsDeleted) {
    auto control = open();
    ASSERT_TRUE(control->apply(asking("100.100.111.1")));
    fs::remove(folder.backup());
    ASSERT_TRUE(control->revert());
    EXPECT_EQ(live(), kOriginal);
}

TEST_F(EtcResolvConfTest, IsNotFooledByWhatIsNoFile) {
    fs::remove(folder.live());
    ASSERT_EQ(::mkfifo(folder.live().c_str(), 0644), 0);
    EXPECT_FALSE(open()->start()) << "and it has not waited for a writer";
    fs::remove(folder.live());
    EXPECT_FALSE(open()->start());
    TestFolder::write(folder.live(), std::string(1'000'000, '#'));
    EXPECT_FALSE(open()->start());
}

TEST_F(EtcResolvConfTest, HasOneOwnerAtATime) {
    auto control = open();
    const auto second = EtcResolvConf::open({.root = folder.root(), .lock_patience = std::chrono::milliseconds{100}});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error(), HasSubstr("another client"));
}

TEST_F(EtcResolvConfTest, IsKeptOutByNobodyWhoMayOnlyRead) {
    const auto folder_of_all = (folder.root() / "etc").string();
    const int fd = ::open(folder_of_all.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(::flock(fd, LOCK_EX | LOCK_NB), 0);

    EXPECT_TRUE(EtcResolvConf::open({.root = folder.root(), .lock_patience = std::chrono::milliseconds{100}}));

    EXPECT_EQ(TestFolder::status(folder.root() / "etc/.resolv.conf.lock").st_mode & 07777, 0600U);
    ::close(fd);
}

TEST_F(EtcResolvConfTest, LeavesTheOldFileWhenWritingFails) {
    std::vector<std::string> steps;
    ASSERT_TRUE(open([&](std::string_view step) {
                    steps.emplace_back(step);
                    return 0;
                })->apply(asking("100.100.111.1")));
    ASSERT_TRUE(open()->revert());
    for (std::size_t failing = 0; failing < steps.size(); ++failing) {
        std::size_t step = 0;
        auto control = open([&](std::string_view) { return step++ == failing ? ENOSPC : 0; });
        const auto applied = control->apply(asking("100.100.111.1"));
        EXPECT_TRUE(live() == kOriginal || (applied && os_dns::is_ours(live()))) << failing << ": " << steps[failing];
        ASSERT_TRUE(control->revert());
        EXPECT_EQ(live(), kOriginal) << failing << ": " << steps[failing];
    }
}

// --- Killed at any step ---

class KilledEtcResolvConf : public EtcResolvConfTest {
protected:
    /// What `work` does in a process that is killed before its step `number`; whether it has so many.
    bool kill_at(int number, bool is_fixed, const std::function<void(EtcResolvConf&)>& work) {
        const auto ending = sandbox::testing::in_child([&] {
            int step = 0;
            auto control = EtcResolvConf::open({.root = folder.root(), .fault = [&](std::string_view name) {
                                                    if (step++ == number) {
                                                        ::raise(SIGKILL);
                                                    }
                                                    return is_fixed ? fixed_in_place(name) : 0;
                                                }});
            work(**control);
            return 0;
        });
        return ending.was_killed_by(SIGKILL);
    }

    void expect_repaired(int number, const std::string& original) {
        EXPECT_TRUE(open()->start()) << number;
        EXPECT_EQ(live(), original) << number;
    }

    /// Of all sizes compared with the magic line, and some larger than a page.
    const std::vector<std::string> originals{"", "nameserver 8.8.8.8\n",
                                             std::string{kMagicLine.substr(0, kMagicLine.size() - 1)}, kOriginal,
                                             "nameserver 8.8.8.8\n" + std::string(9000, '#') + '\n'};
};

TEST_F(KilledEtcResolvConf, LeavesTheOldFileOrOneThatTheNextStartPutsBack) {
    for (const bool is_fixed : {false, true}) {
        for (const auto& original : originals) {
            bool was_killed = true;
            for (int number = 0; was_killed; ++number) {
                TestFolder::write(folder.live(), original);
                was_killed = kill_at(number, is_fixed,
                                     [](auto& control) { EXPECT_TRUE(control.apply(asking("100.100.111.1"))); });
                const auto left = live();
                EXPECT_TRUE(left == original || os_dns::is_ours(left)) << number << left;
                if (!is_fixed && os_dns::is_ours(left)) {
                    EXPECT_THAT(asked(), ElementsAre(ip("100.100.111.1"))) << "a whole one";
                }
                expect_repaired(number, original);
            }
        }
    }
}

TEST_F(KilledEtcResolvConf, ItCanBeRevertedHalfway) {
    for (const bool is_fixed : {false, true}) {
        for (const auto& original : originals) {
            bool was_killed = true;
            for (int number = 0; was_killed; ++number) {
                TestFolder::write(folder.live(), original);
                ASSERT_TRUE(open(is_fixed ? fixed_in_place : Fault{})->apply(asking("100.100.111.1")));
                was_killed = kill_at(number, is_fixed, [](auto& control) { EXPECT_TRUE(control.revert()); });
                expect_repaired(number, original);
            }
        }
    }
}

TEST_F(KilledEtcResolvConf, ChangesServersHalfway) {
    for (const bool is_fixed : {false, true}) {
        bool was_killed = true;
        for (int number = 0; was_killed; ++number) {
            ASSERT_TRUE(open()->apply({.servers = {ip("100.100.111.1"), ip("100.100.111.2"), ip("100.100.111.3")}}));
            was_killed =
                kill_at(number, is_fixed, [](auto& control) { EXPECT_TRUE(control.apply(asking("100.100.111.4"))); });
            expect_repaired(number, kOriginal);
        }
    }
}

// --- Real file systems ---

/// Runs in a mount namespace; 0 is success.
int in_own_mounts(const std::function<int()>& body) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        return 100;
    }
    return body();
}

TEST_F(EtcResolvConfTest, WritesIntoAFileThatAContainerMounts) {
    if (!sandbox::testing::is_root()) {
        GTEST_SKIP() << "needs root to mount";
    }
    const auto outside = folder.root() / "outside";
    TestFolder::write(outside, kOriginal);
    const auto ending = sandbox::testing::in_child([&] {
        return in_own_mounts([&] {
            if (::mount(outside.c_str(), folder.live().c_str(), nullptr, MS_BIND, nullptr) != 0) {
                return 101;
            }
            auto control = open();
            const auto applied = control->apply({.servers = {ip("100.100.111.1")}, .search_domain = "corp.example"});
            if (!applied || nameservers(TestFolder::read(outside)) != std::vector{ip("100.100.111.1")}) {
                return 1;
            }
            if (!control->process(now).value_or(false)) {
                return 2;  // by itself
            }
            TestFolder::write(outside, "nameserver 192.0.2.7\n");
            if (!control->process(now).value_or(false)) {
                return 3;  // the file is written under its other name
            }
            if (!control->process(now + std::chrono::seconds{1}) ||
                control->system_resolvers() != std::vector{ip("192.0.2.7")}) {
                return 4;
            }
            if (!control->revert() || TestFolder::read(outside) != "nameserver 192.0.2.7\n") {
                return 5;
            }
            return 0;
        });
    });
    EXPECT_TRUE(ending.exited_with(0)) << WEXITSTATUS(ending.status);
}

TEST_F(EtcResolvConfTest, SaysWhatToDoOnAReadOnlyFileSystem) {
    if (!sandbox::testing::is_root()) {
        GTEST_SKIP() << "needs root to mount";
    }
    const auto ending = sandbox::testing::in_child([&] {
        return in_own_mounts([&] {
            const auto etc = folder.root() / "etc";
            if (::mount(etc.c_str(), etc.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
                ::mount(nullptr, etc.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
                return 101;
            }
            auto control = open();
            const auto applied = control->apply(asking("100.100.111.1"));
            if (applied || applied.error().find("ReadWritePaths=/etc") == std::string::npos) {
                return 1;
            }
            return live() == kOriginal && control->revert() ? 0 : 2;
        });
    });
    EXPECT_TRUE(ending.exited_with(0)) << WEXITSTATUS(ending.status);
}

}  // namespace
}  // namespace culvert::os_dns
