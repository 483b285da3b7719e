// The part of the storage that administrators change.

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

#include <boost/json.hpp>

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"
#include "culvert/portal/policy_condition_fields.h"

namespace culvert::portal_server {
namespace {

namespace json = boost::json;
using portal::StorageError;

/// Names of an enumeration in the database.
template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<portal::ActorType, 4> kActorTypes = {{{portal::ActorType::kUser, "account_user"},
                                                      {portal::ActorType::kAdminUser, "account_admin_user"},
                                                      {portal::ActorType::kServiceAccount, "service_account"},
                                                      {portal::ActorType::kApiClient, "api_client"}}};
constexpr Names<portal::ResourceType, 5> kResourceTypes = {
    {{portal::ResourceType::kDns, "dns"},
     {portal::ResourceType::kCidr, "cidr"},
     {portal::ResourceType::kIp, "ip"},
     {portal::ResourceType::kInternet, "internet"},
     {portal::ResourceType::kStaticDevicePool, "static_device_pool"}}};
constexpr Names<portal::IpStack, 3> kIpStacks = {{{portal::IpStack::kDual, "dual"},
                                                  {portal::IpStack::kIpv4Only, "ipv4_only"},
                                                  {portal::IpStack::kIpv6Only, "ipv6_only"}}};
constexpr Names<portal::FilterProtocol, 3> kProtocols = {{{portal::FilterProtocol::kTcp, "tcp"},
                                                          {portal::FilterProtocol::kUdp, "udp"},
                                                          {portal::FilterProtocol::kIcmp, "icmp"}}};

template <typename Enum, std::size_t N>
std::string_view to_name(const Names<Enum, N>& names, Enum value) {
    return std::ranges::find(names, value, &std::pair<Enum, std::string_view>::first)->second;
}

template <typename Enum, std::size_t N>
Enum from_name(const Names<Enum, N>& names, std::string_view text) {
    const auto found = std::ranges::find(names, text, &std::pair<Enum, std::string_view>::second);
    if (found == names.end()) {
        throw damaged("a type");
    }
    return found->first;
}

std::string write_urls(const std::vector<std::string>& urls) {
    return json::serialize(json::array(urls.begin(), urls.end()));
}

std::vector<std::string> read_urls(const std::string& text) {
    std::vector<std::string> urls;
    const auto list = json::parse(text);
    for (const auto& item : list.as_array()) {
        urls.emplace_back(item.as_string().data(), item.as_string().size());
    }
    return urls;
}

std::string write_servers(const std::vector<net::SocketAddress>& servers) {
    json::array list;
    for (const auto& server : servers) {
        list.emplace_back(server.to_string());
    }
    return json::serialize(list);
}

std::vector<net::SocketAddress> read_servers(const std::string& text) {
    std::vector<net::SocketAddress> servers;
    const auto list = json::parse(text);
    for (const auto& item : list.as_array()) {
        const auto server = net::SocketAddress::parse({item.as_string().data(), item.as_string().size()});
        if (!server) {
            throw damaged("a DNS server");
        }
        servers.push_back(*server);
    }
    return servers;
}

std::string write_filters(const std::vector<portal::ResourceFilter>& filters) {
    json::array list;
    for (const auto& filter : filters) {
        json::array ports;
        for (const auto& range : filter.ports) {
            ports.emplace_back(json::array{range.first, range.last});
        }
        const auto protocol = to_name(kProtocols, filter.protocol);
        list.emplace_back(json::object{{"protocol", json::string_view{protocol.data(), protocol.size()}},
                                       {"ports", std::move(ports)}});
    }
    return json::serialize(list);
}

std::vector<portal::ResourceFilter> read_filters(const std::string& text) {
    std::vector<portal::ResourceFilter> filters;
    const auto list = json::parse(text);
    for (const auto& item : list.as_array()) {
        const auto& protocol = item.as_object().at("protocol").as_string();
        portal::ResourceFilter filter{from_name(kProtocols, {protocol.data(), protocol.size()}), {}};
        for (const auto& range : item.as_object().at("ports").as_array()) {
            filter.ports.push_back(
                {range.as_array().at(0).to_number<std::uint16_t>(), range.as_array().at(1).to_number<std::uint16_t>()});
        }
        filters.push_back(std::move(filter));
    }
    return filters;
}

std::string write_flow_logging(const portal::FlowLogging& logging) {
    return json::serialize(json::object{{"api_url", logging.api_url},
                                        {"upload_interval_secs", logging.upload_interval.count()},
                                        {"upload_batch_size", logging.upload_batch_size},
                                        {"retention_days", logging.retention.count()},
                                        {"max_records", logging.max_records}});
}

/// What is not there is as it is at first.
portal::FlowLogging read_flow_logging(bool is_on, const std::string& text) {
    portal::FlowLogging logging{.is_on = is_on, .api_url = {}};
    const auto value = json::parse(text);
    for (const auto& [key, member] : value.as_object()) {
        if (key == "api_url") {
            logging.api_url = std::string{member.as_string()};
        } else if (key == "upload_interval_secs") {
            logging.upload_interval = std::chrono::seconds{member.to_number<std::int64_t>()};
        } else if (key == "upload_batch_size") {
            logging.upload_batch_size = member.to_number<std::uint32_t>();
        } else if (key == "retention_days") {
            logging.retention = std::chrono::days{member.to_number<std::int32_t>()};
        } else if (key == "max_records") {
            logging.max_records = member.to_number<std::uint64_t>();
        }
    }
    return logging;
}

/// Several statements as one, inside of a transaction or not: undone unless release() is reached.
class Savepoint {
public:
    explicit Savepoint(Database& database) : database_{database} { database_.run("SAVEPOINT several"); }
    ~Savepoint() {
        try {
            if (!is_released_) {
                database_.run("ROLLBACK TO several; RELEASE several");
            }
        } catch (const StorageError&) {
            // SQLite has rolled back by itself after some failures; the first failure is the one to report.
        }
    }
    Savepoint(const Savepoint&) = delete;
    Savepoint& operator=(const Savepoint&) = delete;

