#include "culvert/io/forwarding_rules.h"

#include <algorithm>
#include <string_view>

namespace culvert::io {
namespace {

/// Addresses of clients and gateways in the tunnel. Source: spec/tunnel.md section 6.11.
constexpr std::string_view kTunnelV4 = "100.64.0.0/11";
constexpr std::string_view kTunnelV6 = "fd00:2021:1111::/107";

/// What no router passes on and no client may reach through one, whatever a resource or a DNS answer says: "this"
/// network, loopback, link-local (where clouds hand out their machines' credentials), multicast, broadcast.
constexpr std::string_view kNeverV4 = "{ 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3 }";
constexpr std::string_view kNeverV6 = "{ ::/127, ::ffff:0:0/96, fe80::/10, ff00::/8 }";

/// Longest comment that nftables stores.
constexpr std::size_t kMaxComment = 120;
constexpr std::string_view kComment = "comment \"";

/// Names of interfaces come from whoever may create one. In nftables quotes end a string, and a trailing "*" is a
/// pattern.
bool is_plain(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view{"._-@:/"}.find(c) != std::string_view::npos;
    });
}

std::string quoted(std::string_view name) {
    return '"' + std::string{name} + '"';
}

/// A share of the kernel's table for each address of a client, who has two. Small tables leave a client enough to work
/// with.
constexpr std::size_t kAddressesThatFillTheTable = 8;
constexpr std::size_t kFewestConnectionsPerAddress = 2048;
/// Beyond that counting becomes expensive: the kernel may walk through all connections of an address for a new one, in
/// the gateway's own thread. 0.2 ms were measured for so many, 1.5 ms for four times as many.
constexpr std::size_t kMostConnectionsPerAddress = 8192;

/// Addresses whose connections are counted at once: an entry goes with its last connection. As many as a gateway may
/// have clients, and more.
constexpr std::size_t kCountedAddresses = 65'536;

std::string set_of_addresses(std::string_view name, std::string_view type, std::string_view flags) {
    return "  set " + std::string{name} + " { type " + std::string{type} + "; size " +
           std::to_string(kCountedAddresses) + "; flags " + std::string{flags} + "; }\n";
}

/// For the packets that would add a connection to the kernel's table. First the cheap question. A set that is full lets
/// pass; clients cannot fill it, since the gateway admits their own addresses only.
std::string count_chain(const ForwardingRules& limits) {
    const auto too_fast = " limit rate over " + std::to_string(limits.openings.per_second) + "/second burst " +
                          std::to_string(limits.openings.burst) + " packets } drop\n";
    std::string sets = set_of_addresses("opening_ipv4", "ipv4_addr", "dynamic, timeout; timeout 1m") +
                       set_of_addresses("opening_ipv6", "ipv6_addr", "dynamic, timeout; timeout 1m");
    std::string rules =
        "    update @opening_ipv4 { ip saddr" + too_fast + "    update @opening_ipv6 { ip6 saddr" + too_fast;
    if (limits.connections_per_address) {
        const auto count = " ct count over " + std::to_string(*limits.connections_per_address) + " } drop\n";
        sets += set_of_addresses("counted_ipv4", "ipv4_addr", "dynamic") +
                set_of_addresses("counted_ipv6", "ipv6_addr", "dynamic");
        rules += "    add @counted_ipv4 { ip saddr" + count + "    add @counted_ipv6 { ip6 saddr" + count;
    }
    return sets + "  chain count {\n" + rules + "  }\n";
}

/// "New" is also what waits for its first answer, and such a connection is to go on: it is confirmed already.
constexpr std::string_view kCountOpenings = "    ct state new ct status & confirmed == 0 jump count\n";

/// "Forward what these forwarded before, and drop the rest."
std::string only_as_before(std::string_view family, const std::optional<std::vector<std::string>>& routers) {
    if (!routers) {
        return {};
    }
    const auto condition = "    meta nfproto " + std::string{family};
    std::string text;
    for (const auto& name : *routers) {
        if (is_plain(name)) {
            text += condition + " iifname " + quoted(name) + " accept\n";
        }
    }
    return text + condition + " drop\n";
}

std::string record_chain(const std::vector<SysctlChange>& record) {
    std::string text = "  chain record {\n";
    for (const auto& change : record) {
        const auto entry = change.name + "=" + change.before + "=" + change.ours;
        if (is_plain(change.name) && is_plain(change.before) && is_plain(change.ours) && entry.size() <= kMaxComment) {
            text += "    return " + std::string{kComment} + entry + "\"\n";
        }
    }
    return text + "  }\n";
}

}  // namespace

