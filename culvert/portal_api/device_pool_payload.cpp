#include "culvert/portal_api/device_pool_payload.h"

#include <array>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "culvert/observability/log.h"

namespace culvert::portal_api {
namespace {

using portal_api::to_json;

constexpr log::Logger kLog{"portal_api"};

constexpr std::string_view kPoolType = "static_device_pool";

constexpr std::array kRefusals{std::pair{std::string_view{"forbidden"}, DeviceAccessRefusal::kForbidden},
                               std::pair{std::string_view{"offline"}, DeviceAccessRefusal::kOffline},
                               std::pair{std::string_view{"version_mismatch"}, DeviceAccessRefusal::kVersionMismatch},
                               std::pair{std::string_view{"ambiguous_address"}, DeviceAccessRefusal::kAmbiguousAddress},
                               std::pair{std::string_view{"missing_address"}, DeviceAccessRefusal::kMissingAddress},
                               std::pair{std::string_view{"invalid_address"}, DeviceAccessRefusal::kInvalidAddress}};

/// What cannot be read is an error: without it a list would permit more than was meant.
std::vector<Filter> read_filters(const ObjectReader& reader) {
    std::vector<Filter> filters;
    reader.each_if_present("filters", [&](const json::value& value, const Place& place) {
        if (const auto filter = read_filter(value, place, reader.problem())) {
            filters.push_back(*filter);
        }
    });
    return filters;
}

/// An address that is written as a network of one, or plainly.
net::IpAddress read_host(const ObjectReader& reader, std::string_view key, net::Family family) {
    const auto text = reader.string(key);
    auto address = net::IpAddress::parse(text);
    if (const auto network = net::IpNetwork::parse(text);
        network && *network == net::IpNetwork::host(network->address())) {
        address = network->address();
    }
    if (!address || address->family() != family) {
        reader.problem().report({&reader.place(), key}, "expected an address of one host");
        return net::IpAddress::unspecified(family);
    }
    return *address;
}

PoolGrant read_grant(const ObjectReader& reader) {
    return {.id = reader.id<ResourceId>("id"), .filters = read_filters(reader)};
}

json::value grant_to_json(const PoolGrant& grant) {
    return {{"id", grant.id.to_string()}, {"filters", to_json(grant.filters)}};
}

IceRole read_ice_role(const ObjectReader& reader) {
    const auto role = reader.string("ice_role");
    if (role != "controlling" && role != "controlled") {
        reader.problem().report({&reader.place(), "ice_role"}, "expected \"controlling\" or \"controlled\"");
    }
    return role == "controlling" ? IceRole::kControlling : IceRole::kControlled;
}

DeviceAccessAuthorized read_authorized(const ObjectReader& reader) {
    DeviceAccessAuthorized message{
        .client_id = reader.id<ClientId>("client_id"),
        .client_name = reader.string("client_name"),
        .client_public_key = reader.public_key("client_public_key"),
        .client_ipv4 = reader.address("client_ipv4", net::Family::kIpv4),
        .client_ipv6 = reader.address("client_ipv6", net::Family::kIpv6),
        .preshared_key = reader.preshared_key("preshared_key"),
        .ice_role = read_ice_role(reader),
        .local_ice_credentials = read_ice_credentials(reader.object("local_ice_credentials")),
        .remote_ice_credentials = read_ice_credentials(reader.object("remote_ice_credentials")),
        .expires_at = reader.optional_timestamp("expires_at"),
        .flow_logs_ingest_token = reader.optional_string("flow_logs_ingest_token")};
    if (const auto* resource = reader.find("resource"); resource != nullptr && !resource->is_null()) {
        message.resource = read_grant(reader.object("resource"));
    }
    return message;
}

/// What was asked for may have been no address at all.
std::optional<net::IpAddress> read_asked_for(const ObjectReader& reader, std::string_view key) {
    const auto text = reader.optional_string(key);
    return text ? net::IpAddress::parse(*text) : std::nullopt;
}

DeviceAccessDenied read_denied(const ObjectReader& reader) {
    DeviceAccessDenied message{.ipv4 = read_asked_for(reader, "ipv4"), .ipv6 = read_asked_for(reader, "ipv6")};
    const auto reason = reader.string("reason");
    for (const auto& [name, refusal] : kRefusals) {
        if (reason == name) {
            message.reason = refusal;
        }
    }
    return message;
}

template <typename Message>
Message read_candidates(const ObjectReader& reader) {
    return {.client_id = reader.id<ClientId>("client_id"), .candidates = reader.strings("candidates")};
}

template <typename Message>
json::value candidates_to_json(const Message& message) {
    return {{"client_id", message.client_id.to_string()}, {"candidates", to_json(message.candidates)}};
}

json::value to_json(const std::optional<net::IpAddress>& address) {
    return address ? json::value(address->to_string()) : json::value(nullptr);
}

}  // namespace

std::string_view to_string(DeviceAccessRefusal reason) {
    for (const auto& [name, refusal] : kRefusals) {
        if (refusal == reason) {
            return name;
        }
    }
    return "unknown";
}

bool is_device_pool(const json::value& resource) {
    const auto* object = resource.if_object();
    const auto* type = object == nullptr ? nullptr : object->if_contains("type");
    const auto* text = type == nullptr ? nullptr : type->if_string();
    return text != nullptr && as_text(*text) == kPoolType;
}

std::optional<DevicePool> read_device_pool(const json::value& resource, const Place& place) {
    Problem problem;
    const ObjectReader reader{resource, place, problem};
    DevicePool pool{.id = reader.id<ResourceId>("id"),
                    .name = reader.string("name"),
                    .filters = read_filters(reader),
                    .devices = {}};
    reader.each_if_present("devices", [&](const json::value& value, const Place& device_place) {
        const ObjectReader device{value, device_place, problem};
        pool.devices.push_back({.client_id = device.id<ClientId>(device.find("client_id") ? "client_id" : "id"),
                                .ipv4 = read_host(device, "ipv4", net::Family::kIpv4),
                                .ipv6 = read_host(device, "ipv6", net::Family::kIpv6)});
    });
    if (!problem.is_none()) {
        kLog.warn("Skipped malformed device pool", log::field("problem", problem.text()));
        return std::nullopt;
    }
    return pool;
}

json::value to_json(const DevicePool& pool) {
    json::array devices;
    for (const auto& device : pool.devices) {
        devices.push_back(json::object{{"client_id", device.client_id.to_string()},
                                       {"ipv4", net::IpNetwork::host(device.ipv4).to_string()},
                                       {"ipv6", net::IpNetwork::host(device.ipv6).to_string()}});
    }
    return {{"id", pool.id.to_string()},
            {"type", json::string_view{kPoolType.data(), kPoolType.size()}},
            {"name", pool.name},
            {"filters", to_json(pool.filters)},
            {"devices", std::move(devices)}};
}

std::optional<ToClient> read_device_message(std::string_view event, const ObjectReader& reader) {
    if (event == "client_device_access_authorized") {
        return read_authorized(reader);
    }
    if (event == "client_device_access_denied") {
        return read_denied(reader);
    }
    if (event == "client_ice_candidates") {
        return read_candidates<ClientIceCandidates>(reader);
    }
    if (event == "invalidate_client_ice_candidates") {
        return read_candidates<InvalidateClientIceCandidates>(reader);
    }
    if (event == "client_ice_candidate_error") {
        return ClientIceCandidateError{reader.id<ClientId>("client_id"), reader.string("reason")};
    }
    if (event == "reject_access") {
        return RejectAccess{reader.id<ClientId>("client_id"), reader.id<ResourceId>("resource_id")};
    }
    if (event == "resource_filters_updated") {
        return ResourceFiltersUpdated{read_grant(reader)};
    }
    return std::nullopt;
}

EncodedMessage encode_device_message(const DeviceAccessAuthorized& message) {
    json::object object{{"client_id", message.client_id.to_string()},
                        {"client_name", message.client_name},
                        {"client_public_key", message.client_public_key.to_string()},
                        {"client_ipv4", message.client_ipv4.to_string()},
                        {"client_ipv6", message.client_ipv6.to_string()},
                        {"preshared_key", to_json(message.preshared_key)},
                        {"ice_role", message.ice_role == IceRole::kControlling ? "controlling" : "controlled"},
                        {"local_ice_credentials", to_json(message.local_ice_credentials)},
                        {"remote_ice_credentials", to_json(message.remote_ice_credentials)}};
    if (message.resource) {
        object["resource"] = grant_to_json(*message.resource);
        object["expires_at"] = message.expires_at ? json::value(to_json(*message.expires_at)) : json::value(nullptr);
    }
    add_ingest_token(object, message.flow_logs_ingest_token);
    return {"client_device_access_authorized", std::move(object)};
}

EncodedMessage encode_device_message(const DeviceAccessDenied& message) {
    const auto reason = to_string(message.reason);
    return {"client_device_access_denied",
            {{"client_id", message.client_id ? json::value(message.client_id->to_string()) : json::value(nullptr)},
             {"ipv4", to_json(message.ipv4)},
             {"ipv6", to_json(message.ipv6)},
             {"reason", json::string_view{reason.data(), reason.size()}}}};
}

EncodedMessage encode_device_message(const ClientIceCandidates& message) {
    return {"client_ice_candidates", candidates_to_json(message)};
}

EncodedMessage encode_device_message(const InvalidateClientIceCandidates& message) {
    return {"invalidate_client_ice_candidates", candidates_to_json(message)};
}

EncodedMessage encode_device_message(const ClientIceCandidateError& message) {
    return {"client_ice_candidate_error", {{"client_id", message.client_id.to_string()}, {"reason", message.reason}}};
}

EncodedMessage encode_device_message(const RejectAccess& message) {
    return {"reject_access",
            {{"client_id", message.client_id.to_string()}, {"resource_id", message.resource_id.to_string()}}};
}

EncodedMessage encode_device_message(const ResourceFiltersUpdated& message) {
    return {"resource_filters_updated", grant_to_json(message.resource)};
}

}  // namespace culvert::portal_api
