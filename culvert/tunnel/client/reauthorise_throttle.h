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
    /// `target` is what access is asked for: a resource of a gateway, or a device.
    template <typename Tag>
    [[nodiscard]] bool allow(const Id<Tag>& target, Instant now) {
        return allow(target.uuid(), now);
    }

    template <typename Tag>
    void erase(const Id<Tag>& target) {
        histories_.erase(target.uuid());
    }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct History {
        Instant last_error;
        Instant next_allowed;
        Duration interval;
    };

    [[nodiscard]] bool allow(const Uuid& target, Instant now);

    std::map<Uuid, History> histories_;
};

}  // namespace culvert::tunnel
