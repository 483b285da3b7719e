#include "culvert/tunnel/names/name_rules.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "culvert/observability/log.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/names/constants.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

bool may_be_proxy_ip(const net::IpAddress& address) {
    return is_proxy_address(address) && !is_sentinel_address(address);
}

bool may_be_resource(const net::IpAddress& address) {
    return !is_reserved(address) && !is_tunnel_address(address) && platform_range(address) == nullptr;
}

std::string lower_case(const dns::Name& name) {
    auto text = name.to_string();
    std::ranges::transform(text, text.begin(), dns::to_lower);
    return text;
}

}  // namespace

std::optional<NameRequests::Request> read_request(const ClientId& client, p2p::AssignedIps message) {
    auto domain = dns::Name::parse(message.domain);
    const bool is_sound = domain && !message.proxy_ips.empty() && message.proxy_ips.size() <= kMaxProxyIps &&
                          std::ranges::all_of(message.proxy_ips, may_be_proxy_ip);
    if (!is_sound) {
        kLog.debug("A client asks for a name in a way that makes no sense", log::field("cid", client),
                   log::field("rid", message.resource));
        return std::nullopt;
    }
    return NameRequests::Request{client, std::move(*domain), std::move(message)};
}

std::vector<net::IpAddress> usable_addresses(std::span<const net::IpAddress> addresses) {
    std::vector<net::IpAddress> usable;
    std::ranges::copy_if(addresses, std::back_inserter(usable), may_be_resource);
    return usable;
}

p2p::DomainStatus set_up(const NameRequests::Resolved& resolved, nat::Translations& translations,
                         nat::SessionTable& sessions, Instant now) {
    const auto& [client, domain, message] = resolved.request;
    if (!resolved.is_found) {
        kLog.debug("A name was not resolved", log::field("cid", client), log::field("domain", domain));
        return refuse(message);
    }
    const auto change = translations.assign(message.resource, lower_case(domain), message.proxy_ips,
                                            usable_addresses(resolved.addresses));
    switch (change) {
        case nat::Translations::Change::kNone:
        case nat::Translations::Change::kElsewhere:
            break;
        case nat::Translations::Change::kMadeRoom:
            sessions.finish_proxies(
                client, [&](const net::IpAddress& proxy) { return translations.find(proxy) == nullptr; }, now);
            break;
        case nat::Translations::Change::kStartedOver:
            kLog.debug("A client numbers its names anew", log::field("cid", client));
            sessions.finish_client(client, now);
            break;
    }
    return {.resource = message.resource, .domain = message.domain, .status = p2p::NatStatus::kActive};
}

p2p::DomainStatus refuse(const p2p::AssignedIps& message) {
    return {.resource = message.resource, .domain = message.domain, .status = p2p::NatStatus::kInactive};
}

}  // namespace culvert::tunnel
