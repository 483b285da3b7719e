#pragma once

#include <string>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"
#include "culvert/wireguard/handshake_limiter.h"

namespace culvert::connectivity {

/// Who a node is to its peers and relays: all that a reset replaces.
struct NodeIdentity {
    NodeIdentity(const Rng& rng, Instant now);

    crypto::KeyPair keys;
    wireguard::HandshakeLimiter limiter;
    Instant limiter_cleared_at;
    /// SOFTWARE attribute of requests to relays (spec/connectivity.md section 2.6).
    std::string software;
};

}  // namespace culvert::connectivity
