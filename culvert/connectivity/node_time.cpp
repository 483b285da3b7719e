// What happens when (spec/connectivity.md section 2.3).

#include "culvert/base/deadlines.h"
#include "culvert/connectivity/connection.h"
#include "culvert/connectivity/node.h"
#include "culvert/observability/log.h"

namespace culvert::connectivity {
namespace {

constexpr log::Logger kLog{"connectivity"};

}  // namespace

void Node::handle_timeout(Instant now) {
    retry_lost_relays(now);
    handle_relay_timeouts(now);
    handle_connection_timeouts(now);
    drop_dead_relays(now);
    replace_lost_relays(now);
    remove_failed(now);
    recently_disconnected_.handle_timeout(now);
}

void Node::handle_relay_timeouts(Instant now) {
    for (auto& [id, allocation] : relays_.all()) {
        allocation.handle_timeout(now);
    }
    for (auto& [id, allocation] : relays_.all()) {
        handle_allocation_events(id, allocation, now);
        if (allocation.has_allocation() && lost_relays_.contains(id)) {
            kLog.info("Relay answers again", log::field("relay", id));
            lost_relays_.erase(id);
        }
    }
}

/// Leaves alone whom nothing happened to: with many peers, most ticks are for one of them.
void Node::handle_connection_timeouts(Instant now) {
    for (auto* connection : schedule_.take_due(now)) {
        connection->handle_timeout(relays_, outbox_, now);
        peers_.update_path(*connection);
        --census_.of(connection->counted_as);
        connection->counted_as = connection->path_kind();
        ++census_.of(connection->counted_as);
        schedule_.update(*connection);
        if (connection->failure()) {
            failed_.push_back(connection->id());
        }
    }
}

void Node::remove_failed(Instant now) {
    for (const auto& id : failed_) {
        const auto entry = connections_.find(id);
        const bool was_silent = entry->second->failure() == Connection::Failure::kNoCandidates;
        outbox_.emit(ConnectionFailed{id, was_silent});
        erase(entry, now);
    }
    failed_.clear();
}

std::optional<Instant> Node::poll_timeout() {
    auto next = earliest(schedule_.next(), lost_relays_.next());
    for (const auto& [id, allocation] : relays_.all()) {
        next = earliest(next, allocation.poll_timeout());
    }
    return next;
}

std::optional<Event> Node::poll_event() {
    auto event = outbox_.poll_event();
    if (event) {
        census_.established += std::holds_alternative<ConnectionEstablished>(*event) ? 1 : 0;
        census_.failed += std::holds_alternative<ConnectionFailed>(*event) ? 1 : 0;
    }
    return event;
}

Census Node::census() const {
    auto census = census_;
    for (const auto& [id, allocation] : relays_.all()) {
        ++census.relays;
        census.allocations += allocation.has_allocation() ? 1 : 0;
    }
    return census;
}

std::optional<net::Transmit> Node::poll_transmit() {
    for (auto& [id, allocation] : relays_.all()) {
        if (auto transmit = allocation.poll_transmit()) {
            return transmit;
        }
    }
    return outbox_.poll_transmit();
}

}  // namespace culvert::connectivity
