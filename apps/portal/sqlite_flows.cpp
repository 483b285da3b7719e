// The part of the storage that holds flows.

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {

bool SqliteStorage::insert(const portal::Flow& flow) {
    // Whoever decided on the flow may have done so by a configuration that another process has just changed.
    auto statement = database_.prepare(
        "INSERT INTO flows (id, account_id, client_id, gateway_id, resource_id, policy_id, membership_id, token_id,"
        " client_remote_ip, client_user_agent, gateway_remote_ip, expires_at)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 WHERE EXISTS (SELECT 1 FROM policies"
        " JOIN memberships ON memberships.group_id = policies.group_id"
        " JOIN clients ON clients.actor_id = memberships.actor_id"
        " JOIN resource_sites ON resource_sites.resource_id = policies.resource_id"
        " JOIN gateways ON gateways.site_id = resource_sites.site_id"
        " WHERE policies.id = ?6 AND NOT policies.is_disabled AND policies.conditions = '[]'"
        " AND policies.resource_id = ?5 AND memberships.id = ?7 AND clients.id = ?3 AND gateways.id = ?4"
        " AND clients.revoked_at IS NULL AND gateways.revoked_at IS NULL)");
    statement.bind(flow.id.to_string())
        .bind(account_id_)
        .bind(flow.client.to_string())
        .bind(flow.gateway.to_string())
        .bind(flow.resource.to_string())
        .bind(flow.policy.to_string())
        .bind(flow.membership.to_string())
        .bind(flow.token.to_string())
        .bind(flow.client_remote_ip.to_string())
        .bind(flow.client_user_agent)
        .bind(flow.gateway_remote_ip.to_string())
        .bind(to_integer(flow.expires_at));
    if (!statement.execute() || database_.changed_rows() == 0) {
        return false;
    }
    auto superseded = database_.prepare(
        "DELETE FROM flows WHERE client_id = ? AND gateway_id = ? AND resource_id = ? AND policy_id = ?"
        " AND membership_id = ? AND token_id = ? AND expires_at <= ? AND id <> ?");
    superseded.bind(flow.client.to_string())
        .bind(flow.gateway.to_string())
        .bind(flow.resource.to_string())
        .bind(flow.policy.to_string())
        .bind(flow.membership.to_string())
        .bind(flow.token.to_string())
        .bind(to_integer(flow.expires_at))
        .bind(flow.id.to_string());
    database_.must_execute(std::move(superseded));
    return true;
}

std::vector<portal::Flow> SqliteStorage::find_flows(const GatewayId& gateway) {
    auto row = database_.prepare(
        "SELECT id, client_id, gateway_id, resource_id, policy_id, membership_id, token_id, client_remote_ip,"
        " client_user_agent, gateway_remote_ip, expires_at FROM flows WHERE gateway_id = ? ORDER BY id");
    row.bind(gateway.to_string());
    std::vector<portal::Flow> flows;
    while (row.step()) {
        flows.push_back({.id = read_id<portal::FlowId>(row, 0),
                         .client = read_id<ClientId>(row, 1),
                         .gateway = gateway,
                         .resource = read_id<ResourceId>(row, 3),
                         .policy = read_id<portal::PolicyId>(row, 4),
                         .membership = read_id<portal::MembershipId>(row, 5),
                         .token = read_id<portal::TokenId>(row, 6),
                         .client_remote_ip = read_address(row, 7),
                         .client_user_agent = row.text(8),
                         .gateway_remote_ip = read_address(row, 9),
                         .expires_at = read_time(row, 10)});
    }
    return flows;
}

bool SqliteStorage::erase_flows_except(const ClientId& client, const std::set<ResourceId>& reachable) {
    auto row = database_.prepare(
        "SELECT resource_id FROM flows WHERE client_id = ?1"
        " UNION SELECT resource_id FROM device_flows WHERE client_id = ?1");
    row.bind(client.to_string());
    std::vector<std::string> lost;
    while (row.step()) {
        if (!reachable.contains(read_id<ResourceId>(row, 0))) {
            lost.push_back(row.text(0));
        }
    }
    for (const auto& resource : lost) {
        for (const auto* sql : {"DELETE FROM flows WHERE client_id = ? AND resource_id = ?",
                                "DELETE FROM device_flows WHERE client_id = ? AND resource_id = ?"}) {
            auto statement = database_.prepare(sql);
            statement.bind(client.to_string()).bind(resource);
            database_.must_execute(std::move(statement));
        }
    }
    return !lost.empty();
}

void SqliteStorage::erase_expired_flows(UnixSeconds now) {
    for (const auto* sql :
         {"DELETE FROM flows WHERE expires_at <= ?", "DELETE FROM device_flows WHERE expires_at <= ?"}) {
        auto statement = database_.prepare(sql);
        statement.bind(to_integer(now));
        database_.must_execute(std::move(statement));
    }
}

}  // namespace culvert::portal_server
