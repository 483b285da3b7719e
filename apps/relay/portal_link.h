#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "apps/relay/options.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/portal_api/messages.h"
#include "culvert/portal_link/connection.h"

namespace culvert::relay_server {

/// Keeps the relay registered with the portal, on a thread of its own; relaying does not depend on it.
class PortalLink {
public:
    /// Called once, on the link's thread, when the portal will not have this relay or has been away for too long.
    using GiveUp = std::function<void(const std::string& reason)>;
    /// Called on the link's thread with one line for people, whenever it changes.
    using TellStatus = std::function<void(const std::string& status)>;
    /// Called on the link's thread with what the portal says about users of this relay.
    using ApplyRules = std::function<void(const portal_api::TurnUsers& users)>;

    /// Resolves the portal's host name. The error is a sentence for a person.
    [[nodiscard]] static std::expected<std::unique_ptr<PortalLink>, std::string> open(const Options& options,
                                                                                      std::string stamp_secret, Rng rng,
                                                                                      GiveUp give_up,
                                                                                      TellStatus tell_status,
                                                                                      ApplyRules apply_rules);
    void connect() { connection_->connect(std::nullopt); }

    /// False if heartbeats have stopped for so long that something must be stuck. True before the first one.
    [[nodiscard]] bool is_healthy(Instant now) const;
    [[nodiscard]] bool is_joined() const { return is_joined_; }
    [[nodiscard]] std::uint64_t hiccups() const { return hiccups_; }

private:
    PortalLink(GiveUp give_up, TellStatus tell_status, ApplyRules apply_rules)
        : give_up_{std::move(give_up)}, tell_status_{std::move(tell_status)}, apply_rules_{std::move(apply_rules)} {}
    void handle_message(const portal_api::ToRelay& message);
    void handle_event(const portal_channel::Event& event);

    GiveUp give_up_;
    TellStatus tell_status_;
    ApplyRules apply_rules_;
    std::atomic<Instant::rep> last_heartbeat_{0};
    std::atomic<bool> is_joined_{false};
    std::atomic<std::uint64_t> hiccups_{0};
    /// Last, because its thread uses the others.
    std::unique_ptr<portal_link::PortalConnection> connection_;
};

}  // namespace culvert::relay_server
