#pragma once

#include <map>
#include <optional>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"

namespace culvert::tunnel {

/// Gateways from which no candidate ever comes, and when that is reason enough to start anew with another key.
///
/// A gateway may hold on to half a connection: it has signalled what it had when nobody could hear it, keeps it because
/// keys and ICE credentials of the next attempt are the same, and does not repeat itself. Firezone's gateway of 1.4.18
/// does so if its only relay could not be reached at the first attempt. Other keys mean other credentials, and those a
/// new connection.
class SilentGateways {
public:
    /// An attempt has failed without any candidate of the gateway. Whether to start anew now.
    [[nodiscard]] bool note_silence(const GatewayId& gateway, Instant now);
    void note_contact(const GatewayId& gateway) { attempts_.erase(gateway); }

private:
    std::map<GatewayId, unsigned> attempts_;
    std::optional<Instant> started_anew_at_;
};

}  // namespace culvert::tunnel
