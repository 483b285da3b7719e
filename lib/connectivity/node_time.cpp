// What happens when (spec/connectivity.md section 2.3).

#include <algorithm>

#include "culvert/connectivity/node_state.h"

namespace culvert::connectivity {

void Node::State::handle_timeout(Instant now) {
    handle_relay_timeouts(now);
    handle_connection_timeouts(now);
    drop_dead_relays();
    replace_lost_relays(now);
    remove_failed(now);
    recently_disconnected_.handle_timeout(now);
}

void Node::State::handle_relay_timeouts(Instant now) {
    for (auto& [id, allocation] : relays_.all()) {
        allocation.handle_timeout(now);
    }
    for (auto& [id, allocation] : relays_.all()) {
        handle_allocation_events(id, allocation, now);
    }
}

/// Leaves alone whom nothing happened to: with many peers, most ticks are for one of them.
void Node::State::handle_connection_timeouts(Instant now) {
    touched_.clear();
    for (auto& [id, connection] : connections_) {
        if (!connection->is_touched && now < connection->deadline) {
            continue;
        }
        connection->is_touched = false;
        connection->handle_timeout(relays_, outbox_, now);
        connection->deadline = connection->poll_timeout().value_or(Instant::max());
    }
}

void Node::State::remove_failed(Instant now) {
    for (auto entry = connections_.begin(); entry != connections_.end();) {
        if (entry->second->failure()) {
            outbox_.emit(ConnectionFailed{entry->first});
            entry = erase(entry, now);
        } else {
            ++entry;
        }
    }
}

std::optional<Instant> Node::State::poll_timeout() {
    // The fast paths move deadlines without a handle_timeout(). Those connections stay marked as touched, so that
    // the next one looks at them.
    for (auto* connection : touched_) {
        connection->deadline = connection->poll_timeout().value_or(Instant::max());
    }
    auto next = Instant::max();
    for (const auto& [id, connection] : connections_) {
        next = std::min(next, connection->deadline);
    }
    for (const auto& [id, allocation] : relays_.all()) {
        next = std::min(next, allocation.poll_timeout().value_or(next));
    }
    return next == Instant::max() ? std::nullopt : std::optional{next};
}

std::optional<net::Transmit> Node::State::poll_transmit() {
    for (auto& [id, allocation] : relays_.all()) {
        if (auto transmit = allocation.poll_transmit()) {
            return transmit;
        }
    }
    return outbox_.poll_transmit();
}

}  // namespace culvert::connectivity
