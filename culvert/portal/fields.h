#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/portal/configuration_value.h"
#include "culvert/portal/model.h"

/// What administrators may enter in each field, wherever they enter it: a file for `apply`, the REST API, the pages.
/// Source: spec/portal-product.md section 1. Each throws ConfigurationProblem.
namespace culvert::portal::fields {

[[nodiscard]] std::string account_name(const ConfigurationValue& value);
/// In small letters.
[[nodiscard]] std::string slug(const ConfigurationValue& value);
/// Seconds: an hour to 90 days (spec/newer-dialect.md section 14).
[[nodiscard]] std::chrono::seconds client_session_lifetime(const ConfigurationValue& value);
[[nodiscard]] std::string search_domain(const ConfigurationValue& value);
[[nodiscard]] std::vector<net::SocketAddress> upstream_dns(const ConfigurationValue& value);
[[nodiscard]] std::vector<std::string> upstream_doh(const ConfigurationValue& value);
/// What is wrong with servers of both kinds.
inline constexpr const char* kNeverAsked =
    "would never be asked, since there are \"upstream\" servers; leave out one of the two";

[[nodiscard]] std::string site_name(const ConfigurationValue& value);

[[nodiscard]] std::string actor_name(const ConfigurationValue& value);
[[nodiscard]] ActorType actor_type(const ConfigurationValue& value);
[[nodiscard]] std::string actor_email(const ConfigurationValue& value);
[[nodiscard]] std::string_view to_string(ActorType type);

[[nodiscard]] std::string group_name(const ConfigurationValue& value);

[[nodiscard]] std::string resource_name(const ConfigurationValue& value);
[[nodiscard]] ResourceType resource_type(const ConfigurationValue& value);
[[nodiscard]] std::string_view to_string(ResourceType type);
/// Canonical.
[[nodiscard]] std::string resource_address(const ConfigurationValue& value, ResourceType type);
[[nodiscard]] std::string address_description(const ConfigurationValue& value);
[[nodiscard]] IpStack ip_stack(const ConfigurationValue& value, ResourceType type);
[[nodiscard]] std::string_view to_string(IpStack stack);
[[nodiscard]] std::vector<ResourceFilter> filters(const ConfigurationValue& value);
[[nodiscard]] std::string_view to_string(FilterProtocol protocol);

[[nodiscard]] std::string policy_description(const ConfigurationValue& value);

}  // namespace culvert::portal::fields
