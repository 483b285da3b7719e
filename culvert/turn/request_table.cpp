#include "culvert/turn/request_table.h"

#include "culvert/base/deadlines.h"

namespace culvert::turn {

std::optional<std::size_t> RequestTable::find(const stun::Message& message, const net::SocketAddress& from) const {
    if (message.cls() != stun::Class::kSuccess && message.cls() != stun::Class::kError) {
        return std::nullopt;
    }
    const auto found = std::ranges::find_if(requests_, [&](const Request& request) {
        return request.id == message.transaction_id() && request.destination == from &&
               method_of(request.kind) == message.method();
    });
    return found == requests_.end() ? std::nullopt : std::optional{static_cast<std::size_t>(found - requests_.begin())};
}

Request RequestTable::take(std::size_t place) {
    auto request = std::move(requests_[place]);
    requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(place));
    return request;
}

void RequestTable::put_back(std::size_t place, Request request) {
    requests_.insert(requests_.begin() + static_cast<std::ptrdiff_t>(place), std::move(request));
}

std::optional<Instant> RequestTable::next() const {
    std::optional<Instant> next;
    for (const auto& request : requests_) {
        next = earliest(next, request.timer.next());
    }
    return next;
}

}  // namespace culvert::turn
