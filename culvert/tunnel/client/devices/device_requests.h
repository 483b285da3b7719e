#pragma once

#include <map>
#include <optional>
#include <utility>

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
/// request, and at most every kIntentInterval (spec/newer-dialect.md section 6.2): also if it was answered meanwhile,
/// or a device that says goodbye again and again would have us ask again and again, until the portal hears us no more.
class DeviceRequests {
public:
    /// Notes that access to the device is wanted. Whether the portal must be asked now, which takes `pool` for what the
    /// answer is about.
    [[nodiscard]] bool request(const ClientId& device, const ResourceId& pool, Instant now);

    struct Request {
        ResourceId pool;
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

    /// We have another key: what was asked with the former one does not count.
    void start_anew() { asked_.clear(); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    using Subject = std::pair<ClientId, ResourceId>;

    [[nodiscard]] bool was_asked(const Subject& subject, Instant now) const;

    std::map<ClientId, Request> requests_;
    /// When the portal was asked; what is older than kIntentInterval goes with the next question.
    std::map<Subject, Instant> asked_;
};

}  // namespace culvert::tunnel
