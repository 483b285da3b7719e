#pragma once

#include <map>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// Decides whether an ICMP "prohibited" error may cause a request for access: at once the first time, then ever more
/// rarely while the errors go on (spec/tunnel.md section 3.8 step 7; times in constants.h).
class ReauthoriseThrottle {
public:
    /// Call for each such error; true if the portal may be asked now.
    [[nodiscard]] bool allow(const ResourceId& resource, Instant now);

    void erase(const ResourceId& resource) { histories_.erase(resource); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct History {
        Instant last_error;
        Instant next_allowed;
        Duration interval;
    };

    std::map<ResourceId, History> histories_;
};

}  // namespace culvert::tunnel
