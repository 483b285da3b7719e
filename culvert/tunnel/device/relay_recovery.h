#pragma once

#include <optional>

#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {

/// When to ask the portal for relays again, once every one it listed has stopped answering.
///
/// A relay that fails is forgotten until the portal lists it again (spec/connectivity.md section 9.3), so a device
/// whose relays had a bad moment would otherwise have none when the next connection needs one, and lose its first
/// packets. Relays that the portal itself withdrew are none of our business: it pushes others by itself.
class RelayRecovery {
public:
    /// The portal sent a list of relays; `has_relays`: what it listed leaves us with some.
    void handle_list(bool has_relays, Instant now);
    /// A connection cannot be made for want of relays. Whether the portal is to be asked at once; traffic soon needs
    /// the same again, so further requests wait: kFirstRelayRecovery at first, then twice as long each time, up to
    /// kMaxRelayRequestPause, until listed relays prove themselves.
    [[nodiscard]] bool handle_no_relays(const crypto::PublicKey& key, Instant now);
    /// Whether the portal is to be asked now. `key` spreads devices that lost the same relay.
    [[nodiscard]] bool handle_timeout(bool has_relays, const crypto::PublicKey& key, Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return ask_at_; }

private:
    /// Since when there have been relays, as far as the portal is concerned.
    std::optional<Instant> listed_at_;
    std::optional<Instant> ask_at_;
    Duration delay_ = kFirstRelayRecovery;
    /// Before it the portal is not asked for want of relays.
    Instant next_request_;
    Duration request_delay_ = kFirstRelayRecovery;
};

}  // namespace culvert::tunnel
