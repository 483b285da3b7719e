#include "culvert/sandbox/syscall_filter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <thread>
#include <vector>

#include "culvert/io/file_descriptor.h"
#include "culvert/sandbox/testing/child.h"

namespace culvert::sandbox {
namespace {

/// Runs `work` in a child that has the filter.
template <typename Work>
testing::Ending filtered(Work work, const SyscallPolicy& policy = {}) {
    return testing::in_child([&] { return restrict_syscalls(policy) ? work() : 99; });
}

bool can_open_socket(int family, int type, int protocol = 0) {
    return static_cast<bool>(io::FileDescriptor{::socket(family, type | SOCK_CLOEXEC, protocol)});
}

TEST(SyscallFilter, AnotherProgramIsTheEnd) {
    EXPECT_TRUE(filtered([] {
                    char* const arguments[] = {nullptr};
                    return ::execve("/bin/true", arguments, arguments);
                }).was_killed_by(SIGSYS));
}

TEST(SyscallFilter, WhatIsDangerousIsTheEnd) {
    const std::vector<long> deadly{SYS_ptrace,   SYS_process_vm_readv, SYS_bpf,        SYS_perf_event_open,
                                   SYS_mount,    SYS_unshare,          SYS_setns,      SYS_open_by_handle_at,
                                   SYS_keyctl,   SYS_userfaultfd,      SYS_kexec_load, SYS_init_module,
                                   SYS_execveat, SYS_pivot_root,       SYS_add_key};
    for (const auto number : deadly) {
        EXPECT_TRUE(filtered([&] { return static_cast<int>(::syscall(number, 0, 0, 0, 0, 0)); }).was_killed_by(SIGSYS))
            << "system call " << number;
    }
}

TEST(SyscallFilter, WhatIsNotOnTheListIsAsIfTheKernelDidNotKnowIt) {
    EXPECT_TRUE(filtered([] {
                    return ::syscall(SYS_io_uring_setup, 1, nullptr) == -1 && errno == ENOSYS ? 0 : 1;
                }).exited_with(0));
    EXPECT_TRUE(filtered([] { return ::syscall(SYS_fork) == -1 && errno == ENOSYS ? 0 : 1; }).exited_with(0));
    EXPECT_TRUE(filtered([] { return ::kill(::getppid(), 0) == -1 && errno == ENOSYS ? 0 : 1; }).exited_with(0));
}

TEST(SyscallFilter, ThreadsAreStartedAsBefore) {
    EXPECT_TRUE(filtered([] {
                    int seen = 0;
                    std::thread{[&] { seen = 1; }}.join();
                    return seen == 1 ? 0 : 1;
                }).exited_with(0));
}

TEST(SyscallFilter, AThreadIsFilteredToo) {
    EXPECT_TRUE(filtered([] {
                    std::thread{[] { ::syscall(SYS_ptrace, 0, 0, 0, 0); }}.join();
                    return 0;
                }).was_killed_by(SIGSYS));
}

TEST(SyscallFilter, MemoryIsNeverWritableAndExecutable) {
    EXPECT_TRUE(filtered([] {
                    const auto map = [](int protection) {
                        return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                    };
                    auto* const plain = map(PROT_READ | PROT_WRITE);
                    return plain != MAP_FAILED && map(PROT_READ | PROT_WRITE | PROT_EXEC) == MAP_FAILED &&
                                   ::mprotect(plain, 4096, PROT_READ | PROT_EXEC) != 0 &&
                                   ::mprotect(plain, 4096, PROT_READ) == 0
                               ? 0
                               : 1;
                }).exited_with(0));
}

TEST(SyscallFilter, OnlyOrdinarySockets) {
    EXPECT_TRUE(filtered([] {
                    return can_open_socket(AF_INET, SOCK_DGRAM) && can_open_socket(AF_UNIX, SOCK_STREAM) &&
                                   can_open_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) &&
                                   !can_open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) &&
                                   !can_open_socket(AF_PACKET, SOCK_RAW) && !can_open_socket(AF_ALG, SOCK_SEQPACKET) &&
                                   !can_open_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)
                               ? 0
                               : 1;
                }).exited_with(0));
}

TEST(SyscallFilter, WhoConfiguresTheNetworkReachesNftables) {
    EXPECT_TRUE(filtered(
                    [] {
                        return can_open_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER) &&
                                       !can_open_socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)
                                   ? 0
                                   : 1;
                    },
                    {.configures_network = true})
                    .exited_with(0));
}

TEST(SyscallFilter, FilesAreChangedByThoseWhoKeepSome) {
    const auto remove = [] { return ::unlink("/nonexistent/file") == -1 ? errno : 0; };

    EXPECT_TRUE(filtered(remove).exited_with(ENOSYS));
    EXPECT_TRUE(filtered(remove, {.changes_files = true}).exited_with(ENOENT));
}

TEST(SyscallFilter, ReadingWritingAndWaitingGoOn) {
    EXPECT_TRUE(filtered([] {
                    std::ifstream file{"/proc/self/status"};
                    std::string line;
                    int ends[2];
                    return std::getline(file, line) && ::pipe2(ends, O_CLOEXEC) == 0 && ::write(ends[1], "x", 1) == 1
                               ? 0
                               : 1;
                }).exited_with(0));
}

}  // namespace
}  // namespace culvert::sandbox
