#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tests/model/network/link.h"
#include "tests/model/network/nat.h"
#include "tests/model/scenario/names.h"

namespace culvert::model {

struct Host;

/// A LAN: hosts that reach each other directly, and the NAT between them and the Internet, if there is one.
struct Segment {
    std::optional<Nat> nat;
    std::vector<Host*> members;
};

/// A host, attached or not, with both directions of its access link. The link stays when the host moves to another
/// network: an impairment lasts until it is healed.
struct Host {
    Device device;
    Link up;
    Link down;
    Duration latency{};
    std::vector<net::IpAddress> addresses;  ///< none: not attached
    /// Absent for a host that has neither NAT nor neighbours.
    std::shared_ptr<Segment> segment;

    [[nodiscard]] bool is_attached() const { return !addresses.empty(); }
    [[nodiscard]] Nat* nat() const { return segment && segment->nat ? &*segment->nat : nullptr; }
};

}  // namespace culvert::model
