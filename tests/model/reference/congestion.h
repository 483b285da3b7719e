#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tests/model/world/observation.h"

namespace culvert::model {

/// When access links were congested: they mark what passes, and a tunnel copies the marks to the packets in it
/// (spec/tunnel.md section 2.6).
class Congestion {
public:
    void handle(const ActionTaken& event, Instant now);
    void handle(const FaultChanged& event, Instant now);

    /// Whether some link was, in this time, that a packet passes on its way from one to the other: the sender's up, the
    /// receiver's down, or either direction of any relay's.
    [[nodiscard]] bool is_possible(const Device& sender, const Device& receiver, Instant from, Instant until) const;

private:
    enum class Direction : std::uint8_t { kUp, kDown };
    using Link = std::pair<Process, Direction>;
    struct Span {
        Instant from;
        Instant until = Instant::max();
    };

    void end(const Link& link, Instant now);

    std::map<Link, std::vector<Span>> spans_;
};

}  // namespace culvert::model
