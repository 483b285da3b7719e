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

/// Requests for access to devices that the portal has not answered, with the packets that wait for the answer.
///
/// The answer names the device and not the pool, so one pool is asked for at a time: what belongs to another one waits
/// as well, and asks for its own once the first answer is there. As with resources of gateways, only traffic repeats a
/// request, and at most every kIntentInterval (spec/newer-dialect.md section 6.2).
class DeviceRequests {
public:
    /// Notes that access to the device is wanted. Whether the portal must be asked now, which takes `pool` for what the
    /// answer is about.
    [[nodiscard]] bool request(const ClientId& device, const ResourceId& pool, Instant now);

    struct Request {
        ResourceId pool;
        Instant last_intent;
        PacketBuffer packets{kWaitingPackets};
    };
    /// Requires a request.
    [[nodiscard]] PacketBuffer& packets(const ClientId& device) { return requests_.at(device).packets; }
    [[nodiscard]] bool contains(const ClientId& device) const { return requests_.contains(device); }
    /// Ends the request.
    [[nodiscard]] std::optional<Request> take(const ClientId& device);
    void erase(const ClientId& device) { requests_.erase(device); }
    /// Ends those for which `is_over(device, pool)`.
    template <typename Predicate>
    void erase_if(Predicate is_over) {
        std::erase_if(requests_, [&](const auto& entry) { return is_over(entry.first, entry.second.pool); });
    }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::map<ClientId, Request> requests_;
};

}  // namespace culvert::tunnel
