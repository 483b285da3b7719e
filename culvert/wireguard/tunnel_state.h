#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"

namespace culvert::wireguard {

/// Which side of its handshake a session was made on.
enum class HandshakeRole : std::uint8_t { kInitiator, kResponder };

/// What a session shows of itself.
struct SessionState {
    HandshakeRole role;
    std::uint32_t local_index;
    std::uint32_t peer_index;
    bool is_confirmed;
    Instant established_at;
    Instant stops_sending_at;
    std::uint64_t next_counter;
    bool is_current = false;  ///< packets leave under its keys
};

/// What a tunnel shows of itself to who compares its two ends; the snapshot has it as text, and more.
struct TunnelState {
    crypto::PublicKey peer;
    std::string preshared_key;  ///< crypto::fingerprint()
    std::vector<SessionState> sessions;
};

}  // namespace culvert::wireguard
