#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/connectivity/events.h"

namespace culvert::connectivity {

class Connection;

/// When each connection wants to be called next. A flat array in the order of ids: with thousands of connections and
/// one of them due, a tick costs a scan of deadlines and no cache misses.
class Schedule {
public:
    void insert(const ConnectionId& id, Connection& connection);
    void erase(Connection& connection);

    /// Something happened to the connection: it is called with the next take_due(), and its deadline asked for anew.
    void touch(Connection& connection);

    /// Connections that were touched or whose deadline has come, in the order of their ids. Each must be updated after
    /// it was handled.
    [[nodiscard]] std::vector<Connection*> take_due(Instant now);
    void update(Connection& connection);

    /// The earliest deadline.
    [[nodiscard]] std::optional<Instant> next();

private:
    /// Here, as in Deadlines, since comparing is all that is done with thousands of them.
    static constexpr Instant kNever = Instant::max();

    struct Slot {
        Instant deadline;
        bool is_touched;
        ConnectionId id;
        Connection* connection;
    };

    void renumber(std::size_t from);

    std::vector<Slot> slots_;
    std::vector<Connection*> touched_;
};

}  // namespace culvert::connectivity
