#pragma once

#include <expected>
#include <optional>
#include <string>

#include "culvert/sandbox/identity.h"
#include "culvert/sandbox/landlock.h"
#include "culvert/sandbox/privileges.h"
#include "culvert/sandbox/syscall_filter.h"

namespace culvert::sandbox {

/// What a program keeps once it is set up. All else is gone until it ends, for whoever takes it over as well.
struct Sandbox {
    std::optional<Identity> identity;  ///< nullopt: stay
    Capabilities capabilities;
    /// Beyond everyday_files().
    Landlock files;
    SyscallPolicy syscalls;
    /// False: only identity and capabilities are changed, for hosts where the rest does not work.
    bool restricts_files_and_syscalls = true;
};

/// What any program reads while it runs: libraries, name service, certificates, time zone, what the C library asks
/// about the machine. Nothing of it is secret to an account without privileges.
void allow_everyday_files(Landlock& files);

/// Goes in. Call it in the main thread before there is another, and after everything that needs more. The error is for
/// a person; whoever gets it should not go on.
[[nodiscard]] std::expected<void, std::string> enter(Sandbox sandbox);

}  // namespace culvert::sandbox
