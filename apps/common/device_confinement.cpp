#include "apps/common/device_confinement.h"

#include <linux/capability.h>

#include <utility>

#include "culvert/observability/log.h"

namespace culvert::command_line {
namespace {

constexpr log::Logger kLog{"sandbox"};

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
    const bool writes_files = !needs.log_directory.empty();
    sandbox::Sandbox sandbox{
        .identity = *identity,
        .capabilities = {CAP_NET_ADMIN},
        .syscalls = {.changes_files = writes_files || needs.forwards, .configures_network = needs.forwards},
        .restricts_files_and_syscalls = !flags.no_sandbox};
    for (const auto& address : needs.listeners) {
        keep_for_port(sandbox.capabilities, address.port);
        sandbox.files.listen(address.port);
    }
    sandbox.files.connect(needs.portal_port).connect(kDnsPort);
    if (needs.connects_to_resolvers) {
        sandbox.files.connect_anywhere();
    }
    if (writes_files) {
        sandbox.files.manage(needs.log_directory);
    }
    return sandbox::enter(std::move(sandbox));
}

}  // namespace culvert::command_line
