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
    /// An attempt has failed without any candidate of the gateway. Whether to start anew now; once for each gateway
    /// until it is heard of.
    [[nodiscard]] bool note_silence(const GatewayId& gateway, Instant now);
    void note_contact(const GatewayId& gateway) { silences_.erase(gateway); }

private:
    struct Silence {
        unsigned attempts = 0;
        /// Another key was of no use. Nor would the next one be: it would cost the other gateways their connections
        /// again and again.
        bool has_started_anew = false;
    };

    std::map<GatewayId, Silence> silences_;
    std::optional<Instant> started_anew_at_;
};

}  // namespace culvert::tunnel
