#include "apps/common/sandbox_flags.h"

#include <linux/capability.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "culvert/observability/log.h"

namespace culvert::command_line {
namespace {

constexpr log::Logger kLog{"sandbox"};
constexpr std::uint16_t kFirstOrdinaryPort = 1024;

}  // namespace

void describe(CLI::App& app, SandboxFlags& flags, const sandbox::ServiceAccount& account) {
    const auto default_user =
        "\"" + std::string{account.name} + "\" or, without that account, the id " + std::to_string(account.spare_id);
    app.add_option("--user", flags.user,
                   "Whom to become if root starts the program (default: " + default_user + ") [CULVERT_USER]")
        ->envname("CULVERT_USER")
        ->option_text("NAME");
    app.add_flag("--allow-root", flags.allow_root,
                 "Stay root, without privileges, where no other user can be had [CULVERT_ALLOW_ROOT]")
        ->envname("CULVERT_ALLOW_ROOT");
    app.add_flag("--no-sandbox", flags.no_sandbox,
                 "Do not limit files and system calls, where a kernel or a debugging tool needs that "
                 "[CULVERT_NO_SANDBOX]")
        ->envname("CULVERT_NO_SANDBOX");
}

std::expected<std::optional<sandbox::Identity>, Complaint> choose_identity(const SandboxFlags& flags,
                                                                           const sandbox::ServiceAccount& account) {
    if (::geteuid() != 0) {
        if (flags.user.empty()) {
            return std::nullopt;
        }
        const auto wanted = sandbox::find_identity(flags.user, account);
        if (wanted && wanted->uid == ::geteuid()) {
            return std::nullopt;
        }
        return std::unexpected{"only root can become \"" + flags.user + "\". Leave --user out."};
    }
    if (flags.allow_root) {
        kLog.warn("Staying root, as asked for");
        return std::nullopt;
    }
    return sandbox::find_identity(flags.user, account);
}

void keep_for_port(sandbox::Capabilities& capabilities, std::uint16_t port) {
    if (port != 0 && port < kFirstOrdinaryPort &&
        std::ranges::find(capabilities, CAP_NET_BIND_SERVICE) == capabilities.end()) {
        capabilities.push_back(CAP_NET_BIND_SERVICE);
    }
}

}  // namespace culvert::command_line
