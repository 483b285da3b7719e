#include "culvert/sandbox/sandbox.h"

#include <unistd.h>

#include <cstdlib>
#include <system_error>
#include <utility>

#include "culvert/observability/log.h"

namespace culvert::sandbox {
namespace {

constexpr log::Logger kLog{"sandbox"};

}  // namespace

void allow_everyday_files(Landlock& files) {
    for (const auto* path :
         {"/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
          "/proc/self", "/proc/sys", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu",
          "/sys/kernel/mm", "/dev/urandom", "/dev/random"}) {
        files.read(path);
    }
    files.write(std::filesystem::path{"/dev/null"});
    // Where the name service is configured if /etc only points there. The file is replaced at times, so its folder.
    std::error_code ignored;
    if (const auto resolver = std::filesystem::canonical("/etc/resolv.conf", ignored); !ignored) {
        files.read(resolver.parent_path());
    }
    // Certificates that /etc only points to (SUSE, NixOS), whether by folder or by file.
    for (const auto* place : {"/etc/ssl/certs", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"}) {
        if (const auto real = std::filesystem::canonical(place, ignored); !ignored) {
            files.read(real);
        }
    }
    for (const auto* variable : {"SSL_CERT_FILE", "SSL_CERT_DIR"}) {
        if (const char* const path = std::getenv(variable); path != nullptr && *path != '\0') {
            files.read(path);
        }
    }
}

std::expected<void, std::string> enter(Sandbox sandbox) {
    if (auto dropped = drop_privileges(sandbox.identity, sandbox.capabilities); !dropped) {
        return dropped;
    }
    if (!sandbox.restricts_files_and_syscalls) {
        kLog.warn("Running without a sandbox, as asked for: whoever takes over this process can use all its user can");
        return {};
    }
    allow_everyday_files(sandbox.files);
    const auto files = sandbox.files.enforce();
    if (!files) {
        return std::unexpected{files.error()};
    }
    if (*files == Landlock::Result::kUnsupported) {
        kLog.info("This kernel has no Landlock: access to files is limited by their permissions only");
    }
    if (auto restricted = restrict_syscalls(sandbox.syscalls); !restricted) {
        return std::unexpected{restricted.error() +
                               " The kernel needs CONFIG_SECCOMP_FILTER; without it pass --no-sandbox."};
    }
    kLog.debug("Gave up privileges", log::field("uid", ::geteuid()),
               log::field("capabilities_kept", sandbox.capabilities.size()),
               log::field("files_restricted", *files == Landlock::Result::kEnforced));
    return {};
}

}  // namespace culvert::sandbox
