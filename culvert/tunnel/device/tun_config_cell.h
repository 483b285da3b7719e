#pragma once

#include <optional>

#include "culvert/tunnel/device/tun_config.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The wanted TUN configuration and what the host was told last. However often it changes between two polls, the host
/// hears once, or not at all if it came back to what the host knows (spec/tunnel.md section 3.15).
class TunConfigCell {
public:
    /// Unset before the portal assigned addresses.
    [[nodiscard]] const std::optional<TunConfig>& current() const { return current_; }

    void set(TunConfig config);

    /// The configuration to apply, if it is not what the host was told last.
    [[nodiscard]] std::optional<TunConfig> poll();

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::optional<TunConfig> current_;
    std::optional<TunConfig> announced_;
    bool may_differ_ = false;
};

}  // namespace culvert::tunnel
