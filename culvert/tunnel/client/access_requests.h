#pragma once

#include <map>
#include <optional>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/packet_buffer.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// Requests for access that the portal has not answered, with the packets that wait for the answer.
///
/// Nothing here runs on a timer: a request is repeated only if there is still traffic for the resource, and then at
/// most every kIntentInterval (spec/tunnel.md section 3.9).
class AccessRequests {
public:
    /// Notes that `resource` is wanted. Whether the portal must be asked now.
    [[nodiscard]] bool request(const ResourceId& resource, Instant now);

    /// The packets that wait for `resource`, or null if access to it was not requested.
    [[nodiscard]] PacketBuffer* packets(const ResourceId& resource);

    /// Ends the request and hands out what waited for it.
    [[nodiscard]] std::optional<PacketBuffer> take(const ResourceId& resource);
    void erase(const ResourceId& resource) { requests_.erase(resource); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct Request {
        Instant last_intent;
        PacketBuffer packets{kWaitingPackets};
    };

    std::map<ResourceId, Request> requests_;
};

}  // namespace culvert::tunnel
