#include "culvert/portal/resource_address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "culvert/net/ip_network.h"
#include "culvert/portal/text.h"
#include "culvert/portal/tunnel_addresses.h"
#include "culvert/portal_api/doh_url.h"

namespace culvert::portal {
namespace {

using Address = std::expected<std::string, std::string>;

constexpr std::array<std::string_view, 11> kGenericTopLevelDomains = {"com", "org",  "net",  "edu",  "gov", "mil",
                                                                      "biz", "info", "name", "mobi", "pro"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_ascii_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/// Every byte of a letter outside ASCII counts as one; names are compared as they are.
bool is_letter(char c) {
    return is_ascii_letter(c) || (static_cast<unsigned char>(c) & 0x80U) != 0;
}
bool is_wildcard(char c) {
    return c == '*' || c == '?';
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(at + 1);
    }
}

bool looks_like_address(std::string_view text) {
    const auto without_prefix = text.substr(0, text.find('/'));
    if (text.find(':') != std::string_view::npos) {
        return true;
    }
    const auto parts = split(without_prefix, '.');
    return parts.size() == 4 && std::ranges::all_of(parts, [](std::string_view part) {
               return !part.empty() && std::ranges::all_of(part, is_digit);
           });
}

bool is_public_top_level_domain(std::string_view label) {
    std::string lower{label};
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return (lower.size() == 2 && std::ranges::all_of(lower, is_ascii_letter)) ||
           std::ranges::count(kGenericTopLevelDomains, lower) > 0;
}

/// What is wrong with one label of a DNS pattern; empty: nothing.
std::string label_problem(std::string_view label) {
    if (label.empty()) {
        return "must not have an empty label, nor a dot in front or at the end";
    }
    if (label.size() > 63) {
        return "must not have a label longer than 63 characters";
    }
    if (label.front() == '-' || label.back() == '-') {
        return "must not have a label that starts or ends with a hyphen";
    }
    if (!std::ranges::all_of(label, [](char c) { return is_letter(c) || is_digit(c) || c == '-' || is_wildcard(c); })) {
        return "may only have letters, digits, hyphens, dots and the wildcards * and ?";
    }
    if (label.find("**") != std::string_view::npos && label != "**") {
        return "may have ** only as a complete label";
    }
    return "";
}

Address canonical_dns(std::string_view text) {
    if (text.empty() || text.size() > 253) {
        return std::unexpected{"must have 1 to 253 characters"};
    }
    if (looks_like_address(text)) {
        return std::unexpected{"is an IP address; use a resource of type \"ip\" or \"cidr\""};
    }
    const auto labels = split(text, '.');
    for (const auto label : labels) {
        if (auto problem = label_problem(label); !problem.empty()) {
            return std::unexpected{std::move(problem)};
        }
    }
    const auto last = labels.back();
    if (std::ranges::any_of(last, is_wildcard)) {
        return std::unexpected{"must not have a wildcard in its last label"};
    }
    if (last == "localhost") {
        return std::unexpected{"must not end in localhost; give the name an alias in the gateway's hosts file"};
    }
    const auto only_wildcards = [](std::string_view label) { return std::ranges::all_of(label, is_wildcard); };
    if (is_public_top_level_domain(last) && std::ranges::all_of(labels.begin(), labels.end() - 1, only_wildcards)) {
        return std::unexpected{"must not cover a whole top-level domain"};
    }
    return std::string{text};
}

/// What is wrong with a network as a resource; empty: nothing.
std::string network_problem(const net::IpNetwork& network) {
    struct Range {
        std::string_view network;
        std::string_view problem;
    };
    // What the tunnel or the system itself needs of a wider network would be taken away from it.
    constexpr std::array kNeverTouched = {
        Range{"0.0.0.0/32", "must not contain 0.0.0.0; for all traffic use type \"internet\""},
        Range{"::/128", "must not contain ::; for all traffic use type \"internet\""},
        Range{"127.0.0.0/8", "must not overlap with 127.0.0.0/8: loopback addresses never leave a machine"},
        Range{"::1/128", "must not contain ::1: a loopback address never leaves a machine"},
        Range{"100.64.0.0/10", "must not overlap with 100.64.0.0/10, which the tunnel uses"},
        Range{"fd00:2021:1111::/48", "must not overlap with fd00:2021:1111::/48, which the tunnel uses"},
    };
    // Nothing in these can be reached through a gateway.
    constexpr std::array kNeverReached = {
        Range{"0.0.0.0/8", "lies in 0.0.0.0/8, which no host can have as its address (RFC 1122)"},
        Range{"169.254.0.0/16", "lies in 169.254.0.0/16: link-local addresses are valid on one link only"},
        Range{"fe80::/10", "lies in fe80::/10: link-local addresses are valid on one link only"},
        Range{"224.0.0.0/4", "lies in 224.0.0.0/4: multicast does not pass through the tunnel"},
        Range{"ff00::/8", "lies in ff00::/8: multicast does not pass through the tunnel"},
        Range{"255.255.255.255/32", "is the broadcast address, which is valid on one link only"},
        Range{"::ffff:0.0.0.0/96", "is an IPv4 address written as an IPv6 one; write it as 10.0.0.1 or 10.0.0.0/8"},
    };
    const auto parse = [](const Range& range) { return *net::IpNetwork::parse(range.network); };
    for (const auto& range : kNeverTouched) {
        if (parse(range).contains(network) || network.contains(parse(range))) {
            return std::string{range.problem};
        }
    }
    for (const auto& range : kNeverReached) {
        if (parse(range).contains(network)) {
            return std::string{range.problem};
        }
    }
    return "";
}

/// The prefix length that a netmask such as 255.255.255.0 stands for.
std::optional<unsigned> prefix_of_netmask(const net::IpAddress& mask) {
    unsigned prefix = 0;
    bool has_ended = false;
    for (const auto byte : mask.bytes()) {
        for (unsigned bit = 0x80; bit != 0; bit >>= 1U) {
            if ((std::to_integer<unsigned>(byte) & bit) == 0) {
                has_ended = true;
            } else if (has_ended) {
                return std::nullopt;
            } else {
                ++prefix;
            }
        }
    }
    return prefix;
}

/// `behind` is what stands behind the slash and is no number.
std::string prefix_problem(std::string_view address, std::string_view behind, unsigned longest) {
    if (const auto mask = net::IpAddress::parse(behind)) {
        const auto prefix = prefix_of_netmask(*mask);
        return prefix && *prefix <= longest
                   ? "must not have a netmask: write " + std::string{address} + "/" + std::to_string(*prefix)
                   : "must have a prefix length behind the slash; " + mask->to_string() + " is not even a netmask";
    }
    return "must have a prefix length from 0 to " + std::to_string(longest) + " behind the slash";
}

Address canonical_cidr(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = net::IpAddress::parse(text.substr(0, slash));
    if (address && slash == std::string_view::npos) {
        return std::unexpected{"must have a prefix length: write " + std::string{text} + "/" +
                               std::to_string(address->bit_length()) +
                               " for this one address, or use a resource of type \"ip\""};
    }
    if (!address) {
        return std::unexpected{"must be an address and a prefix length, such as 10.0.0.0/8" +
                               std::string{text.find('-') != std::string_view::npos ? ", not a range" : ""}};
    }
    const auto digits = text.substr(slash + 1);
    unsigned prefix = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (error != std::errc{} || end != digits.data() + digits.size() || prefix > address->bit_length()) {
        return std::unexpected{prefix_problem(text.substr(0, slash), digits, address->bit_length())};
    }
    const net::IpNetwork network{*address, prefix};
    if (auto problem = network_problem(network); !problem.empty()) {
        return std::unexpected{std::move(problem)};
    }
    return network.to_string();
}

Address canonical_ip(std::string_view text) {
    const auto address = net::IpAddress::parse(text);
    if (!address) {
        const bool is_network = net::IpAddress::parse(text.substr(0, text.find('/'))).has_value();
        return std::unexpected{is_network ? "must be one IP address, without a prefix length; for a network use type "
                                            "\"cidr\""
                                          : "must be one IP address; for a name use type \"dns\""};
    }
    if (auto problem = network_problem(net::IpNetwork::host(*address)); !problem.empty()) {
        return std::unexpected{std::move(problem)};
    }
    return address->to_string();
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    text = trim(text);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{port} : std::nullopt;
}

}  // namespace

Address canonical_address(ResourceType type, std::string_view text) {
    switch (type) {
        case ResourceType::kDns:
            return canonical_dns(text);
        case ResourceType::kCidr:
            return canonical_cidr(text);
        case ResourceType::kIp:
            return canonical_ip(text);
        case ResourceType::kStaticDevicePool:
        case ResourceType::kInternet:
            break;
    }
    return text.empty() ? Address{""} : std::unexpected{std::string{"must be absent: the Internet resource has none"}};
}

std::expected<PortRange, std::string> parse_ports(std::string_view text) {
    const auto dash = text.find('-');
    const auto first = parse_port(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
    if (!first || !last) {
        return std::unexpected{text.find(',') != std::string_view::npos
                                   ? "must be one port or range; list several as [\"80\", \"443\"]"
                                   : "must be \"N\" or \"N - M\" with ports from 0 to 65535, as numbers"};
    }
    if (*first > *last) {
        return std::unexpected{"must not have its lower port above the higher one"};
    }
    return PortRange{*first, *last};
}

std::expected<net::SocketAddress, std::string> parse_upstream_dns(std::string_view text) {
    constexpr std::uint16_t kDnsPort = 53;
    auto server = net::SocketAddress::parse(text);
    if (!server) {
        const auto address = net::IpAddress::parse(text);
        if (!address) {
            return std::unexpected{"must be an IP address, or one with a port such as 203.0.113.53:53"};
        }
        server = net::SocketAddress{*address, kDnsPort};
    }
    if (server->port == 0) {
        return std::unexpected{"must not have port 0; leave the port out for 53"};
    }
    for (const auto* const range : {"0.0.0.0/8", "::/128", "224.0.0.0/4", "ff00::/8", "255.255.255.255/32"}) {
        if (net::IpNetwork::parse(range)->contains(server->ip)) {
            return std::unexpected{"must be the address of one server"};
        }
    }
    if (reserved_range(server->ip.family()).contains(server->ip)) {
        return std::unexpected{"must not lie in " + reserved_range(server->ip.family()).to_string() +
                               ", which the tunnel uses"};
    }
    return *server;
}

std::expected<std::string, std::string> parse_doh_url(std::string_view text) {
    if (!portal_api::is_doh_url(text)) {
        return std::unexpected{"must be a URL such as https://dns.example/dns-query, with port 443 and no query"};
    }
    return std::string{text};
}

std::expected<std::string, std::string> parse_api_url(std::string_view text) {
    const auto url = boost::urls::parse_uri(text);
    const bool is_web =
        url && (url->scheme_id() == boost::urls::scheme::https || url->scheme_id() == boost::urls::scheme::http);
    if (!is_web || url->host().empty() || url->has_userinfo() || (url->has_port() && url->port_number() == 0)) {
        return std::unexpected{"must be a URL such as https://portal.example.com"};
    }
    return std::string{text};
}

std::expected<std::string, std::string> parse_search_domain(std::string_view text) {
    const auto is_name_character = [](char c) { return is_ascii_letter(c) || is_digit(c) || c == '-'; };
    const auto labels = split(text, '.');
    const bool are_labels = std::ranges::all_of(labels, [&](std::string_view label) {
        return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, is_name_character);
    });
    const auto last = labels.back();
    if (text.size() > 255 || !are_labels || labels.size() < 2 || text.front() == '-' || last.size() < 2 ||
        !std::ranges::all_of(last, is_ascii_letter)) {
        return std::unexpected{"must be a domain name such as corp.example"};
    }
    return std::string{text};
}

}  // namespace culvert::portal
