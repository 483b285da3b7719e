#include "apps/portal/listing.h"

#include <algorithm>
#include <chrono>

#include <boost/json.hpp>

#include "apps/portal/table.h"
#include "culvert/base/printable.h"

namespace culvert::portal_server {
namespace {

namespace json = boost::json;

using Row = TableRow;

/// To the minute, which is what a person looks for.
std::string to_short(UnixSeconds time) {
    auto text = to_rfc3339(time).substr(0, 16);
    text[10] = ' ';
    return text;
}

std::string to_short(const std::optional<UnixSeconds>& time, std::string_view otherwise) {
    return time ? to_short(*time) : std::string{otherwise};
}

std::string owner_of(const std::optional<std::string>& actor, const std::optional<std::string>& site) {
    return actor ? "actor " + *actor : site ? "site " + *site : "";
}

std::string join_addresses(const DeviceListing& device) {
    return device.ipv4.value_or("") + (device.ipv4 && device.ipv6 ? " " : "") + device.ipv6.value_or("");
}

// Parentheses, because in braces boost::json::value takes anything for a list.
json::value to_value(std::string_view text) {
    return json::value(json::string_view{text.data(), text.size()});
}
json::value or_null(const std::optional<std::string>& text) {
    return text ? to_value(*text) : json::value(nullptr);
}
json::value or_null(const std::optional<UnixSeconds>& time) {
    return time ? to_value(to_rfc3339(*time)) : json::value(nullptr);
}

json::object to_object(const TokenListing& token) {
    return {{"id", to_value(token.id.to_string())},
            {"kind", to_value(kind_name(token.type))},
            {"actor", or_null(token.actor)},
            {"site", or_null(token.site)},
            {"created_at", to_value(to_rfc3339(token.created_at))},
            {"expires_at", or_null(token.expires_at)},
            {"last_seen_at", or_null(token.last_seen_at)},
            {"last_seen_remote_ip", or_null(token.last_seen_remote_ip)},
            {"last_seen_user_agent", or_null(token.last_seen_user_agent)}};
}

json::object to_object(const DeviceListing& device) {
    const auto token = device.token ? std::optional{device.token->to_string()} : std::nullopt;
    return {{"id", to_value(device.id.to_string())},
            {"kind", to_value(kind_name(device.kind))},
            {"name", to_value(device.name)},
            {"external_id", or_null(device.external_id)},
            {"actor", or_null(device.actor)},
            {"site", or_null(device.site)},
            {"ipv4", or_null(device.ipv4)},
            {"ipv6", or_null(device.ipv6)},
            {"token_id", or_null(token)},
            {"created_at", to_value(to_rfc3339(device.created_at))},
            {"last_seen_at", to_value(to_rfc3339(device.last_seen_at))},
            {"last_seen_remote_ip", to_value(device.last_seen_remote_ip)},
            {"last_seen_version", to_value(device.last_seen_version)},
            {"revoked_at", or_null(device.revoked_at)}};
}

template <typename Listing>
std::string to_array(const std::vector<Listing>& listings) {
    std::string out = "[";
    for (const auto& listing : listings) {
        // JSON needs no escape for some characters that a terminal acts on. They can only stand inside strings.
        out += (out.size() > 1 ? ",\n " : "\n ") + escape_unprintable(json::serialize(to_object(listing)));
    }
    return out + (listings.empty() ? "]\n" : "\n]\n");
}

}  // namespace

std::string to_table(const std::vector<TokenListing>& tokens, UnixSeconds now) {
    std::vector<Row> rows{{"ID", "KIND", "FOR", "CREATED (UTC)", "EXPIRES (UTC)", "LAST SEEN (UTC)", "FROM"}};
    for (const auto& token : tokens) {
        const bool is_expired = token.expires_at && *token.expires_at <= now;
        rows.push_back({token.id.to_string(), std::string{kind_name(token.type)}, owner_of(token.actor, token.site),
                        to_short(token.created_at), is_expired ? "expired" : to_short(token.expires_at, "never"),
                        to_short(token.last_seen_at, "never"), token.last_seen_remote_ip.value_or("")});
    }
    return align(std::move(rows));
}

std::string to_table(const std::vector<DeviceListing>& devices) {
    std::vector<Row> rows{
        {"ID", "KIND", "NAME", "OF", "STATUS", "ADDRESSES", "CREATED (UTC)", "LAST SEEN (UTC)", "FROM", "VERSION"}};
    for (const auto& device : devices) {
        rows.push_back({device.id.to_string(), std::string{kind_name(device.kind)}, device.name,
                        owner_of(device.actor, device.site), device.revoked_at ? "revoked" : "active",
                        join_addresses(device), to_short(device.created_at), to_short(device.last_seen_at),
                        device.last_seen_remote_ip, device.last_seen_version});
    }
    return align(std::move(rows));
}

std::string to_json(const std::vector<TokenListing>& tokens) {
    return to_array(tokens);
}

std::string to_json(const std::vector<DeviceListing>& devices) {
    return to_array(devices);
}

std::string_view kind_name(portal::TokenType type) {
    switch (type) {
        case portal::TokenType::kClient:
            return "client";
        case portal::TokenType::kGateway:
            return "gateway";
        case portal::TokenType::kRelay:
            return "relay";
        case portal::TokenType::kApi:
            break;
    }
    return "api";
}

std::string_view kind_name(DeviceKind kind) {
    switch (kind) {
        case DeviceKind::kClient:
            return "client";
        case DeviceKind::kGateway:
            return "gateway";
        case DeviceKind::kRelay:
            break;
    }
    return "relay";
}

}  // namespace culvert::portal_server