std::string remove_commands() {
    // Creating the table first makes deleting it always possible.
    const std::string table = std::string{"table inet "} + kGatewayTable;
    return "add " + table + "\ndelete " + table + "\n";
}

std::size_t connections_per_address(std::size_t most) {
    return std::clamp(most / kAddressesThatFillTheTable, kFewestConnectionsPerAddress, kMostConnectionsPerAddress);
}

std::string without_counts(std::string_view listing) {
    constexpr std::string_view kCount = " # count ";
    std::string text;
    while (!listing.empty()) {
        const auto line = listing.substr(0, listing.find('\n'));
        text += line.substr(0, line.find(kCount));
        text += '\n';
        listing.remove_prefix(std::min(line.size() + 1, listing.size()));
    }
    return text;
}

std::string install_commands(const ForwardingRules& rules) {
    const auto tun = quoted(rules.tun_name);
    const std::string v4{kTunnelV4};
    const std::string v6{kTunnelV6};

    std::string text = remove_commands();
    text += std::string{"table inet "} + kGatewayTable + " {\n";
    text += record_chain(rules.record);
    text += count_chain(rules);
    // Before destination NAT: a port that the host publishes to its own networks (containers) must not be reachable at
    // the tunnel address either.
    text +=
        "  chain prerouting {\n"
        "    type filter hook prerouting priority mangle; policy accept;\n"
        "    iifname " +
        tun +
        " jump from_tunnel\n"
        "  }\n"
        "  chain from_tunnel {\n"
        "    ip saddr != " +
        v4 +
        " drop\n"
        "    ip6 saddr != " +
        v6 +
        " drop\n"
        "    ip daddr " +
        std::string{kNeverV4} +
        " drop\n"
        "    ip6 daddr " +
        std::string{kNeverV6} + " drop\n" + std::string{kCountOpenings} + "    ip daddr " + v4 +
        " jump to_gateway\n"
        "    ip6 daddr " +
        v6 +
        " jump to_gateway\n"
        "  }\n"
        // What a service of ours listens to on the tunnel address is let in here.
        "  chain to_gateway {\n"
        "    icmp type echo-request accept\n"
        "    icmpv6 type echo-request accept\n"
        "    ct state established ct direction reply accept\n"
        "    icmp type { destination-unreachable, time-exceeded, parameter-problem } ct state related accept\n"
        "    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } "
        "ct state related accept\n"
        "    drop\n"
        "  }\n";
    // From outside, the tunnel address does not exist (Linux would answer for it on every interface), and from the
    // tunnel no broadcast address of another network does.
    text +=
        "  chain input {\n"
        "    type filter hook input priority filter; policy accept;\n"
        "    iifname " +
        tun +
        " fib daddr type != local drop\n"
        "    iifname { " +
        tun +
        ", \"lo\" } accept\n"
        "    ip daddr " +
        v4 +
        " fib daddr . iif type != local drop\n"
        "    ip6 daddr " +
        v6 +
        " fib daddr . iif type != local drop\n"
        "  }\n";
    // What conntrack does not know it does not masquerade: such a packet would leave with an address of the tunnel.
    text +=
        "  chain forward {\n"
        "    type filter hook forward priority filter; policy accept;\n"
        "    iifname " +
        tun +
        " jump leave_tunnel\n"
        "    oifname " +
        tun + " jump enter_tunnel\n" + only_as_before("ipv4", rules.ipv4_routers) +
        only_as_before("ipv6", rules.ipv6_routers) +
        "  }\n"
        "  chain leave_tunnel {\n"
        "    oifname " +
        tun +
        " drop\n"
        "    ct state { invalid, untracked } drop\n"
        "    accept\n"
        "  }\n"
        "  chain enter_tunnel {\n"
        "    ct state { established, related } accept\n"
        "    drop\n"
        "  }\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat; policy accept;\n"
        "    iifname " +
        tun + " oifname != " + tun + " ip saddr " + v4 +
        " masquerade\n"
        "    iifname " +
        tun + " oifname != " + tun + " ip6 saddr " + v6 +
        " masquerade\n"
        "  }\n"
        "}\n";
    return text;
}

std::vector<SysctlChange> record_in(const std::string& listing) {
    std::vector<SysctlChange> record;
    for (std::size_t at = 0; (at = listing.find(kComment, at)) != std::string::npos;) {
        at += kComment.size();
        const auto end = listing.find('"', at);
        if (end == std::string::npos) {
            break;
        }
        if (auto change = parse_change(std::string_view{listing}.substr(at, end - at))) {
            record.push_back(std::move(*change));
        }
    }
    return record;
}

}  // namespace culvert::io
