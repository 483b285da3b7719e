#include "culvert/io/gateway_host.h"

#include <string_view>
#include <utility>

#include "culvert/base/sabotage.h"
#include "culvert/io/forwarding_rules.h"
#include "culvert/io/forwarding_sysctls.h"
#include "culvert/io/nftables.h"
#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

/// Empty if there is no such table.
std::string list_table() {
    return run_nft(std::string{"list table inet "} + kGatewayTable + "\n").value_or("");
}

/// A predecessor that was killed could not put the kernel's settings back.
void restore_leftovers(HostRecord& record) {
    auto leftovers = record.load();
    if (leftovers.empty()) {
        leftovers = record_in(list_table());
    }
    if (leftovers.empty() || CULVERT_SABOTAGE(kTrustLeftovers)) {
        return;
    }
    SysctlChanges{leftovers}.restore();
    record.clear();
    kLog.info("Put back the kernel settings that an earlier run, which was killed, had changed");
}

std::string explain(const std::string& error) {
    return "cannot set up masquerading: " + error +
           ". The kernel needs nf_tables with NAT and fib, and this program CAP_NET_ADMIN.";
}

}  // namespace

std::expected<GatewayHost, std::string> GatewayHost::set_up(const Options& options) {
    auto record = HostRecord::open(options.record_folder);
    restore_leftovers(record);

    const auto survey = survey_forwarding(options.tun_name);
    // Written down first, so that a crash leaves nothing that nobody knows of.
    record.store(survey.changes);
    // The table second: with it, switching forwarding on opens nothing else.
    auto commands = install_commands({.tun_name = options.tun_name,
                                      .ipv4_routers = survey.ipv4_routers,
                                      .ipv6_routers = survey.ipv6_routers,
                                      .record = survey.changes});
    GatewayHost host{std::move(record), SysctlChanges{survey.changes}, std::move(commands)};
    if (const auto result = run_nft(host.commands_); !result) {
        host.record_.clear();
        host.is_active_ = false;
        return std::unexpected{explain(result.error())};
    }
    host.listing_ = list_table();
    host.sysctls_.apply();
    kLog.debug("Forwarding and masquerading are set up", log::field("settings_changed", survey.changes.size()),
               log::field("was_router", !survey.ipv4_routers));
    return host;
}

GatewayHost::GatewayHost(HostRecord record, SysctlChanges sysctls, std::string commands)
    : record_{std::move(record)}, sysctls_{std::move(sysctls)}, commands_{std::move(commands)} {}

bool GatewayHost::is_intact() const {
    return list_table() == listing_;
}

std::expected<bool, std::string> GatewayHost::repair() {
    const bool was_intact = is_intact();
    if (!was_intact) {
        if (const auto result = run_nft(commands_); !result) {
            return std::unexpected{explain(result.error())};
        }
        listing_ = list_table();
    }
    const bool were_settings_changed = !sysctls_.apply().empty();
    return !was_intact || were_settings_changed;
}

GatewayHost::GatewayHost(GatewayHost&& other) noexcept
    : record_{std::move(other.record_)},
      sysctls_{std::move(other.sysctls_)},
      commands_{std::move(other.commands_)},
      listing_{std::move(other.listing_)},
      is_active_{std::exchange(other.is_active_, false)} {}

GatewayHost::~GatewayHost() {
    if (!is_active_) {
        return;
    }
    // Forwarding ends before the rules that keep it in bounds.
    sysctls_.restore();
    if (const auto result = run_nft(remove_commands()); !result) {
        kLog.warn("Could not remove our nftables table", log::field("error", result.error()));
    }
    record_.clear();
}

}  // namespace culvert::io