    void release() {
        database_.run("RELEASE several");
        is_released_ = true;
    }

private:
    Database& database_;
    bool is_released_ = false;
};

}  // namespace

portal::Directory SqliteStorage::load_directory() try {
    // One snapshot: another process may commit between two of the queries.
    const Savepoint snapshot{database_};

    portal::Directory directory;
    {
        auto row = database_.prepare(
            "SELECT name, slug, search_domain, upstream_dns, upstream_doh, logs_flows, flow_logging,"
            " client_session_secs FROM accounts WHERE id = ?");
        row.bind(account_id_);
        if (!row.step()) {
            throw StorageError{"the database holds no account; restore a backup"};
        }
        directory.account = {.id = *AccountId::parse(account_id_),
                             .name = row.text(0),
                             .slug = row.text(1),
                             .search_domain = row.optional_text(2),
                             .upstream_dns = read_servers(row.text(3)),
                             .upstream_doh = read_urls(row.text(4)),
                             .flow_logging = read_flow_logging(row.integer(5) != 0, row.text(6)),
                             .client_session_lifetime = std::chrono::seconds{row.integer(7)}};
    }
    for (auto row = database_.prepare("SELECT id, name FROM sites"); row.step();) {
        const auto id = read_id<SiteId>(row, 0);
        directory.sites.emplace(id, portal::Site{id, row.text(1)});
    }
    for (auto row = database_.prepare("SELECT id, type, name, email, is_disabled FROM actors"); row.step();) {
        const auto id = read_id<portal::ActorId>(row, 0);
        directory.actors.emplace(id, portal::Actor{id, from_name(kActorTypes, row.text(1)), row.text(2),
                                                   row.optional_text(3), row.integer(4) != 0});
    }
    for (auto row = database_.prepare("SELECT id, name FROM groups"); row.step();) {
        const auto id = read_id<portal::GroupId>(row, 0);
        directory.groups.emplace(id, portal::Group{id, row.text(1)});
    }
    for (auto row = database_.prepare("SELECT id, actor_id, group_id FROM memberships"); row.step();) {
        const auto id = read_id<portal::MembershipId>(row, 0);
        directory.memberships.emplace(
            id, portal::Membership{id, read_id<portal::ActorId>(row, 1), read_id<portal::GroupId>(row, 2)});
    }
    for (auto row =
             database_.prepare("SELECT id, type, name, address, address_description, ip_stack, filters FROM resources");
         row.step();) {
        const auto id = read_id<ResourceId>(row, 0);
        directory.resources.emplace(id, portal::Resource{.id = id,
                                                         .type = from_name(kResourceTypes, row.text(1)),
                                                         .name = row.text(2),
                                                         .address = row.text(3),
                                                         .address_description = row.optional_text(4),
                                                         .ip_stack = row.is_null(5) ? portal::IpStack::kDual
                                                                                    : from_name(kIpStacks, row.text(5)),
                                                         .filters = read_filters(row.text(6)),
                                                         .sites = {},
                                                         .members = {}});
    }
    for (auto row = database_.prepare("SELECT resource_id, site_id FROM resource_sites ORDER BY resource_id, site_id");
         row.step();) {
        directory.resources.at(read_id<ResourceId>(row, 0)).sites.push_back(read_id<SiteId>(row, 1));
    }
    for (auto row = database_.prepare("SELECT resource_id, actor_id, external_id FROM pool_members"
                                      " ORDER BY resource_id, actor_id, external_id");
         row.step();) {
        directory.resources.at(read_id<ResourceId>(row, 0))
            .members.push_back({read_id<portal::ActorId>(row, 1), row.text(2)});
    }
    for (auto row = database_.prepare("SELECT actor_id, external_id, id, ipv4, ipv6 FROM clients"
                                      " WHERE revoked_at IS NULL AND EXISTS (SELECT 1 FROM pool_members WHERE"
                                      " pool_members.actor_id = clients.actor_id"
                                      " AND pool_members.external_id = clients.external_id)");
         row.step();) {
        directory.pool_clients.emplace(
            portal::PoolMember{read_id<portal::ActorId>(row, 0), row.text(1)},
            portal::PoolClient{read_id<ClientId>(row, 2), read_address(row, 3), read_address(row, 4)});
    }
    for (auto row = database_.prepare(
             "SELECT id, group_id, resource_id, conditions, is_disabled, logs_flows, description FROM policies");
         row.step();) {
        const auto id = read_id<portal::PolicyId>(row, 0);
        directory.policies.emplace(id, portal::Policy{id, read_id<portal::GroupId>(row, 1), read_id<ResourceId>(row, 2),
                                                      portal::conditions_from_text(row.text(3)), row.integer(4) != 0,
                                                      row.integer(5) != 0, row.optional_text(6)});
    }
    return directory;
} catch (const boost::system::system_error&) {
    throw damaged("a list");
} catch (const std::logic_error&) {  // of the JSON library: another type than expected, a missing member
    throw damaged("a list");
}

void SqliteStorage::put(const portal::Account& account) {
    auto statement = database_.prepare(
        "UPDATE accounts SET name = ?, slug = ?, search_domain = ?, upstream_dns = ?, upstream_doh = ?, logs_flows = ?,"
        " flow_logging = ?, client_session_secs = ? WHERE id = ?");
    statement.bind(account.name)
        .bind(account.slug)
        .bind(account.search_domain)
        .bind(write_servers(account.upstream_dns))
        .bind(write_urls(account.upstream_doh))
        .bind(std::int64_t{account.flow_logging.is_on})
        .bind(write_flow_logging(account.flow_logging))
        .bind(std::int64_t{account.client_session_lifetime.count()})
        .bind(account.id.to_string());
    database_.must_execute(std::move(statement));
}

void SqliteStorage::put(const portal::Site& site) {
    auto statement = database_.prepare(
        "INSERT INTO sites (id, account_id, name) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = "
        "excluded.name");
    statement.bind(site.id.to_string()).bind(account_id_).bind(site.name);
    database_.must_execute(std::move(statement));
}

void SqliteStorage::put(const portal::Actor& actor) {
    auto statement = database_.prepare(
        "INSERT INTO actors (id, account_id, type, name, email, is_disabled) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET type = excluded.type, name = excluded.name, email = excluded.email,"
        " is_disabled = excluded.is_disabled");
    statement.bind(actor.id.to_string())
        .bind(account_id_)
        .bind(to_name(kActorTypes, actor.type))
        .bind(actor.name)
        .bind(actor.email)
        .bind(std::int64_t{actor.is_disabled});
    database_.must_execute(std::move(statement));
    if (actor.is_disabled) {
        erase_row("DELETE FROM tokens WHERE actor_id = ?", actor.id.uuid());
        erase_browser_sessions(actor.id, "");
    }
}

void SqliteStorage::put(const portal::Group& group) {
    auto statement = database_.prepare(
        "INSERT INTO groups (id, account_id, name) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = "
        "excluded.name");
    statement.bind(group.id.to_string()).bind(account_id_).bind(group.name);
    database_.must_execute(std::move(statement));
}

void SqliteStorage::put(const portal::Membership& membership) {
    auto statement = database_.prepare(
        "INSERT INTO memberships (id, account_id, actor_id, group_id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET actor_id = excluded.actor_id, group_id = excluded.group_id");
    statement.bind(membership.id.to_string())
        .bind(account_id_)
        .bind(membership.actor.to_string())
        .bind(membership.group.to_string());
    database_.must_execute(std::move(statement));
}

void SqliteStorage::put(const portal::Resource& resource) {
    using portal::ResourceType;
    Savepoint savepoint{database_};
    auto statement = database_.prepare(
        "INSERT INTO resources (id, account_id, type, name, address, address_description, ip_stack, filters)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET type = excluded.type, name = excluded.name,"
        " address = excluded.address, address_description = excluded.address_description,"
        " ip_stack = excluded.ip_stack, filters = excluded.filters");
    const auto id = resource.id.to_string();
    statement.bind(id).bind(account_id_).bind(to_name(kResourceTypes, resource.type)).bind(resource.name);
    const bool has_address =
        resource.type != ResourceType::kInternet && resource.type != ResourceType::kStaticDevicePool;
    has_address ? statement.bind(resource.address) : statement.bind_null();
    statement.bind(resource.address_description);
    resource.type == ResourceType::kDns ? statement.bind(to_name(kIpStacks, resource.ip_stack)) : statement.bind_null();
    statement.bind(write_filters(resource.filters));
    database_.must_execute(std::move(statement));

    std::set<std::string> missing;
    for (const auto& site : resource.sites) {
        missing.insert(site.to_string());
    }
    std::vector<std::string> surplus;
    auto row = database_.prepare("SELECT site_id FROM resource_sites WHERE resource_id = ?");
    row.bind(id);
    while (row.step()) {
        if (missing.erase(row.text(0)) == 0) {
            surplus.push_back(row.text(0));
        }
    }
    for (const auto& site : surplus) {
        auto remove = database_.prepare("DELETE FROM resource_sites WHERE resource_id = ? AND site_id = ?");
        remove.bind(id).bind(site);
        database_.must_execute(std::move(remove));
    }
    for (const auto& site : missing) {
        auto add = database_.prepare("INSERT INTO resource_sites (resource_id, site_id) VALUES (?, ?)");
        add.bind(id).bind(site);
        database_.must_execute(std::move(add));
    }
    put_members(id, {resource.members.begin(), resource.members.end()});
    savepoint.release();
}

void SqliteStorage::put_members(const std::string& pool, std::set<portal::PoolMember> missing) {
    std::vector<portal::PoolMember> surplus;
    auto row = database_.prepare("SELECT actor_id, external_id FROM pool_members WHERE resource_id = ?");
    row.bind(pool);
    while (row.step()) {
        portal::PoolMember member{read_id<portal::ActorId>(row, 0), row.text(1)};
        if (missing.erase(member) == 0) {
            surplus.push_back(std::move(member));
        }
    }
    const auto change = [&](std::string_view sql, const portal::PoolMember& member) {
        auto statement = database_.prepare(sql);
        statement.bind(pool).bind(member.actor.to_string()).bind(member.external_id);
        database_.must_execute(std::move(statement));
    };
    for (const auto& member : surplus) {
        change("DELETE FROM pool_members WHERE resource_id = ? AND actor_id = ? AND external_id = ?", member);
    }
    for (const auto& member : missing) {
        change("INSERT INTO pool_members (resource_id, actor_id, external_id) VALUES (?, ?, ?)", member);
    }
}

void SqliteStorage::put(const portal::Policy& policy) {
    auto statement = database_.prepare(
        "INSERT INTO policies (id, account_id, group_id, resource_id, conditions, is_disabled, logs_flows,"
        " description) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET group_id = excluded.group_id, resource_id = excluded.resource_id,"
        " conditions = excluded.conditions, is_disabled = excluded.is_disabled, logs_flows = excluded.logs_flows,"
        " description = excluded.description");
    statement.bind(policy.id.to_string())
        .bind(account_id_)
        .bind(policy.group.to_string())
        .bind(policy.resource.to_string())
        .bind(portal::to_text(policy.conditions))
        .bind(std::int64_t{policy.is_disabled})
        .bind(std::int64_t{policy.logs_flows})
        .bind(policy.description);
    database_.must_execute(std::move(statement));
}

portal::Dependents SqliteStorage::find_dependents(const SiteId& id) {
    return find_dependents("SELECT id FROM tokens WHERE site_id = ? ORDER BY id",
                           "SELECT name FROM gateways WHERE site_id = ? ORDER BY name", id.uuid());
}
portal::Dependents SqliteStorage::find_dependents(const portal::ActorId& id) {
    return find_dependents("SELECT id FROM tokens WHERE actor_id = ? ORDER BY id",
                           "SELECT name FROM clients WHERE actor_id = ? ORDER BY name", id.uuid());
}

portal::Dependents SqliteStorage::find_dependents(std::string_view tokens_sql, std::string_view devices_sql,
                                                  const Uuid& id) {
    portal::Dependents found;
    auto token = database_.prepare(tokens_sql);
    token.bind(id.to_string());
    while (token.step()) {
        found.tokens.push_back(read_id<portal::TokenId>(token, 0));
    }
    auto device = database_.prepare(devices_sql);
    device.bind(id.to_string());
    while (device.step()) {
        found.devices.push_back(device.text(0));
    }
    return found;
}

void SqliteStorage::erase(const SiteId& id) {
    erase_row("DELETE FROM sites WHERE id = ?", id.uuid());
}
void SqliteStorage::erase(const portal::ActorId& id) {
    erase_row("DELETE FROM actors WHERE id = ?", id.uuid());
}
void SqliteStorage::erase(const portal::GroupId& id) {
    erase_row("DELETE FROM groups WHERE id = ?", id.uuid());
}
void SqliteStorage::erase(const portal::MembershipId& id) {
    erase_row("DELETE FROM memberships WHERE id = ?", id.uuid());
}
void SqliteStorage::erase(const ResourceId& id) {
    erase_row("DELETE FROM resources WHERE id = ?", id.uuid());
}
void SqliteStorage::erase(const portal::PolicyId& id) {
    erase_row("DELETE FROM policies WHERE id = ?", id.uuid());
}

}  // namespace culvert::portal_server
