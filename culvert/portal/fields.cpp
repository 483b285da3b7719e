#include "culvert/portal/fields.h"

#include <algorithm>
#include <array>
#include <utility>

#include "culvert/portal/constants.h"
#include "culvert/portal/resource_address.h"

namespace culvert::portal::fields {
namespace {

template <typename Enum, std::size_t N>
std::string_view name_of(const std::array<std::pair<std::string_view, Enum>, N>& names, Enum value) {
    return std::ranges::find(names, value, &std::pair<std::string_view, Enum>::second)->first;
}

using NamedActorType = std::pair<std::string_view, ActorType>;
constexpr std::array kActorTypes{
    NamedActorType{"account_user", ActorType::kUser}, NamedActorType{"account_admin_user", ActorType::kAdminUser},
    NamedActorType{"service_account", ActorType::kServiceAccount}, NamedActorType{"api_client", ActorType::kApiClient}};

using NamedResourceType = std::pair<std::string_view, ResourceType>;
constexpr std::array kResourceTypes{
    NamedResourceType{"dns", ResourceType::kDns}, NamedResourceType{"cidr", ResourceType::kCidr},
    NamedResourceType{"ip", ResourceType::kIp}, NamedResourceType{"internet", ResourceType::kInternet},
    NamedResourceType{"static_device_pool", ResourceType::kStaticDevicePool}};

using NamedStack = std::pair<std::string_view, IpStack>;
constexpr std::array kIpStacks{NamedStack{"dual", IpStack::kDual}, NamedStack{"ipv4_only", IpStack::kIpv4Only},
                               NamedStack{"ipv6_only", IpStack::kIpv6Only}};

using NamedProtocol = std::pair<std::string_view, FilterProtocol>;
constexpr std::array kProtocols{NamedProtocol{"tcp", FilterProtocol::kTcp}, NamedProtocol{"udp", FilterProtocol::kUdp},
                                NamedProtocol{"icmp", FilterProtocol::kIcmp}};

/// Refuses what is in the list twice.
template <typename T, typename Parse>
std::vector<T> distinct(const ConfigurationValue& value, const Parse& parse) {
    std::vector<T> parsed;
    for (const auto& item : value.items()) {
        auto one = item.checked(parse(item.text(1, kMaxTextCharacters)));
        if (std::ranges::count(parsed, one) > 0) {
            item.fail("is listed twice");
        }
        parsed.push_back(std::move(one));
    }
    return parsed;
}

ResourceFilter filter(const ConfigurationValue& value) {
    value.check_keys({"protocol", "ports"});
    ResourceFilter filter;
    filter.protocol = value.get("protocol").one_of(kProtocols);
    if (const auto ports = value.find("ports")) {
        for (const auto& item : ports->items()) {
            filter.ports.push_back(item.checked(parse_ports(item.text(1, 32))));
        }
        if (filter.protocol == FilterProtocol::kIcmp && !filter.ports.empty()) {
            ports->fail("must be empty for icmp, which has no ports");
        }
    }
    return filter;
}

}  // namespace

std::string account_name(const ConfigurationValue& value) {
    return value.text(3, 64);
}

std::string slug(const ConfigurationValue& value) {
    auto slug = value.text(3, 100);
    std::ranges::transform(slug, slug.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const bool is_valid =
        std::ranges::all_of(slug, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    if (!is_valid) {
        value.fail("may only have letters, digits and underscores");
    }
    return slug;
}

std::chrono::seconds client_session_lifetime(const ConfigurationValue& value) {
    using std::chrono::seconds;
    return seconds{value.number(seconds{kShortestClientSession}.count(), seconds{kLongestClientSession}.count())};
}

std::string search_domain(const ConfigurationValue& value) {
    return value.checked(parse_search_domain(value.text(1, 255)));
}

std::vector<net::SocketAddress> upstream_dns(const ConfigurationValue& value) {
    return distinct<net::SocketAddress>(value, parse_upstream_dns);
}

std::vector<std::string> upstream_doh(const ConfigurationValue& value) {
    return distinct<std::string>(value, parse_doh_url);
}

std::string site_name(const ConfigurationValue& value) {
    return value.text(1, 64);
}

std::string actor_name(const ConfigurationValue& value) {
    return value.text(1, 512);
}

ActorType actor_type(const ConfigurationValue& value) {
    return value.one_of(kActorTypes);
}

std::string actor_email(const ConfigurationValue& value) {
    auto email = value.text(3, 160);
    if (email.find('@') == std::string::npos) {
        value.fail("must be an e-mail address");
    }
    return email;
}

std::string_view to_string(ActorType type) {
    return name_of(kActorTypes, type);
}

std::string group_name(const ConfigurationValue& value) {
    return value.text(1, kMaxTextCharacters);
}

std::string resource_name(const ConfigurationValue& value) {
    return value.text(1, kMaxTextCharacters);
}

ResourceType resource_type(const ConfigurationValue& value) {
    return value.one_of(kResourceTypes);
}

std::string_view to_string(ResourceType type) {
    return name_of(kResourceTypes, type);
}

std::string resource_address(const ConfigurationValue& value, ResourceType type) {
    return value.checked(canonical_address(type, value.text(type == ResourceType::kInternet ? 0 : 1, 253)));
}

std::string address_description(const ConfigurationValue& value) {
    return value.text(1, 512);
}

IpStack ip_stack(const ConfigurationValue& value, ResourceType type) {
    if (type != ResourceType::kDns) {
        value.fail("is for resources of type dns only");
    }
    return value.one_of(kIpStacks);
}

std::string_view to_string(IpStack stack) {
    return name_of(kIpStacks, stack);
}

std::vector<ResourceFilter> filters(const ConfigurationValue& value) {
    std::vector<ResourceFilter> parsed;
    for (const auto& item : value.items()) {
        parsed.push_back(filter(item));
    }
    return parsed;
}

std::string_view to_string(FilterProtocol protocol) {
    return name_of(kProtocols, protocol);
}

std::string policy_description(const ConfigurationValue& value) {
    return value.text(1, 1024);
}

}  // namespace culvert::portal::fields
