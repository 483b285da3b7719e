// The part of the storage that holds what devices report of flows.

#include <algorithm>

#include <boost/json.hpp>

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {
namespace {

namespace json = boost::json;
using portal::FlowLogEntry;
using portal::FlowLogged;
using portal_api::FlowOuter;
using portal_api::FlowProtocol;

constexpr std::string_view kFlowLogColumns =
    "role, initiator_id, responder_id, authorization_id, policy_id, resource_id, resource_name, actor_id, actor_name,"
    " actor_email, protocol, source, destination, domain, started_at, outers, ended_at, last_packet, rx_packets,"
    " tx_packets, rx_bytes, tx_bytes";

std::int64_t to_microseconds(WallMicroseconds time) {
    return time.time_since_epoch().count();
}
WallMicroseconds read_microseconds(const Statement& row, int column) {
    return WallMicroseconds{std::chrono::microseconds{row.integer(column)}};
}
std::uint64_t read_counter(const Statement& row, int column) {
    return static_cast<std::uint64_t>(row.integer(column));
}

net::SocketAddress read_socket(std::string_view text) {
    const auto socket = net::SocketAddress::parse(text);
    if (!socket) {
        throw damaged("an address of a flow");
    }
    return *socket;
}

std::string write_outers(const std::vector<FlowOuter>& outers) {
    json::array list;
    for (const auto& outer : outers) {
        list.emplace_back(json::array{outer.source ? outer.source->to_string() : "", outer.destination.to_string(),
                                      to_microseconds(outer.activated_at)});
    }
    return json::serialize(list);
}

std::vector<FlowOuter> read_outers(const std::string& text) try {
    std::vector<FlowOuter> outers;
    const auto list = json::parse(text);
    for (const auto& item : list.as_array()) {
        const auto& fields = item.as_array();
        const auto source = std::string{fields.at(0).as_string()};
        outers.push_back({source.empty() ? std::nullopt : std::optional{read_socket(source)},
                          read_socket(std::string{fields.at(1).as_string()}),
                          WallMicroseconds{std::chrono::microseconds{fields.at(2).as_int64()}}});
    }
    return outers;
} catch (const boost::system::system_error&) {
    throw damaged("paths of a flow");
} catch (const std::logic_error&) {  // of the JSON library: another type than expected, a missing member
    throw damaged("paths of a flow");
}

/// Eight parameters of a WHERE clause or the like.
Statement& bind_identity(Statement& statement, const std::string& account, const FlowLogEntry& entry) {
    return statement.bind(account)
        .bind(to_microseconds(entry.record.started_at))
        .bind(entry.initiator.to_string())
        .bind(to_string(entry.role))
        .bind(to_string(entry.record.protocol))
        .bind(entry.record.inner_source.to_string())
        .bind(entry.record.inner_destination.to_string())
        .bind(entry.resource.to_string());
}

/// Six parameters.
Statement& bind_end(Statement& statement, const std::optional<portal_api::FlowEnd>& end) {
    if (!end) {
        for (int i = 0; i < 6; ++i) {
            statement.bind_null();
        }
        return statement;
    }
    return statement.bind(to_microseconds(end->ended_at))
        .bind(to_microseconds(end->last_packet))
        .bind(static_cast<std::int64_t>(end->rx_packets))
        .bind(static_cast<std::int64_t>(end->tx_packets))
        .bind(static_cast<std::int64_t>(end->rx_bytes))
        .bind(static_cast<std::int64_t>(end->tx_bytes));
}

FlowLogEntry read_entry(const Statement& row) {
    const auto role = portal_api::parse_flow_role(row.text(0));
    if (!role) {
        throw damaged("a role in a flow");
    }
    FlowLogEntry entry{.record = {.protocol = row.text(10) == "udp" ? FlowProtocol::kUdp : FlowProtocol::kTcp,
                                  .inner_source = read_socket(row.text(11)),
                                  .inner_destination = read_socket(row.text(12)),
                                  .domain = row.optional_text(13),
                                  .outers = read_outers(row.text(15)),
                                  .started_at = read_microseconds(row, 14),
                                  .end = {}},
                       .role = *role,
                       .initiator = read_id<Uuid>(row, 1),
                       .responder = read_id<Uuid>(row, 2),
                       .authorization = read_id<Uuid>(row, 3),
                       .policy = read_id<portal::PolicyId>(row, 4),
                       .resource = read_id<ResourceId>(row, 5),
                       .resource_name = row.text(6),
                       .actor = read_id<portal::ActorId>(row, 7),
                       .actor_name = row.text(8),
                       .actor_email = row.optional_text(9)};
    if (!row.is_null(16)) {
        entry.record.end = portal_api::FlowEnd{.ended_at = read_microseconds(row, 16),
                                               .last_packet = read_microseconds(row, 17),
                                               .rx_packets = read_counter(row, 18),
                                               .tx_packets = read_counter(row, 19),
                                               .rx_bytes = read_counter(row, 20),
                                               .tx_bytes = read_counter(row, 21)};
    }
    return entry;
}

}  // namespace

portal_api::IngestKey SqliteStorage::ingest_key(Rng& rng) {
    // Another process may be the first as well: what counts is what is there afterwards.
    const auto fresh = portal_api::IngestKey::random(rng);
    auto generate = database_.prepare("UPDATE accounts SET ingest_key = ? WHERE id = ? AND ingest_key IS NULL");
    generate.bind(ByteSpan{fresh.reveal()}).bind(account_id_);
    auto row = database_.prepare("SELECT ingest_key FROM accounts WHERE id = ? AND ingest_key IS NOT NULL");
    row.bind(account_id_);
    if (!row.step()) {
        database_.must_execute(std::move(generate));
        auto again = database_.prepare("SELECT ingest_key FROM accounts WHERE id = ?");
        again.bind(account_id_);
        if (!again.step()) {
            throw damaged("an account");
        }
        return read_secret(again, 0);
    }
    return read_secret(row, 0);
}

FlowLogged SqliteStorage::put(const FlowLogEntry& entry, UnixSeconds now) {
    auto known = database_.prepare(
        "SELECT number, ended_at FROM flow_logs WHERE account_id = ? AND started_at = ? AND initiator_id = ?"
        " AND role = ? AND protocol = ? AND source = ? AND destination = ? AND resource_id = ?");
    bind_identity(known, account_id_, entry);
    if (known.step()) {
        if (!known.is_null(1) || !entry.record.end) {
            return FlowLogged::kKnown;
        }
        auto close = database_.prepare(
            "UPDATE flow_logs SET outers = ?, ended_at = ?, last_packet = ?, rx_packets = ?, tx_packets = ?,"
            " rx_bytes = ?, tx_bytes = ? WHERE number = ?");
        close.bind(write_outers(entry.record.outers));
        bind_end(close, entry.record.end).bind(known.integer(0));
        database_.must_execute(std::move(close));
        return FlowLogged::kClosed;
    }
    auto add = database_.prepare(
        "INSERT INTO flow_logs (account_id, started_at, initiator_id, role, protocol, source, destination,"
        " resource_id, responder_id, authorization_id, policy_id, resource_name, actor_id, actor_name, actor_email,"
        " domain, outers, ended_at, last_packet, rx_packets, tx_packets, rx_bytes, tx_bytes, received_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    bind_identity(add, account_id_, entry)
        .bind(entry.responder.to_string())
        .bind(entry.authorization.to_string())
        .bind(entry.policy.to_string())
        .bind(entry.resource_name)
        .bind(entry.actor.to_string())
        .bind(entry.actor_name)
        .bind(entry.actor_email)
        .bind(entry.record.domain)
        .bind(write_outers(entry.record.outers));
    bind_end(add, entry.record.end).bind(to_integer(now));
    database_.must_execute(std::move(add));
    return FlowLogged::kNew;
}

void SqliteStorage::erase_flow_logs(UnixSeconds before, std::uint64_t max_records, std::size_t limit) {
    auto old = database_.prepare(
        "DELETE FROM flow_logs WHERE number IN"
        " (SELECT number FROM flow_logs WHERE received_at < ? ORDER BY number LIMIT ?)");
    old.bind(to_integer(before)).bind(static_cast<std::int64_t>(limit));
    database_.must_execute(std::move(old));
    auto surplus = database_.prepare(
        "DELETE FROM flow_logs WHERE number IN (SELECT number FROM flow_logs"
        " WHERE number <= (SELECT max(number) FROM flow_logs) - ? ORDER BY number LIMIT ?)");
    surplus.bind(static_cast<std::int64_t>(max_records)).bind(static_cast<std::int64_t>(limit));
    database_.must_execute(std::move(surplus));
}

std::vector<FlowLogEntry> SqliteStorage::find_flow_logs(const portal::FlowLogQuery& query) {
    const auto to_text = [](const auto& id) { return id ? std::optional{id->to_string()} : std::nullopt; };
    auto row = database_.prepare("SELECT " + std::string{kFlowLogColumns} +
                                 " FROM flow_logs WHERE account_id = ?1 AND started_at >= ?2"
                                 " AND (?3 IS NULL OR initiator_id = ?3) AND (?4 IS NULL OR responder_id = ?4)"
                                 " AND (?5 IS NULL OR resource_id = ?5)"
                                 " ORDER BY started_at DESC, number DESC LIMIT ?6");
    row.bind(account_id_)
        .bind(query.since ? to_microseconds(*query.since) : std::int64_t{0})
        .bind(to_text(query.initiator))
        .bind(to_text(query.responder))
        .bind(to_text(query.resource))
        .bind(static_cast<std::int64_t>(query.limit));
    std::vector<FlowLogEntry> found;
    while (row.step()) {
        found.push_back(read_entry(row));
    }
    std::ranges::reverse(found);
    return found;
}

}  // namespace culvert::portal_server
