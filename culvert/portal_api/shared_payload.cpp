#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "culvert/base/base64.h"
#include "culvert/portal_api/doh_url.h"
#include "culvert/portal_api/payload.h"

namespace culvert::portal_api {
namespace {

/// A DNS name in presentation form; the final dot may be missing.
bool is_domain(std::string_view text) {
    if (text.ends_with('.')) {
        text.remove_suffix(1);
    }
    if (text.empty() || text.size() > 253) {
        return false;
    }
    std::size_t label = 0;
    for (const char c : text) {
        if (c == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
        } else if (c <= ' ' || c > '~' || c == '\\' || ++label > 63) {
            return false;
        }
    }
    return label > 0;
}

std::optional<Relay> read_relay(const ObjectReader& reader) {
    const auto type = reader.string("type");
    Relay relay;
    relay.id = reader.id<RelayId>("id");
    relay.addr = reader.socket_address("addr");
    if (type == "stun") {
        return std::nullopt;  // only relays are of use
    }
    if (type != "turn") {
        reader.problem().report({&reader.place(), "type"}, "unknown kind of relay");
        return std::nullopt;
    }
    relay.username = reader.string("username");
    relay.password = reader.string("password");
    relay.expires_at = reader.timestamp("expires_at");
    return relay;
}

std::string_view to_text(FilterProtocol protocol) {
    switch (protocol) {
        case FilterProtocol::kTcp:
            return "tcp";
        case FilterProtocol::kUdp:
            return "udp";
        case FilterProtocol::kIcmp:
            break;
    }
    return "icmp";
}

}  // namespace

Interface read_interface(const ObjectReader& reader) {
    Interface interface;
    interface.ipv4 = reader.address("ipv4", net::Family::kIpv4);
    interface.ipv6 = reader.address("ipv6", net::Family::kIpv6);
    reader.each_if_present("upstream_dns", [&](const json::value& value, const Place& place) {
        const ObjectReader server{value, place, reader.problem()};
        if (server.string("protocol") != "ip_port") {
            reader.problem().report({&place, "protocol"}, "unknown protocol");
        }
        interface.upstream_dns.push_back({server.socket_address("address")});
    });
    reader.each_if_present("upstream_do53", [&](const json::value& value, const Place& place) {
        interface.upstream_do53.push_back(ObjectReader{value, place, reader.problem()}.address("ip"));
    });
    reader.each_if_present("upstream_doh", [&](const json::value& value, const Place& place) {
        const ObjectReader server{value, place, reader.problem()};
        interface.upstream_doh.push_back(server.string("url"));
        if (!is_doh_url(interface.upstream_doh.back())) {
            reader.problem().report({&place, "url"}, "expected an https URL without query");
        }
    });
    interface.search_domain = reader.optional_string("search_domain");
    if (interface.search_domain && !is_domain(*interface.search_domain)) {
        reader.problem().report({&reader.place(), "search_domain"}, "expected a domain");
    }
    return interface;
}

std::optional<FlowLogSettings> read_flow_log_settings(const ObjectReader& message) {
    if (!message.find("flow_logs")) {
        return std::nullopt;
    }
    const auto settings = message.object("flow_logs");
    return FlowLogSettings{.api_url = settings.string("api_url"),
                           .upload_interval_secs = settings.count("upload_interval_secs"),
                           .upload_batch_size = settings.count("upload_batch_size")};
}

std::vector<Relay> read_relays(const ObjectReader& reader, std::string_view key, bool may_be_absent) {
    std::vector<Relay> relays;
    const auto read = [&](const json::value& value, const Place& place) {
        if (auto relay = read_relay(ObjectReader{value, place, reader.problem()})) {
            relays.push_back(*std::move(relay));
        }
    };
    if (may_be_absent) {
        reader.each_if_present(key, read);
    } else {
        reader.each(key, read);
    }
    return relays;
}

RelaysPresence read_relays_presence(const ObjectReader& reader) {
    return {.disconnected_ids = reader.ids<RelayId>("disconnected_ids"),
            .connected = read_relays(reader, "connected", false)};
}

IceCredentials read_ice_credentials(const ObjectReader& reader) {
    return {.username = reader.string("username"), .password = reader.string("password")};
}

std::optional<Filter> read_filter(const json::value& value, const Place& place, Problem& problem) {
    const ObjectReader reader{value, place, problem};
    const auto protocol = reader.string("protocol");
    if (protocol == "icmp") {
        return Filter{.protocol = FilterProtocol::kIcmp};
    }
    if (protocol != "tcp" && protocol != "udp") {
        problem.report({&place, "protocol"}, "unknown protocol");
        return std::nullopt;
    }
    return Filter{.protocol = protocol == "tcp" ? FilterProtocol::kTcp : FilterProtocol::kUdp,
                  .port_range_start = reader.port_or("port_range_start", 0),
                  .port_range_end = reader.port_or("port_range_end", 65535)};
}

void add_flow_log_settings(json::object& message, const std::optional<FlowLogSettings>& settings) {
    if (settings) {
        message["flow_logs"] = json::object{{"api_url", settings->api_url},
                                            {"upload_interval_secs", settings->upload_interval_secs},
                                            {"upload_batch_size", settings->upload_batch_size}};
    }
}

void add_ingest_token(json::object& message, const std::optional<std::string>& token) {
    if (token) {
        message["flow_logs_ingest_token"] = *token;
    }
}

std::vector<Authorization> read_authorizations(const ObjectReader& message) {
    std::vector<Authorization> authorizations;
    message.each_if_present("authorizations", [&](const json::value& value, const Place& place) {
        const ObjectReader authorization{value, place, message.problem()};
        authorizations.push_back({.client_id = authorization.id<ClientId>("client_id"),
                                  .resource_id = authorization.id<ResourceId>("resource_id"),
                                  .expires_at = authorization.timestamp("expires_at")});
    });
    return authorizations;
}

json::array to_json(const std::vector<Authorization>& authorizations) {
    json::array array;
    for (const auto& authorization : authorizations) {
        array.push_back(json::object{{"client_id", authorization.client_id.to_string()},
                                     {"resource_id", authorization.resource_id.to_string()},
                                     {"expires_at", to_json(authorization.expires_at)}});
    }
    return array;
}

json::array to_json(const std::vector<Relay>& relays) {
    json::array array;
    array.reserve(relays.size());
    for (const auto& relay : relays) {
        array.push_back(json::object{{"id", relay.id.to_string()},
                                     {"type", "turn"},
                                     {"addr", relay.addr.to_string()},
                                     {"username", relay.username},
                                     {"password", relay.password},
                                     {"expires_at", to_json(relay.expires_at)}});
    }
    return array;
}

json::array to_json(const std::vector<Filter>& filters) {
    json::array array;
    array.reserve(filters.size());
    for (const auto& filter : filters) {
        json::object object{{"protocol", to_text(filter.protocol)}};
        const bool all_ports = filter.port_range_start == 0 && filter.port_range_end == 65535;
        if (filter.protocol != FilterProtocol::kIcmp && !all_ports) {
            object["port_range_start"] = filter.port_range_start;
            object["port_range_end"] = filter.port_range_end;
        }
        array.push_back(std::move(object));
    }
    return array;
}

json::value to_json(const IceCredentials& credentials) {
    return {{"username", credentials.username}, {"password", credentials.password}};
}

json::value to_json(const RelaysPresence& message) {
    return {{"disconnected_ids", to_json(message.disconnected_ids)}, {"connected", to_json(message.connected)}};
}

json::value to_json(const std::optional<std::string>& text) {
    return text ? json::value(*text) : json::value(nullptr);
}

json::array to_json(const std::vector<std::string>& texts) {
    json::array array;
    array.reserve(texts.size());
    for (const auto& text : texts) {
        array.emplace_back(text);
    }
    return array;
}

std::int64_t to_json(UnixSeconds time) {
    return time.time_since_epoch().count();
}

std::string to_json(const crypto::PresharedKey& key) {
    return to_base64(key.reveal());
}

}  // namespace culvert::portal_api
