// The part of the storage that holds flows: of clients to gateways, and to other clients.

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"
#include "culvert/portal/policy_condition_fields.h"

namespace culvert::portal_server {
namespace {

constexpr std::array kTables{"flows", "device_flows"};

/// What is done with flows of one kind. `far` names the columns of their far end, `reachable` leads from a policy to
/// those ends that it lets clients reach.
struct FlowStatements {
    FlowStatements(const std::string& table, const std::string& far, const std::string& reachable)
        // Whoever decided on the flow may have done so by a configuration that another process has just changed.
        : insert{"INSERT INTO " + table + " (id, account_id, client_id, " + far +
                 "_id, resource_id, policy_id, membership_id, token_id, client_remote_ip, client_user_agent, " + far +
                 "_remote_ip, expires_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12"
                 " WHERE EXISTS (SELECT 1 FROM policies"
                 " JOIN memberships ON memberships.group_id = policies.group_id"
                 " JOIN clients ON clients.actor_id = memberships.actor_id" +
                 reachable +
                 " WHERE policies.id = ?6 AND NOT policies.is_disabled AND policies.conditions = ?13"
                 " AND policies.resource_id = ?5 AND memberships.id = ?7 AND clients.id = ?3 AND far.id = ?4"
                 " AND clients.revoked_at IS NULL AND far.revoked_at IS NULL)"},
          erase_superseded{"DELETE FROM " + table + " WHERE client_id = ? AND " + far +
                           "_id = ? AND resource_id = ? AND policy_id = ? AND membership_id = ? AND token_id = ?"
                           " AND expires_at <= ? AND id <> ?"},
          find{
              "SELECT id, client_id, resource_id, policy_id, membership_id, token_id, client_remote_ip,"
              " client_user_agent, " +
              far + "_remote_ip, expires_at FROM " + table + " WHERE " + far + "_id = ? ORDER BY id"} {}

    std::string insert;
    std::string erase_superseded;
    std::string find;
};

const FlowStatements& to_gateways() {
    static const FlowStatements kStatements{"flows", "gateway",
                                            " JOIN resource_sites ON resource_sites.resource_id = policies.resource_id"
                                            " JOIN gateways AS far ON far.site_id = resource_sites.site_id"};
    return kStatements;
}

const FlowStatements& to_devices() {
    static const FlowStatements kStatements{"device_flows", "device",
                                            " JOIN pool_members ON pool_members.resource_id = policies.resource_id"
                                            " JOIN clients AS far ON far.actor_id = pool_members.actor_id"
                                            " AND far.external_id = pool_members.external_id"};
    return kStatements;
}

/// `far_id` and `far_remote_ip`: those of the flow.
template <typename Flow>
bool insert_flow(Database& database, std::string_view account, const FlowStatements& statements, const Flow& flow,
                 const portal::PolicyConditions& met, const std::string& far_id, const net::IpAddress& far_remote_ip) {
    auto statement = database.prepare(statements.insert);
    statement.bind(flow.id.to_string())
        .bind(account)
        .bind(flow.client.to_string())
        .bind(far_id)
        .bind(flow.resource.to_string())
        .bind(flow.policy.to_string())
        .bind(flow.membership.to_string())
        .bind(flow.token.to_string())
        .bind(flow.client_remote_ip.to_string())
        .bind(flow.client_user_agent)
        .bind(far_remote_ip.to_string())
        .bind(to_integer(flow.expires_at))
        .bind(portal::to_text(met));
    if (!statement.execute() || database.changed_rows() == 0) {
        return false;
    }
    auto superseded = database.prepare(statements.erase_superseded);
    superseded.bind(flow.client.to_string())
        .bind(far_id)
        .bind(flow.resource.to_string())
        .bind(flow.policy.to_string())
        .bind(flow.membership.to_string())
        .bind(flow.token.to_string())
        .bind(to_integer(flow.expires_at))
        .bind(flow.id.to_string());
    database.must_execute(std::move(superseded));
    return true;
}

/// Without the id of their far end.
template <typename Flow>
std::vector<Flow> find_flows_to(Database& database, const FlowStatements& statements, const std::string& far_id,
                                net::IpAddress Flow::* far_remote_ip) {
    auto row = database.prepare(statements.find);
    row.bind(far_id);
    std::vector<Flow> flows;
    while (row.step()) {
        Flow flow{};
        flow.id = read_id<portal::FlowId>(row, 0);
        flow.client = read_id<ClientId>(row, 1);
        flow.resource = read_id<ResourceId>(row, 2);
        flow.policy = read_id<portal::PolicyId>(row, 3);
        flow.membership = read_id<portal::MembershipId>(row, 4);
        flow.token = read_id<portal::TokenId>(row, 5);
        flow.client_remote_ip = read_address(row, 6);
        flow.client_user_agent = row.text(7);
        flow.*far_remote_ip = read_address(row, 8);
        flow.expires_at = read_time(row, 9);
        flows.push_back(std::move(flow));
    }
    return flows;
}

}  // namespace

bool SqliteStorage::insert(const portal::Flow& flow, const portal::PolicyConditions& met) {
    return insert_flow(database_, account_id_, to_gateways(), flow, met, flow.gateway.to_string(),
                       flow.gateway_remote_ip);
}

bool SqliteStorage::insert(const portal::DeviceFlow& flow, const portal::PolicyConditions& met) {
    return insert_flow(database_, account_id_, to_devices(), flow, met, flow.device.to_string(), flow.device_remote_ip);
}

std::vector<portal::Flow> SqliteStorage::find_flows(const GatewayId& gateway) {
    auto flows = find_flows_to(database_, to_gateways(), gateway.to_string(), &portal::Flow::gateway_remote_ip);
    for (auto& flow : flows) {
        flow.gateway = gateway;
    }
    return flows;
}

std::vector<portal::DeviceFlow> SqliteStorage::find_device_flows(const ClientId& device) {
    auto flows = find_flows_to(database_, to_devices(), device.to_string(), &portal::DeviceFlow::device_remote_ip);
    for (auto& flow : flows) {
        flow.device = device;
    }
    return flows;
}

bool SqliteStorage::erase_flows_except(const ClientId& client, const std::set<portal::PolicyId>& granting) {
    auto row = database_.prepare(
        "SELECT policy_id FROM flows WHERE client_id = ?1"
        " UNION SELECT policy_id FROM device_flows WHERE client_id = ?1");
    row.bind(client.to_string());
    std::vector<std::string> lost;
    while (row.step()) {
        if (!granting.contains(read_id<portal::PolicyId>(row, 0))) {
            lost.push_back(row.text(0));
        }
    }
    for (const auto& policy : lost) {
        for (const std::string table : kTables) {
            auto statement = database_.prepare("DELETE FROM " + table + " WHERE client_id = ? AND policy_id = ?");
            statement.bind(client.to_string()).bind(policy);
            database_.must_execute(std::move(statement));
        }
    }
    return !lost.empty();
}

void SqliteStorage::erase_expired_flows(UnixSeconds now) {
    for (const std::string table : kTables) {
        auto statement = database_.prepare("DELETE FROM " + table + " WHERE expires_at <= ?");
        statement.bind(to_integer(now));
        database_.must_execute(std::move(statement));
    }
}

}  // namespace culvert::portal_server
