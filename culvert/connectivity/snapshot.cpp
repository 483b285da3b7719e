// The state of a node, and as text.

#include "culvert/base/snapshot.h"
#include "culvert/connectivity/connection.h"
#include "culvert/connectivity/identity.h"
#include "culvert/connectivity/node.h"

namespace culvert::connectivity {

ConnectionState Connection::state() const {
    return {created_at_, socket_, agent_.local_credentials().username, agent_.remote_credentials().username,
            tunnel_.state()};
}

void Connection::describe(Snapshot& out) const {
    out.line("connection")
        .field("id", id_)
        .field("index", index_)
        .field("phase", phase_)
        .field("failure", failure_ ? std::optional{to_text(*failure_)} : std::nullopt)
        .field("relay", relay_)
        .field("created", created_at_)
        .field("last_activity", last_activity_)
        .field("proactive_handshake", proactive_handshake_at_)
        .field("established", is_established_)
        .field("buffered_datagrams", buffered_datagrams_.size())
        .field("buffered_packets", buffered_packets_.size());
    due_.describe(out);
    out.nested([&] {
        if (socket_) {
            out.line("socket")
                .field("source", socket_->source)
                .field("destination", socket_->destination)
                .field("relayed", socket_->is_relayed);
        }
        agent_.describe(out);
        tunnel_.describe(out);
    });
}

void RecentlyDisconnected::describe(Snapshot& out, Instant now) const {
    for (const auto& entry : entries_) {
        if (now - entry.at < kRecentlyDisconnectedMemory) {
            out.line("recently_disconnected").field("id", entry.id).field("index", entry.index).field("at", entry.at);
        }
    }
}

void Outbox::describe(Snapshot& out) const {
    out.line("outbox").field("transmits", transmits_.size()).field("events", events_.size());
}

ConnectionStates Node::state() const {
    ConnectionStates states;
    for (const auto& [id, connection] : connections_) {
        states.emplace(id, connection->state());
    }
    return states;
}

std::string Node::debug_snapshot(Instant now) const {
    Snapshot out{now};
    out.line("node")
        .field("role", role_)
        .field("public_key", identity_->keys.public_key())
        .field("indices", indices_.size())
        .field("ufrags", by_ufrag_.size())
        .field("orphans", has_orphans_);
    out.nested([&] {
        for (const auto& [id, allocation] : relays_.all()) {
            out.line("relay").field("id", id).nested([&] { allocation.describe(out); });
        }
        for (const auto& [id, connection] : connections_) {
            connection->describe(out);
        }
        recently_disconnected_.describe(out, now);
        outbox_.describe(out);
    });
    return out.text();
}

}  // namespace culvert::connectivity
