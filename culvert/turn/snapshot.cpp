// The state of this folder's objects as text.

#include "culvert/base/snapshot.h"
#include "culvert/crypto/fingerprint.h"
#include "culvert/stun/message.h"
#include "culvert/turn/allocation.h"
#include "culvert/turn/server/server.h"

namespace culvert::turn {

void ChannelBindings::describe(Snapshot& out) const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (const auto& entry = entries_[i]; entry.exists) {
            out.line("channel")
                .field("number", kFirstChannel + i)
                .field("peer", entry.binding.peer)
                .field("since", entry.binding.since)
                .field("bound", entry.binding.is_bound)
                .field("received", entry.binding.has_received)
                .field("refresh_reported", entry.refresh_reported);
        }
    }
}

void Allocation::describe(Snapshot& out) const {
    out.line("allocation")
        .field("v4", server_.v4)
        .field("v6", server_.v6)
        .field("active", active_socket_)
        .field("username", credentials_ ? std::optional{credentials_->username} : std::nullopt)
        .field("key", crypto::fingerprint(key_))
        .field("nonce", nonce_ ? std::optional{crypto::fingerprint(as_bytes(*nonce_))} : std::nullopt)
        .field("protocol_failure", has_protocol_failure_)
        .field("transmits", transmits_.size())
        .field("events", candidates_.events());
    due_.describe(out);
    out.nested([&] {
        for (const auto& candidate : candidates()) {
            out.line("candidate")
                .field("kind", candidate.kind)
                .field("address", candidate.address)
                .field("base", candidate.base);
        }
        for (const auto& request : requests_) {
            out.line("request")
                .field("method", method_of(request.kind))
                .field("to", request.destination)
                .field("id", to_hex(request.id))
                .field("next", request.timer.next());
        }
        for (const auto& peer : buffered_binds_) {
            out.line("buffered_bind").field("peer", peer);
        }
        channels_.describe(out);
    });
}

void AllocationTable::describe(Snapshot& out) const {
    for (const auto& [client, allocation] : allocations_) {
        out.line("allocation")
            .field("client", client)
            .field("user", allocation.user)
            .field("port", allocation.port)
            .field("v4", allocation.has_v4)
            .field("v6", allocation.has_v6)
            .field("expires", allocation.expires_at)
            .field("heard", allocation.heard_at)
            .nested([&] {
                for (const auto& [number, channel] : allocation.channels) {
                    out.line("channel")
                        .field("number", number)
                        .field("peer", channel.peer)
                        .field("expires", channel.expires_at)
                        .field("bound", channel.is_bound);
                }
            });
    }
    for (const auto& [port, until] : blocked_ports_) {
        out.line("blocked_port").field("port", port).field("until", until);
    }
    out.line("flows").field("to_peer", to_peer_.size()).field("to_client", to_client_.size());
    out.line("deadlines")
        .field("allocations", allocation_deadlines_.size())
        .field("channels", channel_deadlines_.size());
}

std::string Server::debug_snapshot(Instant now) const {
    Snapshot out{now};
    out.line("server").field("commands", commands_.size()).field("remembered", replays_.requests());
    out.nested([&] {
        table_.describe(out);
        if (pending_allocate_) {
            out.line("pending_allocate")
                .field("client", pending_allocate_->client)
                .field("port", pending_allocate_->port)
                .field("attempts", pending_allocate_->attempts);
        }
    });
    return out.text();
}

}  // namespace culvert::turn
