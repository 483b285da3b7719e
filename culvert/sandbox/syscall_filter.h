#pragma once

#include <expected>
#include <string>

namespace culvert::sandbox {

/// Which system calls a program may make beyond those that all of ours need.
struct SyscallPolicy {
    bool changes_files = false;       ///< create, rename, remove and resize files
    bool configures_network = false;  ///< netlink to nftables; without it there is only netlink's routing part, to read
};

/// From here on the process can only make the system calls of a list, for the rest of its life and in all threads:
/// no other program is started, no file system mounted, no memory both written and executed, nothing traced.
///
/// What is dangerous and never needed ends the process (SIGSYS, also told to the kernel's log). Everything else that is
/// not on the list answers ENOSYS, as an older kernel would, so that a newer C library finds another way.
/// The error is for a person.
[[nodiscard]] std::expected<void, std::string> restrict_syscalls(const SyscallPolicy& policy);

}  // namespace culvert::sandbox
