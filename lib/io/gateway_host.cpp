#include "culvert/io/gateway_host.h"

#include <nftables/libnftables.h>

#include <array>
#include <fstream>
#include <memory>
#include <utility>

#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

constexpr const char* kTable = "culvert_gateway";

struct NftContextDeleter {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

/// Runs nftables commands in one transaction; the error is what libnftables says.
std::expected<void, std::string> run_nft(const std::string& commands) {
    const std::unique_ptr<nft_ctx, NftContextDeleter> context{nft_ctx_new(NFT_CTX_DEFAULT)};
    if (!context) {
        return std::unexpected{std::string{"out of memory"}};
    }
    nft_ctx_buffer_error(context.get());
    nft_ctx_buffer_output(context.get());
    if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) != 0) {
        std::string text = nft_ctx_get_error_buffer(context.get());
        return std::unexpected{text.substr(0, text.find('\n'))};
    }
    return {};
}

/// Creating the table first makes deleting it always possible, so that set-up starts clean in one transaction.
std::string delete_table() {
    const std::string table = std::string{"table inet "} + kTable;
    return "add " + table + "\ndelete " + table + "\n";
}

void set_sysctl(const std::string& name, const std::string& value) {
    const auto path = "/proc/sys/" + name;
    std::ifstream current{path};
    std::string old_value;
    if (current && std::getline(current, old_value) && old_value == value) {
        return;
    }
    std::ofstream file{path};
    file << value << std::flush;
    if (!file) {
        kLog.warn("Could not change a kernel setting; set it by hand or traffic may not be forwarded",
                  log::field("setting", name), log::field("value", value));
    }
}

}  // namespace

std::expected<GatewayHost, std::string> GatewayHost::set_up(const std::string& tun_name) {
    for (const auto& [name, value] :
         std::array<std::pair<const char*, const char*>, 5>{{{"net/ipv4/ip_forward", "1"},
                                                             {"net/ipv4/conf/all/src_valid_mark", "1"},
                                                             {"net/ipv6/conf/all/disable_ipv6", "0"},
                                                             {"net/ipv6/conf/all/forwarding", "1"},
                                                             {"net/ipv6/conf/default/forwarding", "1"}}}) {
        set_sysctl(name, value);
    }

    const auto tun = "\"" + tun_name + "\"";
    const auto commands = delete_table() + "table inet " + kTable +
                          " {\n"
                          "  chain forward {\n"
                          "    type filter hook forward priority filter; policy accept;\n"
                          "    iifname " +
                          tun +
                          " accept\n"
                          "    oifname " +
                          tun +
                          " accept\n"
                          "  }\n"
                          "  chain postrouting {\n"
                          "    type nat hook postrouting priority srcnat; policy accept;\n"
                          "    ip saddr 100.64.0.0/11 oifname != " +
                          tun +
                          " masquerade\n"
                          "    ip6 saddr fd00:2021:1111::/107 oifname != " +
                          tun +
                          " masquerade\n"
                          "  }\n"
                          "}\n";
    if (const auto result = run_nft(commands); !result) {
        return std::unexpected{"cannot set up masquerading: " + result.error() +
                               ". The kernel needs nf_tables with NAT, and this program CAP_NET_ADMIN."};
    }
    GatewayHost host;
    host.is_active_ = true;
    kLog.debug("Forwarding and masquerading are set up");
    return host;
}

GatewayHost::GatewayHost(GatewayHost&& other) noexcept : is_active_{std::exchange(other.is_active_, false)} {}

GatewayHost::~GatewayHost() {
    if (is_active_) {
        if (const auto result = run_nft(delete_table()); !result) {
            kLog.warn("Could not remove our nftables table", log::field("error", result.error()));
        }
    }
}

}  // namespace culvert::io
