// What stands in the way of a TUN device is named, and what to do about it.

#include "culvert/io/tun_obstacle.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "culvert/io/constants.h"
#include "culvert/io/network_test_support.h"

namespace culvert::io {
namespace {

void run(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

std::string failure() {
    const auto device = TunDevice::open({.name = kTunName});
    EXPECT_FALSE(device);
    return device ? "" : device.error();
}

void expect_words(const std::string& text, const std::vector<std::string>& words) {
    for (const auto& word : words) {
        EXPECT_NE(text.find(word), std::string::npos) << '"' << word << "\" in: " << text;
    }
}

TEST(TunObstacle, IsADeviceOfAnotherKind) {
    for (const auto& [command, words] : std::vector<std::pair<std::string, std::vector<std::string>>>{
             {"ip tuntap add dev tun-firezone mode tap", {"TAP", "ip link delete tun-firezone"}},
             {"ip tuntap add dev tun-firezone mode tun multi_queue", {"several queues", "ip link delete tun-firezone"}},
             {"ip link add tun-firezone type bridge", {"\"bridge\"", "another name"}},
             {"ip link add tun-firezone type veth peer name other", {"\"veth\"", "ip link delete tun-firezone"}}}) {
        in_new_network([&] {
            run(command);
            expect_words(failure(), words);
        });
    }
}

TEST(TunObstacle, IsNoDeviceThatSomebodyPreparedForUs) {
    in_new_network([] {
        run("ip tuntap add dev tun-firezone mode tun");
        EXPECT_TRUE(TunDevice::open({.name = kTunName}));
    });
}

TEST(TunObstacle, IsAnotherProcess) {
    in_new_network([] {
        const auto device = TunDevice::open({.name = kTunName});
        ASSERT_TRUE(device);
        expect_words(failure(), {"Another process", "stop it"});
    });
}

/// Runs `body` in a thread with a /dev/net of its own, which is empty.
void with_empty_folder_of_nodes(unsigned long flags, const std::function<void()>& body) {
    in_new_network([&] {
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        ASSERT_EQ(::mount("tmpfs", "/dev/net", "tmpfs", flags, nullptr), 0);
        body();
    });
}

/// For the calling thread alone, and for good.
void become_nobody() {
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
}

TEST(TunObstacle, IsAMissingNodeThatCannotBeCreated) {
    with_empty_folder_of_nodes(MS_RDONLY,
                               [] { expect_words(failure(), {"/dev/net/tun is missing", "into the container"}); });
    with_empty_folder_of_nodes(0, [] { EXPECT_TRUE(TunDevice::open({.name = kTunName})) << "this one can"; });
}

TEST(TunObstacle, IsANodeThatThisUserMayNotOpen) {
    with_empty_folder_of_nodes(0, [] {
        ASSERT_TRUE(TunDevice::open({.name = kTunName}));
        run("chmod 0600 /dev/net/tun");
        become_nobody();
        expect_words(failure(), {"may not open /dev/net/tun", "chmod", "CAP_NET_ADMIN alone is not enough"});
    });
}

TEST(TunObstacle, IsSomethingElseInPlaceOfTheNode) {
    with_empty_folder_of_nodes(0, [] {
        run("touch /dev/net/tun");
        expect_words(failure(), {"10:200", "remove it"});
    });
}

TEST(TunObstacle, IsAMissingCapability) {
    in_new_network([] {
        become_nobody();
        expect_words(failure(), {"CAP_NET_ADMIN"});
    });
}

}  // namespace
}  // namespace culvert::io
