#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/portal_api/frame.h"

namespace culvert::portal_channel {

/// What the portal is to hear of candidates once it is back: per connection those that were added and those that were
/// removed meanwhile. Source: spec/newer-dialect.md section 7.1.
class HeldCandidates {
public:
    /// Whether the message is about candidates.
    [[nodiscard]] static bool concerns(const portal_api::FromDevice& message);
    /// Takes the message if it is. False: it is about something else, and is not kept.
    bool hold(const portal_api::FromDevice& message);

    /// The connection has ended: nobody needs to hear of its candidates.
    void forget(const Uuid& peer) { peers_.erase(peer); }
    void clear() { peers_.clear(); }
    [[nodiscard]] std::size_t size() const { return peers_.size(); }

    /// Hands out all that is held, one connection after the other.
    [[nodiscard]] std::vector<portal_api::FromDevice> take();

private:
    struct Ends {
        bool is_from_client = false;
        bool is_to_gateway = false;
    };
    struct Held {
        Ends ends;
        std::vector<std::string> added;
        std::vector<std::string> removed;
    };

    template <typename Ids>
    void add(const Ids& ids, Ends ends, const std::vector<std::string>& candidates);
    template <typename Ids>
    void remove(const Ids& ids, Ends ends, const std::vector<std::string>& candidates);
    [[nodiscard]] Held* find(const Uuid& peer, Ends ends);

    std::map<Uuid, Held> peers_;
};

}  // namespace culvert::portal_channel
