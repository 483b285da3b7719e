// Relays and candidates (spec/connectivity.md sections 3.5, 3.6, 5.10, 9.1 and 9.2).

#include <algorithm>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/connectivity/connection.h"
#include "culvert/connectivity/constants.h"
#include "culvert/connectivity/identity.h"
#include "culvert/connectivity/node.h"
#include "culvert/observability/log.h"

namespace culvert::connectivity {
namespace {

constexpr log::Logger kLog{"connectivity"};

bool is_unchanged(const turn::Allocation& allocation, const RelayServer& server) {
    const auto& credentials = allocation.credentials();
    return allocation.server() == turn::RelaySocket{server.v4, server.v6} && credentials &&
           *credentials == turn::LongTermCredentials{server.username, server.password, server.realm};
}

/// What the portal said about it; nullopt if the relay has refused that.
std::optional<RelayServer> description_of(const RelayId& id, const turn::Allocation& allocation) {
    return allocation.credentials().transform([&](const turn::LongTermCredentials& credentials) {
        const auto& [v4, v6] = allocation.server();
        return RelayServer{id, v4, v6, credentials.username, credentials.password, credentials.realm};
    });
}

}  // namespace

void Node::update_relays(std::span<const RelayId> removed, std::span<const RelayServer> listed, Instant now) {
    lost_relays_.keep_only(listed);
    for (const auto& id : removed) {
        lost_relays_.erase(id);
        if (const auto* allocation = relays_.find(id)) {
            kLog.info("Removing relay", log::field("relay", id));
            invalidate_relay(*allocation);
            forget_relay(id);
        }
    }
    for (const auto& server : listed) {
        lost_relays_.erase(server.id);
        auto* known = relays_.find(server.id);
        if (known != nullptr && is_unchanged(*known, server)) {
            if (known->is_suspended()) {
                known->refresh(now);
            }
            continue;
        }
        replace_relay(server, now);
    }
    for (auto& [id, allocation] : relays_.all()) {
        if (std::ranges::find(listed, id, &RelayServer::id) == listed.end()) {
            allocation.refresh(now);
        }
    }
}

void Node::set_local_sockets(std::span<const net::SocketAddress> sockets) {
    host_candidates_.clear();
    for (const auto& socket : sockets) {
        if (const auto candidate = ice::host_candidate(socket);
            candidate && host_candidates_.size() < kMaxHostCandidates) {
            host_candidates_.push_back(*candidate);
        }
    }
    sort_for_signalling(host_candidates_);
}

std::vector<ice::Candidate> Node::seed_candidates(const std::optional<RelayId>& relay) const {
    return has_relays() ? relays_.seed_candidates(relay) : host_candidates_;
}

/// What a relay has shown us goes once a relay has answered, and others have come. But not all relays may have seen it
/// go, so who still knows it will not tell of it again.
void Node::move_host_candidates(Connection& connection, Instant now) {
    auto seeds = seed_candidates(connection.relay());
    std::erase_if(seeds, [&](const ice::Candidate& seed) {
        return seed.kind == ice::CandidateKind::kRelay || !has_address(seed.base.ip);
    });
    connection.restore_local_candidates(seeds, outbox_, now);
    for (const auto& candidate : connection.agent().local_candidates()) {
        if (candidate.kind == ice::CandidateKind::kHost && !has_address(candidate.address.ip) &&
            !relays_.know({turn::GatheredKind::kHost, candidate.address, candidate.address})) {
            connection.remove_local_candidate(candidate, outbox_);
        }
    }
}

bool Node::has_address(const net::IpAddress& address) const {
    return !host_addresses_ || std::ranges::find(*host_addresses_, address) != host_addresses_->end();
}

void Node::replace_relay(const RelayServer& server, Instant now) {
    if (!server.v4 && !server.v6) {
        kLog.warn("Skipped relay without address", log::field("relay", server.id));
        return;
    }
    if (const auto* old = relays_.find(server.id)) {
        kLog.info("Replacing relay", log::field("relay", server.id));
        invalidate_relay(*old);
        relays_.erase(server.id);
    } else {
        kLog.info("Adding relay", log::field("relay", server.id));
    }
    add_relay(server, now);
}

void Node::add_relay(const RelayServer& server, Instant now) {
    relays_.insert(server.id, turn::Allocation{{server.v4, server.v6},
                                               {server.username, server.password, server.realm},
                                               identity_->software,
                                               relay_rng_.fork(),
                                               now,
                                               {"relay", server.id.uuid()}});
}

void Node::invalidate_relay(const turn::Allocation& allocation) {
    for (const auto& candidate : allocation.candidates()) {
        if (candidate.kind == turn::GatheredKind::kRelayed) {
            remove_local_candidate(candidate);
        }
    }
}

void Node::handle_allocation_events(const RelayId& id, turn::Allocation& allocation, Instant now) {
    while (const auto event = allocation.poll_event()) {
        std::visit(overloaded{
                       [&](const turn::NewCandidate& e) { add_local_candidate(id, e.candidate, now); },
                       [&](const turn::InvalidCandidate& e) { remove_local_candidate(e.candidate); },
                   },
                   *event);
    }
}

void Node::add_local_candidate(const RelayId& relay, const turn::GatheredCandidate& candidate, Instant now) {
    const auto converted = to_ice(candidate);
    if (!converted) {
        kLog.debug("Ignored unusable candidate", log::field("local", candidate.address));
        return;
    }
    for (auto& [id, connection] : connections_) {
        if (connection->relay() == relay) {
            connection->add_local_candidate(*converted, outbox_, now);
            schedule_.touch(*connection);
        }
    }
}

void Node::remove_local_candidate(const turn::GatheredCandidate& candidate) {
    const auto converted = to_ice(candidate);
    // A relay that has not answered since the host's network changed may still think of an address that is gone.
    if (!converted || (has_address(candidate.base.ip) && relays_.know(candidate))) {
        return;
    }
    for (auto& [id, connection] : connections_) {
        connection->remove_local_candidate(*converted, outbox_);
        schedule_.touch(*connection);
    }
}

bool Node::has_relays() const {
    return std::ranges::any_of(relays_.all(), [&](const auto& relay) { return !lost_relays_.contains(relay.first); });
}

void Node::retry_lost_relays(Instant now) {
    for (const auto& server : lost_relays_.take_due(now)) {
        kLog.debug("Trying lost relay again", log::field("relay", server.id));
        add_relay(server, now);
    }
}

void Node::drop_dead_relays(Instant now) {
    const bool had_one = has_relays();
    auto& all = relays_.all();
    for (auto entry = all.begin(); entry != all.end();) {
        const auto id = entry->first;
        const auto reason = entry->second.death_reason();
        ++entry;
        if (!reason) {
            continue;
        }
        const auto level = lost_relays_.contains(id) ? log::Level::kDebug : log::Level::kInfo;
        kLog.log(level, "Disconnected from relay", log::field("relay", id), log::field("reason", to_string(*reason)));
        if (const auto server = description_of(id, *relays_.find(id));
            server && *reason == turn::DeathReason::kNoResponse) {
            lost_relays_.add(*server, now);
        } else {
            lost_relays_.erase(id);  // only the portal can mend that
        }
        forget_relay(id);
    }
    if (had_one && !has_relays() && !lost_relays_.empty()) {
        kLog.info(
            "No relay answers: only direct paths are left, and those are rare. Does a firewall here block UDP? It has "
            "to let it pass to port 3478 of the relays, and its answers back");
    }
}

void Node::forget_relay(const RelayId& id) {
    relays_.erase(id);
    has_orphans_ = true;
    if (relays_.empty()) {
        kLog.debug("No relay left");
    }
}

void Node::replace_lost_relays(Instant now) {
    if (!has_orphans_ || !has_relays()) {
        return;
    }
    has_orphans_ = false;
    auto rng = relay_rng_.fork();
    for (auto& [id, connection] : connections_) {
        if (relays_.find(connection->relay()) != nullptr && !lost_relays_.contains(*connection->relay())) {
            continue;
        }
        const auto relay = relays_.select(lost_relays_, rng);
        kLog.info("Changing relay", log::field(id_key(id), id), log::field("relay", *relay));
        connection->set_relay(relay);
        for (const auto& candidate : relays_.relay_candidates(*relay)) {
            connection->add_local_candidate(candidate, outbox_, now);
        }
        schedule_.touch(*connection);
    }
}

void Node::add_remote_candidate(const ConnectionId& id, std::string_view text, Instant now) {
    auto* connection = find(id);
    const auto candidate = ice::parse_candidate(text);
    if (connection == nullptr || !candidate) {
        kLog.debug("Ignored remote candidate", log::field(id_key(id), id), log::field("candidate", text));
        return;
    }
    schedule_.touch(*connection);
    auto& agent = connection->agent();
    if (!agent.is_in_use(*candidate)) {
        if (!connection->may_learn_candidate(now)) {
            kLog.debug("Ignored one remote candidate too many", log::field(id_key(id), id));
            return;
        }
        if (!agent.add_remote_candidate(*candidate, now)) {
            return;
        }
        agent.generate_optimistic_candidates(now);
    }
    if (candidate->kind == ice::CandidateKind::kHost) {
        return;
    }
    // Relays deliver only what comes from a bound peer, so the peer's first packet depends on this.
    if (auto* relay = relays_.find(connection->relay());
        relay != nullptr && connection->may_have_channel(candidate->address, now)) {
        relay->bind_channel(candidate->address, now);
        connection->note_activity(now);
    }
}

void Node::remove_remote_candidate(const ConnectionId& id, std::string_view text, Instant now) {
    auto* connection = find(id);
    const auto candidate = ice::parse_candidate(text);
    if (connection == nullptr || !candidate) {
        return;
    }
    if (connection->agent().remove_remote_candidate(*candidate)) {
        connection->agent().handle_timeout(now);
        schedule_.touch(*connection);
    }
}

}  // namespace culvert::connectivity
