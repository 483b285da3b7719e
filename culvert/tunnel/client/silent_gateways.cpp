#include "culvert/tunnel/client/silent_gateways.h"

#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {

bool SilentGateways::note_silence(const GatewayId& gateway, Instant now) {
    if (attempts_.size() >= kMaxSilentGateways && !attempts_.contains(gateway)) {
        attempts_.clear();
    }
    const bool is_paused = started_anew_at_ && now - *started_anew_at_ < kSilenceResetPause;
    if (++attempts_[gateway] < kSilentAttempts || is_paused) {
        return false;
    }
    attempts_.clear();
    started_anew_at_ = now;
    return true;
}

}  // namespace culvert::tunnel
