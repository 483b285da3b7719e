#include "culvert/tunnel/client/reauthorise_throttle.h"

#include <algorithm>
#include <utility>

#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {

bool ReauthoriseThrottle::allow(const Uuid& target, Instant now) {
    const History fresh{.last_error = now, .next_allowed = now, .interval = kReauthoriseMinInterval};
    auto& history = histories_.try_emplace(target, fresh).first->second;
    if (now - std::exchange(history.last_error, now) >= kReauthoriseQuietTime) {
        history = fresh;
    }
    if (now < history.next_allowed) {
        return false;
    }
    history.next_allowed = now + history.interval;
    history.interval = std::min(2 * history.interval, kReauthoriseMaxInterval);
    return true;
}

}  // namespace culvert::tunnel
