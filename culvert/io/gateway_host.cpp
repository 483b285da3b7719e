#include "culvert/io/gateway_host.h"

#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

#include "culvert/io/forward_obstacle.h"
#include "culvert/io/forwarding_rules.h"
#include "culvert/io/forwarding_sysctls.h"
#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

/// Empty if there is no such table. Newer versions tell how many elements a set has, which is no part of our rules.
std::string list_table() {
    const auto listing = run_nft(std::string{"list table inet "} + kGatewayTable + "\n").value_or("");
    return without_counts(listing);
}

/// A predecessor that was killed could not put the kernel's settings back.
void restore_leftovers(HostRecord& record) {
    auto leftovers = record.load();
    if (leftovers.empty()) {
        leftovers = record_in(list_table());
    }
    if (leftovers.empty()) {
        return;
    }
    SysctlChanges{leftovers}.restore();
    record.clear();
    kLog.info("Put back the kernel settings that an earlier run, which was killed, had changed");
}

std::optional<std::size_t> share_of_tracked_connections() {
    const auto most = read_sysctl("net/netfilter/nf_conntrack_max");
    std::size_t number = 0;
    if (!most || std::from_chars(most->data(), most->data() + most->size(), number).ec != std::errc{}) {
        return std::nullopt;
    }
    return connections_per_address(number);
}

/// Puts the table in place. The commands that did it come back, since not every kernel can count connections.
std::expected<std::string, std::string> install(ForwardingRules rules, decltype(&run_nft) nft) {
    const auto limit = std::exchange(rules.connections_per_address, std::nullopt);
    auto commands = install_commands(rules);
    if (const auto result = nft(commands); !result) {
        return std::unexpected{result.error()};
    }
    // Second, since only a table that tracks connections loads what says how many the kernel tracks.
    rules.connections_per_address = limit ? limit : share_of_tracked_connections();
    auto counting = install_commands(rules);
    if (const auto result = nft(counting); !result) {
        kLog.info("This kernel cannot count connections (nft_connlimit): one client may use up its table of them",
                  log::field("error", result.error()));
        return commands;
    }
    return counting;
}

/// A chain that accepts is no obstacle, and ours accepts what it lets through; but what one of several chains drops is
/// gone.
void warn_of_obstacles(const std::string& tun_name) {
    for (const auto& chain : forward_obstacles(run_nft("list ruleset\n").value_or(""), tun_name)) {
        kLog.warn(
            "Another program's firewall drops what this machine forwards unless its own rules permit it: traffic of "
            "clients gets lost there. Permit our interface",
            log::field("chain", chain), log::field("for_example", advice_about(chain, tun_name)));
    }
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
    auto commands = install({.tun_name = options.tun_name,
                             .ipv4_routers = survey.ipv4_routers,
                             .ipv6_routers = survey.ipv6_routers,
                             .connections_per_address = options.connections_per_address,
                             .openings = options.openings,
                             .record = survey.changes},
                            options.nft);
    if (!commands) {
        record.clear();
        return std::unexpected{explain(commands.error())};
    }
    GatewayHost host{std::move(record), SysctlChanges{survey.changes}, std::move(*commands)};
    host.listing_ = list_table();
    host.sysctls_.apply();
    warn_of_obstacles(options.tun_name);
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
