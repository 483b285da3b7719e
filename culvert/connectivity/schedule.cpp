#include "culvert/connectivity/schedule.h"

#include <algorithm>

#include "culvert/connectivity/connection.h"

namespace culvert::connectivity {

void Schedule::insert(const ConnectionId& id, Connection& connection) {
    const auto place = std::ranges::lower_bound(slots_, id, {}, &Slot::id);
    const auto at = static_cast<std::size_t>(place - slots_.begin());
    slots_.insert(place, {kNever, false, id, &connection});
    renumber(at);
    touch(connection);
}

void Schedule::erase(Connection& connection) {
    const auto at = connection.schedule_slot;
    slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(at));
    renumber(at);
    std::erase(touched_, &connection);
}

void Schedule::renumber(std::size_t from) {
    for (auto i = from; i < slots_.size(); ++i) {
        slots_[i].connection->schedule_slot = i;
    }
}

void Schedule::touch(Connection& connection) {
    auto& slot = slots_[connection.schedule_slot];
    if (!slot.is_touched) {
        slot.is_touched = true;
        touched_.push_back(&connection);
    }
}

std::vector<Connection*> Schedule::take_due(Instant now) {
    std::vector<Connection*> due;
    for (auto& slot : slots_) {
        if (slot.is_touched || slot.deadline <= now) {
            slot.is_touched = false;
            due.push_back(slot.connection);
        }
    }
    touched_.clear();
    return due;
}

void Schedule::update(Connection& connection) {
    slots_[connection.schedule_slot].deadline = connection.poll_timeout().value_or(kNever);
}

std::optional<Instant> Schedule::next() {
    // Those that the fast paths touched stay marked, so that the next take_due() looks at them.
    for (auto* connection : touched_) {
        update(*connection);
    }
    auto next = kNever;
    for (const auto& slot : slots_) {
        next = std::min(next, slot.deadline);
    }
    return next == kNever ? std::nullopt : std::optional{next};
}

}  // namespace culvert::connectivity
