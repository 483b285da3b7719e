#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/stun/message.h"
#include "culvert/turn/request.h"

namespace culvert::turn {

/// The requests in flight, oldest first: which of them a message answers, when each is repeated or given up.
class RequestTable {
public:
    [[nodiscard]] bool empty() const { return requests_.empty(); }
    /// Valid until the next call of anything that is not const.
    Request& add(Request request) { return requests_.emplace_back(std::move(request)); }
    void clear() { requests_.clear(); }
    template <typename Kind>
    void erase() {
        std::erase_if(requests_, [](const Request& request) { return std::holds_alternative<Kind>(request.kind); });
    }

    template <typename Kind>
    [[nodiscard]] bool contains() const {
        return contains<Kind>([](const Kind&) { return true; });
    }
    /// Whether there is one of this kind for which `is_it` holds.
    template <typename Kind, typename Predicate>
    [[nodiscard]] bool contains(const Predicate& is_it) const {
        return std::ranges::any_of(requests_, [&](const Request& request) {
            const auto* kind = std::get_if<Kind>(&request.kind);
            return kind != nullptr && is_it(*kind);
        });
    }

    /// Where the request is that `message` from `from` answers, whether by success or error.
    [[nodiscard]] std::optional<std::size_t> find(const stun::Message& message, const net::SocketAddress& from) const;
    [[nodiscard]] const Request& operator[](std::size_t place) const { return requests_[place]; }
    [[nodiscard]] Request take(std::size_t place);
    void put_back(std::size_t place, Request request);

    /// When expire() has something to do.
    [[nodiscard]] std::optional<Instant> next() const;
    /// Calls `repeat(request)` for each that is due to be sent again and `give_up(request)` for each whose time is up
    /// and that is not in the table any more. The latter may clear the table.
    template <typename Repeat, typename GiveUp>
    void expire(Instant now, const Repeat& repeat, const GiveUp& give_up) {
        for (std::size_t i = 0; i < requests_.size();) {
            auto& timer = requests_[i].timer;
            if (!timer.is_due(now)) {
                ++i;
            } else if (timer.trigger(now)) {
                repeat(requests_[i++]);
            } else {
                give_up(take(i));
            }
        }
    }

    [[nodiscard]] auto begin() const { return requests_.begin(); }
    [[nodiscard]] auto end() const { return requests_.end(); }

private:
    std::vector<Request> requests_;
};

}  // namespace culvert::turn
