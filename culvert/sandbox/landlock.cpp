#include "culvert/sandbox/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace culvert::sandbox {
namespace {

// Newer than the headers we build with (linux/landlock.h of 6.1); each comes with a version of the interface.
constexpr std::uint64_t kTruncate = 1U << 14;                // 3
constexpr std::uint64_t kDeviceIoctl = 1U << 15;             // 5
constexpr std::uint64_t kBindTcp = 1U << 0;                  // 4
constexpr std::uint64_t kConnectTcp = 1U << 1;               // 4
constexpr std::uint64_t kScopeAbstractUnixSocket = 1U << 0;  // 6
constexpr std::uint64_t kScopeSignal = 1U << 1;              // 6
constexpr int kNetPortRule = 2;

struct RulesetAttributes {
    std::uint64_t handled_files;
    std::uint64_t handled_ports;
    std::uint64_t scoped;
};
struct PortAttributes {
    std::uint64_t allowed;
    std::uint64_t port;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr std::uint64_t kManage = kWrite | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
constexpr std::uint64_t kManageTree = kManage | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR;
/// Those that make sense for a single file; the kernel refuses rules with others.
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

int version() {
    return static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

/// All that this version can forbid.
RulesetAttributes all_of(int version) {
    constexpr std::uint64_t kFirst = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    RulesetAttributes all{.handled_files = kFirst, .handled_ports = 0, .scoped = 0};
    if (version >= 2) {
        all.handled_files |= LANDLOCK_ACCESS_FS_REFER;
    }
    if (version >= 3) {
        all.handled_files |= kTruncate;
    }
    if (version >= 4) {
        all.handled_ports = kBindTcp | kConnectTcp;
    }
    if (version >= 5) {
        all.handled_files |= kDeviceIoctl;
    }
    if (version >= 6) {
        all.scoped = kScopeAbstractUnixSocket | kScopeSignal;
    }
    return all;
}

/// How much of RulesetAttributes this version knows.
std::size_t attributes_size(int version) {
    return version >= 6   ? sizeof(RulesetAttributes)
           : version >= 4 ? offsetof(RulesetAttributes, scoped)
                          : offsetof(RulesetAttributes, handled_ports);
}

bool is_folder(int fd) {
    struct stat status{};
    return ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

Landlock& Landlock::read(const std::filesystem::path& path) {
    return add(path, kRead);
}

Landlock& Landlock::write(const std::filesystem::path& path) {
    return add(path, kWrite);
}

Landlock& Landlock::manage(const std::filesystem::path& folder) {
    return add(folder, kManage);
}

Landlock& Landlock::manage_tree(const std::filesystem::path& folder) {
    return add(folder, kManageTree);
}

Landlock& Landlock::write(const io::FileDescriptor& file) {
    paths_.push_back({io::FileDescriptor{::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)}, kWrite});
    return *this;
}

Landlock& Landlock::listen(std::uint16_t tcp_port) {
    ports_.push_back({tcp_port, kBindTcp});
    return *this;
}

Landlock& Landlock::connect(std::uint16_t tcp_port) {
    ports_.push_back({tcp_port, kConnectTcp});
    return *this;
}

Landlock& Landlock::connect_anywhere() {
    may_connect_anywhere_ = true;
    return *this;
}

Landlock& Landlock::add(const std::filesystem::path& path, std::uint64_t access) {
    if (io::FileDescriptor place{::open(path.c_str(), O_PATH | O_CLOEXEC)}) {
        paths_.push_back({std::move(place), access});
    }
    return *this;
}

bool Landlock::add_rules(int ruleset, std::uint64_t handled_files, bool handles_ports) const {
    for (const auto& rule : paths_) {
        landlock_path_beneath_attr attributes{};
        attributes.allowed_access = rule.access & handled_files & (is_folder(rule.place.get()) ? ~0ULL : kOfFiles);
        attributes.parent_fd = rule.place.get();
        if (attributes.allowed_access != 0 &&
            ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attributes, 0) != 0) {
            return false;
        }
    }
    for (const auto& rule : ports_) {
        if (!handles_ports || (may_connect_anywhere_ && rule.access == kConnectTcp)) {
            continue;
        }
        const PortAttributes attributes{.allowed = rule.access, .port = rule.port};
        if (::syscall(SYS_landlock_add_rule, ruleset, kNetPortRule, &attributes, 0) != 0) {
            return false;
        }
    }
    return true;
}

std::expected<Landlock::Result, std::string> Landlock::enforce() {
    const int known = version();
    if (known < 1) {
        return Result::kUnsupported;
    }
    auto handled = all_of(known);
    if (may_connect_anywhere_) {
        handled.handled_ports &= ~kConnectTcp;
    }
    const io::FileDescriptor ruleset{
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, attributes_size(known), 0))};
    if (!ruleset || !add_rules(ruleset.get(), handled.handled_files, handled.handled_ports != 0) ||
        ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
        return std::unexpected{std::string{"cannot restrict access to files: "} + std::strerror(errno) + "."};
    }
    // Files below /proc are made anew when nobody uses them, and the rule would be for the old one: so use them.
    static std::vector<PathRule> in_use;
    in_use = std::move(paths_);
    return Result::kEnforced;
}

}  // namespace culvert::sandbox
