#include "apps/relay/confinement.h"

#include "apps/common/sandbox_flags.h"
#include "culvert/portal_api/url.h"

namespace culvert::relay_server {
namespace {

/// Name servers are asked by TCP if their answer is long.
constexpr std::uint16_t kDnsPort = 53;

}  // namespace

std::expected<void, std::string> confine(const Options& options) {
    const auto identity = command_line::choose_identity(options.sandbox, sandbox::kRelayAccount);
    if (!identity) {
        return std::unexpected{identity.error()};
    }
    sandbox::Sandbox sandbox{.identity = *identity, .restricts_files_and_syscalls = !options.sandbox.no_sandbox};
    // Sockets of allocations and of the HTTP servers are opened later.
    command_line::keep_for_port(sandbox.capabilities, options.lowest_port);
    for (const auto& address : {options.health_check, options.control, options.metrics.value_or(options.control)}) {
        command_line::keep_for_port(sandbox.capabilities, address.port);
        sandbox.files.listen(address.port);
    }
    if (const auto url = portal_api::LoginUrl::build(options.api_url, {.role = portal_api::Role::kRelay})) {
        sandbox.files.connect(url->port());
    }
    sandbox.files.connect(kDnsPort);
    auto entered = sandbox::enter(std::move(sandbox));
    if (!entered && *identity) {
        return std::unexpected{entered.error() + " To run it as root all the same, pass --allow-root."};
    }
    return entered;
}

}  // namespace culvert::relay_server
