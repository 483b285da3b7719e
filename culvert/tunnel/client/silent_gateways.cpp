#include "culvert/tunnel/client/silent_gateways.h"

#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {

bool SilentGateways::note_silence(const GatewayId& gateway, Instant now) {
    if (silences_.size() >= kMaxSilentGateways && !silences_.contains(gateway)) {
        return false;
    }
    auto& silence = silences_[gateway];
    const bool is_paused = started_anew_at_ && now - *started_anew_at_ < kSilenceResetPause;
    if (++silence.attempts < kSilentAttempts || is_paused || silence.has_started_anew) {
        return false;
    }
    silence.has_started_anew = true;
    started_anew_at_ = now;
    return true;
}

}  // namespace culvert::tunnel
