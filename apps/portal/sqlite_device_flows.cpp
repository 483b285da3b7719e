// The part of the storage that holds flows between clients.

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {

bool SqliteStorage::insert(const portal::DeviceFlow& flow) {
    // Whoever decided on the flow may have done so by a configuration that another process has just changed.
    auto statement = database_.prepare(
        "INSERT INTO device_flows (id, account_id, client_id, device_id, resource_id, policy_id, membership_id,"
        " token_id, client_remote_ip, client_user_agent, device_remote_ip, expires_at)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 WHERE EXISTS (SELECT 1 FROM policies"
        " JOIN memberships ON memberships.group_id = policies.group_id"
        " JOIN clients ON clients.actor_id = memberships.actor_id"
        " JOIN pool_members ON pool_members.resource_id = policies.resource_id"
        " JOIN clients AS devices ON devices.actor_id = pool_members.actor_id"
        " AND devices.external_id = pool_members.external_id"
        " WHERE policies.id = ?6 AND NOT policies.is_disabled AND policies.conditions = '[]'"
        " AND policies.resource_id = ?5 AND memberships.id = ?7 AND clients.id = ?3 AND devices.id = ?4"
        " AND clients.revoked_at IS NULL AND devices.revoked_at IS NULL)");
    statement.bind(flow.id.to_string())
        .bind(account_id_)
        .bind(flow.client.to_string())
        .bind(flow.device.to_string())
        .bind(flow.resource.to_string())
        .bind(flow.policy.to_string())
        .bind(flow.membership.to_string())
        .bind(flow.token.to_string())
        .bind(flow.client_remote_ip.to_string())
        .bind(flow.client_user_agent)
        .bind(flow.device_remote_ip.to_string())
        .bind(to_integer(flow.expires_at));
    if (!statement.execute() || database_.changed_rows() == 0) {
        return false;
    }
    auto superseded = database_.prepare(
        "DELETE FROM device_flows WHERE client_id = ? AND device_id = ? AND resource_id = ? AND policy_id = ?"
        " AND membership_id = ? AND token_id = ? AND expires_at <= ? AND id <> ?");
    superseded.bind(flow.client.to_string())
        .bind(flow.device.to_string())
        .bind(flow.resource.to_string())
        .bind(flow.policy.to_string())
        .bind(flow.membership.to_string())
        .bind(flow.token.to_string())
        .bind(to_integer(flow.expires_at))
        .bind(flow.id.to_string());
    database_.must_execute(std::move(superseded));
    return true;
}

std::vector<portal::DeviceFlow> SqliteStorage::find_device_flows(const ClientId& device) {
    auto row = database_.prepare(
        "SELECT id, client_id, resource_id, policy_id, membership_id, token_id, client_remote_ip, client_user_agent,"
        " device_remote_ip, expires_at FROM device_flows WHERE device_id = ? ORDER BY id");
    row.bind(device.to_string());
    std::vector<portal::DeviceFlow> flows;
    while (row.step()) {
        flows.push_back({.id = read_id<portal::FlowId>(row, 0),
                         .client = read_id<ClientId>(row, 1),
                         .device = device,
                         .resource = read_id<ResourceId>(row, 2),
                         .policy = read_id<portal::PolicyId>(row, 3),
                         .membership = read_id<portal::MembershipId>(row, 4),
                         .token = read_id<portal::TokenId>(row, 5),
                         .client_remote_ip = read_address(row, 6),
                         .client_user_agent = row.text(7),
                         .device_remote_ip = read_address(row, 8),
                         .expires_at = read_time(row, 9)});
    }
    return flows;
}

}  // namespace culvert::portal_server
