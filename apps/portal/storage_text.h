#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/portal/policy_condition_fields.h"
#include "culvert/portal/storage.h"

/// What can be seen of a storage, as text: whatever differs shows.
namespace culvert::portal {

template <typename T>
std::string text_of(const T& value) {
    return value.to_string();
}
inline std::string text_of(const std::string& text) {
    return '"' + text + '"';
}
inline std::string text_of(bool value) {
    return value ? "yes" : "no";
}
inline std::string text_of(UnixSeconds time) {
    return std::to_string(time.time_since_epoch().count());
}
// Rows that are found as optionals and lists.
inline std::string text_of(const ResourceFilter& filter);
inline std::string text_of(const Token& row);
inline std::string text_of(const Client& row);
inline std::string text_of(const Flow& row);
inline std::string text_of(const DeviceFlow& row);
inline std::string text_of(const PoolMember& row);

template <typename T>
std::string text_of(const std::optional<T>& value) {
    return value ? text_of(*value) : "none";
}
template <typename T>
std::string text_of(const std::vector<T>& values) {
    std::string text = "[";
    for (const auto& value : values) {
        text += text_of(value) + ' ';
    }
    return text + ']';
}
inline std::string text_of(const LastSeen& seen) {
    return text_of(seen.user_agent) + ' ' + text_of(seen.version) + ' ' + text_of(seen.remote_ip) + ' ' +
           text_of(seen.at);
}
inline std::string text_of(const ResourceFilter& filter) {
    auto text = std::to_string(static_cast<int>(filter.protocol)) + ':';
    for (const auto& range : filter.ports) {
        text += std::to_string(range.first) + '-' + std::to_string(range.last) + ',';
    }
    return text;
}

template <typename... T>
std::string line(std::string_view kind, const T&... values) {
    std::string text{kind};
    ((text += ' ' + text_of(values)), ...);
    return text + '\n';
}

inline std::string text_of(const Account& row) {
    return line("account", row.id, row.name, row.slug, row.search_domain, row.upstream_dns, row.upstream_doh,
                row.flow_logging.is_on, row.flow_logging.api_url);
}
inline std::string text_of(const Site& row) {
    return line("site", row.id, row.name);
}
inline std::string text_of(const Actor& row) {
    return line("actor", row.id, std::to_string(static_cast<int>(row.type)), row.name, row.email);
}
inline std::string text_of(const Group& row) {
    return line("group", row.id, row.name);
}
inline std::string text_of(const Membership& row) {
    return line("membership", row.id, row.actor, row.group);
}
inline std::string text_of(const Resource& row) {
    return line("resource", row.id, std::to_string(static_cast<int>(row.type)), row.name, row.address,
                row.address_description, std::to_string(static_cast<int>(row.ip_stack)), row.filters, row.sites,
                row.members);
}
inline std::string text_of(const Policy& row) {
    return line("policy", row.id, row.group, row.resource, to_text(row.conditions), row.is_disabled, row.logs_flows,
                row.description);
}
inline std::string text_of(const Token& row) {
    return line("token", row.id, std::string{to_string(row.type)}, row.account, row.actor, row.site, row.secret_salt,
                row.secret_hash, row.expires_at);
}
inline std::string text_of(const Client& row) {
    return line("client", row.id, row.actor, row.external_id, row.name, row.public_key, to_hex(row.psk_base.reveal()),
                row.ipv4, row.ipv6, row.device_serial, row.device_uuid, row.identifier_for_vendor,
                row.firebase_installation_id, row.last_seen, row.verified_at);
}
inline std::string text_of(const Gateway& row) {
    return line("gateway", row.id, row.site, row.external_id, row.name, row.public_key, to_hex(row.psk_base.reveal()),
                row.ipv4, row.ipv6, row.last_seen);
}
inline std::string text_of(const RelayServer& row) {
    return line("relay", row.id, row.name, row.ipv4, row.ipv6, std::to_string(row.port), row.last_seen);
}
inline std::string text_of(const Flow& row) {
    return line("flow", row.id, row.client, row.gateway, row.resource, row.policy, row.membership, row.token,
                row.client_remote_ip, row.client_user_agent, row.gateway_remote_ip, row.expires_at);
}
inline std::string text_of(const DeviceFlow& row) {
    return line("device flow", row.id, row.client, row.device, row.resource, row.policy, row.membership, row.token,
                row.client_remote_ip, row.client_user_agent, row.device_remote_ip, row.expires_at);
}
inline std::string text_of(const PoolMember& row) {
    return row.actor.to_string() + '/' + text_of(row.external_id);
}
template <typename T>
std::string text_of(const std::expected<T, RegisterError>& registered) {
    return registered ? text_of(*registered) : "error " + std::to_string(static_cast<int>(registered.error())) + '\n';
}

}  // namespace culvert::portal
