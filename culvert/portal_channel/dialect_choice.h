#pragma once

#include <optional>

#include "culvert/base/time.h"
#include "culvert/portal_api/dialect.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal_channel {

/// Which dialect to speak with a portal: the newer one, unless the portal has no such path. Source:
/// spec/newer-dialect.md section 17.
///
/// Portals are updated while devices run, so a portal that had only the older path is asked for the newer one again
/// once kAskNewerAgainAfter has passed and a connection is made anyway. One that has neither path is none, or is being
/// replaced: the next attempt asks for both.
class DialectChoice {
public:
    /// Relays have one path, in the older dialect.
    explicit DialectChoice(bool has_newer) : has_newer_{has_newer} {}

    /// A new attempt.
    void start(Instant now);
    [[nodiscard]] portal_api::Dialect current() const { return current_; }
    /// The portal says that there is no such path. Whether to ask for the other one, which is current() now.
    [[nodiscard]] bool handle_not_found(Instant now);

    /// For snapshots: fields of the current line.
    void describe(Snapshot& out) const;

private:
    bool has_newer_;
    portal_api::Dialect current_ = portal_api::Dialect::kV1;
    std::optional<Instant> newer_missing_at_;
};

}  // namespace culvert::portal_channel
