#include "culvert/sandbox/syscall_filter.h"

#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <type_traits>

#include "culvert/sandbox/syscall_lists.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

namespace culvert::sandbox {
namespace {

constexpr std::uint32_t kAllow = SCMP_ACT_ALLOW;
constexpr std::uint32_t kKill = SCMP_ACT_KILL_PROCESS;
constexpr std::uint32_t kUnknown = SCMP_ACT_ERRNO(ENOSYS);

struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
};

/// Argument `index` of the call, masked, has that value.
scmp_arg_cmp masked(unsigned index, scmp_datum_t mask, scmp_datum_t value) {
    return {index, SCMP_CMP_MASKED_EQ, mask, value};
}
scmp_arg_cmp equal(unsigned index, scmp_datum_t value) {
    return {index, SCMP_CMP_EQ, value, 0};
}

/// Collects the first failure, so that rules read as a list.
class Filter {
public:
    Filter() : filter_{seccomp_init(kUnknown)} {
        if (!filter_) {
            error_ = ENOMEM;
            return;
        }
        note(seccomp_attr_set(filter_.get(), SCMP_FLTATR_ACT_BADARCH, kKill));
        note(seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_TSYNC, 1));
        // Not on kernels before 4.14, and nothing depends on it.
        static_cast<void>(seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_LOG, 1));
    }

    /// Calls that this architecture does not have need no rule.
    void add(std::uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> conditions = {}) {
        const int number = seccomp_syscall_resolve_name(name);
        if (error_ == 0 && number != __NR_SCMP_ERROR) {
            const int result = seccomp_rule_add_array(filter_.get(), action, number,
                                                      static_cast<unsigned>(conditions.size()), conditions.begin());
            // EDOM: the C library's headers know the call, the architecture does not.
            note(result == -EDOM ? 0 : result);
        }
    }

    /// 0 or a number of errno.
    [[nodiscard]] int load() {
        if (error_ == 0) {
            note(seccomp_load(filter_.get()));
        }
        return error_;
    }

private:
    void note(int result) {
        if (error_ == 0 && result < 0) {
            error_ = -result;
        }
    }

    std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release> filter_;
    int error_ = 0;
};

void add_memory_rules(Filter& filter) {
    constexpr auto kBoth = static_cast<scmp_datum_t>(PROT_WRITE | PROT_EXEC);
    // Libraries are still loaded at times (name service): mapped executable, but never writable at once, nor later.
    for (const char* name : {"mmap", "mmap2"}) {
        filter.add(kAllow, name, {masked(2, PROT_EXEC, 0)});
        filter.add(kAllow, name, {masked(2, kBoth, PROT_EXEC)});
    }
    filter.add(kAllow, "mprotect", {masked(2, PROT_EXEC, 0)});
}

void add_thread_rules(Filter& filter) {
    filter.add(kAllow, "clone", {masked(0, CLONE_THREAD, CLONE_THREAD)});
    // "clone3" has its flags in memory, where no filter can look: not on the list, so the C library takes clone().
    for (const auto option :
         {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP}) {
        filter.add(kAllow, "prctl", {equal(0, static_cast<scmp_datum_t>(option))});
    }
}

void add_socket_rules(Filter& filter, const SyscallPolicy& policy) {
    constexpr scmp_datum_t kTypes = 0xf;  // without SOCK_NONBLOCK and SOCK_CLOEXEC
    for (const auto family : {AF_INET, AF_INET6, AF_UNIX}) {
        for (const auto type : {SOCK_STREAM, SOCK_DGRAM}) {
            filter.add(
                kAllow, "socket",
                {equal(0, static_cast<scmp_datum_t>(family)), masked(1, kTypes, static_cast<scmp_datum_t>(type))});
        }
    }
    // The resolver and libraries for routing ask which addresses there are.
    filter.add(kAllow, "socket", {equal(0, AF_NETLINK), equal(2, NETLINK_ROUTE)});
    if (policy.configures_network) {
        filter.add(kAllow, "socket", {equal(0, AF_NETLINK), equal(2, NETLINK_NETFILTER)});
    }
    // Is it a terminal? Not blocking, please; how much is there to read? What is the name of this interface?
    for (const auto request :
         std::initializer_list<scmp_datum_t>{TCGETS, FIONBIO, FIONREAD, SIOCGIFNAME, SIOCGIFINDEX}) {
        filter.add(kAllow, "ioctl", {equal(1, request)});
    }
}

}  // namespace

std::expected<void, std::string> restrict_syscalls(const SyscallPolicy& policy) {
    Filter filter;
    for (const char* name : kAllowed) {
        filter.add(kAllow, name);
    }
    if (policy.changes_files) {
        for (const char* name : kFileChanges) {
            filter.add(kAllow, name);
        }
    }
    add_memory_rules(filter);
    add_thread_rules(filter);
    add_socket_rules(filter, policy);
    for (const char* name : kDeadly) {
        filter.add(kKill, name);
    }
    if (const int error = filter.load(); error != 0) {
        return std::unexpected{std::string{"cannot restrict system calls: "} + std::strerror(error) + "."};
    }
    return {};
}

}  // namespace culvert::sandbox
