#include "culvert/os_dns/host_dns.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <thread>

#include "culvert/os_dns/resolv_conf_text.h"
#include "culvert/os_dns/test_folder.h"
#include "culvert/sandbox/privileges.h"
#include "culvert/sandbox/testing/child.h"

namespace culvert::os_dns {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kOriginal = "nameserver 8.8.8.8\n";
constexpr std::chrono::seconds kPatience{10};

net::IpAddress ip(const char* text) {
    return *net::IpAddress::parse(text);
}

Settings asking(const char* server) {
    return {.servers = {ip(server)}};
}

template <typename Condition>
bool comes_true(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > limit) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
}

class HostDnsTest : public ::testing::Test {
protected:
    HostDnsTest() { TestFolder::write(folder.live(), kOriginal); }

    KeeperOptions options() { return {.method = DnsMethod::kEtcResolvConf, .root = folder.root()}; }
    std::unique_ptr<HostDns> start() {
        auto host = HostDns::start(options());
        EXPECT_TRUE(host) << host.error();
        return std::move(*host);
    }
    /// The first event of that kind.
    template <typename T>
    static std::optional<T> next(HostDns& host) {
        std::optional<T> found;
        comes_true([&] {
            pollfd polled{host.fd(), POLLIN, 0};
            if (::poll(&polled, 1, 100) <= 0) {
                return false;
            }
            for (auto& event : host.take_events()) {
                if (auto* wanted = std::get_if<T>(&event); wanted != nullptr && !found) {
                    found = std::move(*wanted);
                }
            }
            return found.has_value();
        });
        return found;
    }
    std::string live() { return TestFolder::read(folder.live()); }

    TestFolder folder;
};

TEST_F(HostDnsTest, IsOursFromApplyToTheEnd) {
    {
        const auto host = start();
        EXPECT_EQ(next<SystemResolvers>(*host), SystemResolvers{{ip("8.8.8.8")}});
        host->apply(asking("100.100.111.1"));
        EXPECT_TRUE(next<Applied>(*host));
        EXPECT_THAT(nameservers(live()), ElementsAre(ip("100.100.111.1")));
        host->flush_caches();
    }
    EXPECT_EQ(live(), kOriginal);
}

TEST_F(HostDnsTest, WorksForAClientWithoutPrivileges) {
    if (!sandbox::testing::is_root()) {
        GTEST_SKIP() << "needs root to become somebody else";
    }
    const auto ending = sandbox::testing::in_child([&] {
        auto host = HostDns::start(options());
        if (!host || !sandbox::drop_privileges(sandbox::identity_of(60913), {})) {
            return 1;
        }
        (*host)->apply(asking("100.100.111.1"));
        if (!next<Applied>(**host) || nameservers(live()) != std::vector{ip("100.100.111.1")}) {
            return 2;
        }
        if (::open(folder.live().c_str(), O_WRONLY) >= 0) {
            return 3;
        }
        host->reset();
        return live() == kOriginal ? 0 : 4;
    });
    EXPECT_TRUE(ending.exited_with(0)) << WEXITSTATUS(ending.status);
}

TEST_F(HostDnsTest, IsPutBackWhenTheClientIsKilled) {
    const auto ending = sandbox::testing::in_child([&] {
        auto host = HostDns::start(options());
        (*host)->apply(asking("100.100.111.1"));
        if (!next<Applied>(**host)) {
            return 1;
        }
        ::raise(SIGKILL);
        return 2;
    });
    EXPECT_TRUE(ending.was_killed_by(SIGKILL));
    EXPECT_TRUE(comes_true([&] { return live() == kOriginal; }));
}

TEST_F(HostDnsTest, HearsThatTheMachineHasOtherResolvers) {
    const auto host = start();
    EXPECT_TRUE(next<SystemResolvers>(*host));
    host->apply(asking("100.100.111.1"));
    EXPECT_TRUE(next<Applied>(*host));
    TestFolder::replace(folder.live(), "nameserver 192.0.2.53\n");
    EXPECT_EQ(next<SystemResolvers>(*host), SystemResolvers{{ip("192.0.2.53")}});
    EXPECT_TRUE(comes_true([&] { return is_ours(live()); })) << "taken over again";
}

