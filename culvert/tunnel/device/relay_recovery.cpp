#include "culvert/tunnel/device/relay_recovery.h"

#include <algorithm>

namespace culvert::tunnel {
namespace {

/// In [0, 1): the same for one key, evenly spread over many.
double share_of(const crypto::PublicKey& key) {
    return std::to_integer<unsigned>(key.bytes.front()) / 256.0;
}

}  // namespace

void RelayRecovery::handle_list(bool has_relays, Instant now) {
    ask_at_.reset();
    listed_at_ = has_relays ? std::optional{now} : std::nullopt;
}

bool RelayRecovery::handle_no_relays(const crypto::PublicKey& key, Instant now) {
    if (listed_at_ && now - *listed_at_ >= kRelaysProvenAfter) {
        next_request_ = now;
        request_delay_ = kFirstRelayRecovery;
    }
    if (now < next_request_) {
        return false;
    }
    ask_at_.reset();
    listed_at_.reset();
    next_request_ = now + request_delay_ + std::chrono::duration_cast<Duration>(request_delay_ * share_of(key));
    request_delay_ = std::min(2 * request_delay_, kMaxRelayRequestPause);
    return true;
}

bool RelayRecovery::handle_timeout(bool has_relays, const crypto::PublicKey& key, Instant now) {
    if (has_relays || !listed_at_) {
        ask_at_.reset();
        return false;
    }
    if (!ask_at_) {
        if (now - *listed_at_ >= kRelaysProvenAfter) {
            delay_ = kFirstRelayRecovery;
        }
        ask_at_ = now + delay_ + std::chrono::duration_cast<Duration>(delay_ * share_of(key));
        delay_ = std::min(2 * delay_, kMaxRelayRecovery);
        return false;
    }
    if (*ask_at_ > now) {
        return false;
    }
    // If even the portal does not answer, its channel keeps trying: there is nothing to repeat here before its list.
    ask_at_.reset();
    listed_at_.reset();
    return true;
}

}  // namespace culvert::tunnel
