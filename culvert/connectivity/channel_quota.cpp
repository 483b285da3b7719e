#include "culvert/connectivity/channel_quota.h"

#include "culvert/connectivity/constants.h"
#include "culvert/turn/constants.h"

namespace culvert::connectivity {

static_assert(kMaxChannelsPerConnection * 64 <= turn::kChannelCount, "64 hostile peers leave no channel to others");

bool ChannelQuota::admit(const net::SocketAddress& address, Instant now) {
    if (const auto known = last_admitted_.find(address); known != last_admitted_.end()) {
        known->second = now;
        return true;
    }
    if (last_admitted_.size() == kMaxChannelsPerConnection) {
        forget_old(now);
    }
    if (last_admitted_.size() == kMaxChannelsPerConnection) {
        return false;
    }
    last_admitted_.emplace(address, now);
    return true;
}

/// A number that is not used any more goes to another peer only after its cool-down.
void ChannelQuota::forget_old(Instant now) {
    std::erase_if(last_admitted_, [now](const auto& entry) {
        return now - entry.second >= turn::kChannelLifetime + turn::kChannelCoolDown;
    });
}

}  // namespace culvert::connectivity