TEST_F(HostDnsTest, HearsTheSameWhenItIsNotInControl) {
    auto options = this->options();
    options.method = DnsMethod::kDisabled;
    const auto host = std::move(*HostDns::start(options));
    EXPECT_EQ(next<SystemResolvers>(*host), SystemResolvers{{ip("8.8.8.8")}});
    host->apply(asking("100.100.111.1"));
    EXPECT_TRUE(next<Applied>(*host));
    EXPECT_EQ(live(), kOriginal);
    TestFolder::replace(folder.live(), "nameserver 192.0.2.53\n");
    EXPECT_EQ(next<SystemResolvers>(*host), SystemResolvers{{ip("192.0.2.53")}});
}

TEST_F(HostDnsTest, EndsUpWithTheLastOfManyWishes) {
    const auto host = start();
    for (const auto* server : {"100.100.111.1", "100.100.111.2", "100.100.111.3"}) {
        host->apply(asking(server));
    }
    EXPECT_TRUE(next<Applied>(*host));
    EXPECT_THAT(nameservers(live()), ElementsAre(ip("100.100.111.3"))) << "no event for those before";
}

TEST_F(HostDnsTest, DoesWithoutASearchDomainThatIsNone) {
    const auto host = start();
    host->apply({.servers = {ip("100.100.111.1")}, .search_domain = "a\nnameserver 192.0.2.66"});
    EXPECT_TRUE(next<Applied>(*host));
    EXPECT_THAT(nameservers(live()), ElementsAre(ip("100.100.111.1")));
}

TEST_F(HostDnsTest, PutsBackBeforeAnythingElseWhatAKilledOneLeft) {
    TestFolder::write(folder.backup(), kOriginal);
    TestFolder::write(folder.live(), rewritten(kOriginal, asking("100.100.111.9")));
    const auto host = start();
    EXPECT_EQ(live(), kOriginal);
    EXPECT_EQ(next<SystemResolvers>(*host), SystemResolvers{{ip("8.8.8.8")}});
}

TEST_F(HostDnsTest, SaysAtTheStartWhyItCannotBe) {
    fs::remove(folder.live());
    fs::create_symlink("elsewhere", folder.live());
    const auto host = HostDns::start(options());
    ASSERT_FALSE(host);
    EXPECT_THAT(host.error(), HasSubstr("symbolic link"));
}

// --- A client that was taken over ---

class Keeper : public HostDnsTest {
protected:
    /// The last report before the line is closed.
    static std::optional<Report> last_report(int line) {
        std::optional<Report> last;
        std::string packet(kMaxPacket, '\0');
        for (;;) {
            pollfd polled{line, POLLIN, 0};
            if (::poll(&polled, 1, 10'000) <= 0) {
                ADD_FAILURE() << "it did not end";
                return last;
            }
            const auto size = ::recv(line, packet.data(), packet.size(), 0);
            if (size <= 0) {
                return last;
            }
            last = decode_report({packet.data(), static_cast<std::size_t>(size)});
        }
    }
    static void send(int line, std::string_view packet) {
        EXPECT_EQ(::send(line, packet.data(), packet.size(), MSG_NOSIGNAL), static_cast<ssize_t>(packet.size()));
    }
};

TEST_F(Keeper, SendsTheMachinesQueriesToNobodyElse) {
    for (const auto& wanted :
         {asking("192.0.2.66"), Settings{.servers = {ip("100.100.111.1")}, .search_domain = "x options use-vc"}}) {
        const auto line = std::move(*start_keeper(options()));
        send(line.get(), encode(KeeperRequest{Apply{wanted}}));
        const auto last = last_report(line.get());
        EXPECT_TRUE(last && std::holds_alternative<Failed>(*last));
        EXPECT_EQ(live(), kOriginal);
    }
}

TEST_F(Keeper, EndsWithWhoeverDoesNotSpeakItsLanguage) {
    for (const auto* packet : {"reboot\n", "apply\n"}) {
        const auto line = std::move(*start_keeper(options()));
        send(line.get(), encode(KeeperRequest{Apply{asking("100.100.111.1")}}));
        EXPECT_TRUE(comes_true([&] { return is_ours(live()); }));
        send(line.get(), packet);
        last_report(line.get());
        EXPECT_EQ(live(), kOriginal);
    }
}

}  // namespace
}  // namespace culvert::os_dns
