#include "culvert/io/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

namespace culvert::io {
namespace {

using namespace std::chrono_literals;

/// What systemd has: a datagram socket with a name.
class Manager {
public:
    explicit Manager(const std::string& name) : name_{name + std::to_string(::getpid())} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name_.data(), name_.size());
        if (name_[0] == '@') {
            address.sun_path[0] = '\0';
        }
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
        EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    }
    ~Manager() {
        if (name_[0] == '/') {
            ::unlink(name_.c_str());
        }
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::optional<std::string> hear() const {
        std::array<char, 4096> buffer{};
        const auto size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        return size < 0 ? std::nullopt : std::optional{std::string{buffer.data(), static_cast<std::size_t>(size)}};
    }

private:
    std::string name_;
    FileDescriptor socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

TEST(ServiceManager, IsToldWhatSystemdUnderstands) {
    for (const auto* name : {"/tmp/culvert-notify-", "@culvert-notify-"}) {
        const Manager manager{name};
        const ServiceManager told{manager.name()};
        ASSERT_TRUE(told.is_there()) << name;
        told.is_ready();
        EXPECT_EQ(manager.hear(), "READY=1");
        told.status("Connected,\nwith two lines");
        EXPECT_EQ(manager.hear(), "STATUS=Connected, with two lines");
        told.is_reloading(Instant{1'234'567us});
        EXPECT_EQ(manager.hear(), "RELOADING=1\nMONOTONIC_USEC=1234567");
        told.is_alive();
        EXPECT_EQ(manager.hear(), "WATCHDOG=1");
        told.is_stopping();
        EXPECT_EQ(manager.hear(), "STOPPING=1");
        EXPECT_EQ(manager.hear(), std::nullopt);
    }
}

TEST(ServiceManager, NeverWaitsForOneThatDoesNotListen) {
    const Manager manager{"@culvert-deaf-"};
    const ServiceManager told{manager.name()};
    for (int i = 0; i < 10'000; ++i) {
        told.is_alive();
    }
    EXPECT_EQ(manager.hear(), "WATCHDOG=1");
}

TEST(ServiceManager, IsNobodyWithoutASocket) {
    for (const auto* name : {"", "relative", "/does/not/exist", "/"}) {
        const ServiceManager nobody{std::string{name}};
        EXPECT_FALSE(nobody.is_there()) << name;
        nobody.is_ready();
    }
    const ServiceManager too_long{"/" + std::string(200, 'x')};
    EXPECT_FALSE(too_long.is_there());
}

class Environment : public ::testing::Test {
protected:
    ~Environment() override {
        for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
            ::unsetenv(name);
        }
    }
    const Manager manager_{"@culvert-environment-"};
};

TEST_F(Environment, SaysWhoListensAndHowOften) {
    EXPECT_FALSE(ServiceManager::from_environment().is_there());
    ::setenv("NOTIFY_SOCKET", manager_.name().c_str(), 1);
    EXPECT_EQ(ServiceManager::from_environment().watchdog(), std::nullopt);
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    EXPECT_EQ(ServiceManager::from_environment().watchdog(), 30s);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    EXPECT_EQ(ServiceManager::from_environment().watchdog(), 30s);
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_EQ(ServiceManager::from_environment().watchdog(), std::nullopt) << "meant for another process";
    ::unsetenv("WATCHDOG_PID");
    for (const auto* nonsense : {"", "0", "-1", "1s", "99999999999999999999999"}) {
        ::setenv("WATCHDOG_USEC", nonsense, 1);
        EXPECT_EQ(ServiceManager::from_environment().watchdog(), std::nullopt) << nonsense;
    }
}

}  // namespace
}  // namespace culvert::io
