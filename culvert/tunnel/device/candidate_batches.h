#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culvert/connectivity/events.h"

namespace culvert::tunnel {

/// Collects the candidates of one drain of the node's events, so that the portal gets one message per connection and
/// direction instead of one per candidate (spec/tunnel.md section 3.16).
class CandidateBatches {
public:
    void add(const connectivity::NewIceCandidate& event);
    void add(const connectivity::InvalidateIceCandidate& event);

    /// The connection has ended: nobody needs to hear of its candidates.
    void forget(const connectivity::ConnectionId& id) {
        added_.erase(id);
        removed_.erase(id);
    }

    [[nodiscard]] bool empty() const { return added_.empty() && removed_.empty(); }

    /// Calls send_added(id, candidates) and then send_removed(id, candidates), once per connection, with the candidates
    /// in order of descending priority; then forgets everything.
    template <typename SendAdded, typename SendRemoved>
    void flush(SendAdded send_added, SendRemoved send_removed) {
        for (auto& [id, batch] : added_) {
            send_added(id, sorted(batch));
        }
        for (auto& [id, batch] : removed_) {
            send_removed(id, sorted(batch));
        }
        added_.clear();
        removed_.clear();
    }

private:
    struct Candidate {
        std::uint32_t priority;
        std::string text;
    };
    using Batch = std::vector<Candidate>;

    static void insert(Batch& batch, std::uint32_t priority, const std::string& text);
    [[nodiscard]] static std::vector<std::string> sorted(Batch& batch);

    std::map<connectivity::ConnectionId, Batch> added_;
    std::map<connectivity::ConnectionId, Batch> removed_;
};

}  // namespace culvert::tunnel
