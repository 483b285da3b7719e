#include "apps/common/device_confinement.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "culvert/observability/log.h"

namespace culvert::command_line {
namespace {

constexpr log::Logger kLog{"sandbox"};

/// Records of flows go to the portal, wherever its URL for them leads, by HTTPS.
constexpr std::uint16_t kHttpsPort = 443;

/// A folder and what is in it. Links are given away themselves, and never followed.
bool give_away(const std::filesystem::path& folder, uid_t uid, gid_t gid) {
    if (::lchown(folder.c_str(), uid, gid) != 0) {
        return false;
    }
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator entry{folder, error};
         !error && entry != std::filesystem::recursive_directory_iterator{}; entry.increment(error)) {
        if (::lchown(entry->path().c_str(), uid, gid) != 0) {
            return false;
        }
    }
    return !error;
}

/// For the account's eyes only. What is in the way is told once records are wanted.
bool make_folder(const std::filesystem::path& folder, const std::optional<sandbox::Identity>& identity) {
    std::error_code error;
    std::filesystem::create_directories(folder.parent_path(), error);
    struct stat status{};
    const bool is_there = ::mkdir(folder.c_str(), S_IRWXU) == 0 || errno == EEXIST;
    if (!is_there || ::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        kLog.debug("There is no folder for records of flows", log::field("folder", folder.string()));
        return false;
    }
    // An earlier run may have been somebody else.
    return identity ? give_away(folder, identity->uid, identity->gid)
                    : status.st_uid == ::geteuid() || give_away(folder, ::geteuid(), ::getegid());
}

/// Name servers are asked by TCP if their answer is long.
constexpr std::uint16_t kDnsPort = 53;

std::expected<std::optional<sandbox::Identity>, Complaint> choose_device_identity(const SandboxFlags& flags,
                                                                                  const DeviceNeeds& needs) {
    auto chosen = choose_identity(flags, needs.account);
    if (!chosen || !*chosen) {
        return chosen;
    }
    if (!needs.log_directory.empty()) {
        kLog.debug("Staying root without its capabilities, because of the log files");
        return std::nullopt;
    }
    if (flags.user.empty() && !sandbox::can_become(**chosen)) {
        kLog.info("Cannot become another user here: staying root without its capabilities");
        return std::nullopt;
    }
    return chosen;
}

}  // namespace

std::expected<void, std::string> confine_device(const SandboxFlags& flags, const DeviceNeeds& needs) {
    const auto identity = choose_device_identity(flags, needs);
    if (!identity) {
        return std::unexpected{identity.error()};
    }
    const bool writes_logs = !needs.log_directory.empty();
    const bool keeps_flows = !needs.flow_log_folder.empty() && make_folder(needs.flow_log_folder, *identity);
    sandbox::Sandbox sandbox{.identity = *identity,
                             .capabilities = {CAP_NET_ADMIN},
                             .syscalls = {.changes_files = writes_logs || keeps_flows || needs.forwards,
                                          .configures_network = needs.forwards},
                             .restricts_files_and_syscalls = !flags.no_sandbox};
    for (const auto& address : needs.listeners) {
        keep_for_port(sandbox.capabilities, address.port);
        sandbox.files.listen(address.port);
    }
    sandbox.files.connect(needs.portal_port).connect(kDnsPort);
    if (needs.connects_to_resolvers) {
        sandbox.files.connect_anywhere();
    }
    if (writes_logs) {
        sandbox.files.manage(needs.log_directory);
    }
    if (keeps_flows) {
        sandbox.files.manage_tree(needs.flow_log_folder).connect(kHttpsPort);
    }
    return sandbox::enter(std::move(sandbox));
}

}  // namespace culvert::command_line
