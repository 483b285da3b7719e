#pragma once

#include <map>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "culvert/admin/surroundings.h"
#include "culvert/portal/storage.h"

/// What the API shows of each kind of object.
namespace culvert::admin {

[[nodiscard]] boost::json::object encode(const portal::Account& account);
[[nodiscard]] boost::json::object encode(const portal::Policy& policy, const portal::Directory& directory);
[[nodiscard]] boost::json::object encode(const portal::Resource& resource, const portal::Directory& directory);
[[nodiscard]] boost::json::object encode(const portal::KnownToken& token);
[[nodiscard]] boost::json::object encode(const portal::KnownRelay& relay, Surroundings& surroundings);
[[nodiscard]] boost::json::object encode(const portal::KnownClient& client, Surroundings& surroundings);
[[nodiscard]] boost::json::object encode(const portal::KnownGateway& gateway, Surroundings& surroundings);
[[nodiscard]] boost::json::object encode(const portal::AuditEntry& entry);

/// How many of a site's gateways there are, and are online.
struct GatewayCount {
    std::size_t all = 0;
    std::size_t online = 0;
};
using GatewayCounts = std::map<SiteId, GatewayCount>;
[[nodiscard]] GatewayCounts count_gateways(portal::Storage& storage, Surroundings& surroundings);
[[nodiscard]] boost::json::object encode(const portal::Site& site, const portal::Directory& directory,
                                         const GatewayCounts& counts);
[[nodiscard]] boost::json::object encode(const portal::Group& group, const portal::Directory& directory);
[[nodiscard]] boost::json::object encode(const portal::Actor& actor, const portal::Directory& directory,
                                         const std::map<portal::ActorId, std::size_t>& clients);

/// `{"id": ..., "name": ...}`, or null if there is no such row.
template <typename Id, typename Row>
[[nodiscard]] boost::json::value named(const std::map<Id, Row>& rows, const Id& id) {
    const auto row = rows.find(id);
    return row == rows.end() ? boost::json::value(nullptr)
                             : boost::json::object{{"id", id.to_string()}, {"name", row->second.name}};
}

}  // namespace culvert::admin
