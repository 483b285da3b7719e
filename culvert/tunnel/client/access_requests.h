#pragma once

#include <map>
#include <optional>
#include <vector>

#include "culvert/base/rate_limiter.h"
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
/// most every kIntentInterval (spec/tunnel.md section 3.9). One that follows an answer goes out at once, but kIntents
/// bounds how often: else traffic would ask as fast as the portal answers.
class AccessRequests {
public:
    /// Notes that `resource` is wanted. Whether the portal must be asked now.
    [[nodiscard]] bool request(const ResourceId& resource, Instant now);

    /// What waits for a resource.
    struct Waiting {
        PacketBuffer packets{kWaitingPackets};  ///< Of the host.
        PacketBuffer queries{kWaitingPackets};  ///< Our own, to resolvers behind it.
    };
    /// What waits for `resource`, or null if access to it was not requested.
    [[nodiscard]] Waiting* waiting(const ResourceId& resource);

    /// Ends the request and hands out what waited for it.
    [[nodiscard]] std::optional<Waiting> take(const ResourceId& resource);
    void erase(const ResourceId& resource) { requests_.erase(resource); }
    /// Drops what waits; the request goes on.
    void drop_waiting(const ResourceId& resource);

    /// There is a new connection to the portal, which may not have heard what was asked on the one before: the requests
    /// of the last kIntentLifetime count as made at `now`. Returns them, in ascending order: the portal must be asked.
    [[nodiscard]] std::vector<ResourceId> renew(Instant now);

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct Request {
        Instant last_intent;
        Waiting waiting;
    };

    std::map<ResourceId, Request> requests_;
    /// Those of which there were some lately.
    std::map<ResourceId, RateLimiter> limiters_;
};

}  // namespace culvert::tunnel
