#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "culvert/crypto/keys.h"
#include "culvert/io/shard.h"
#include "culvert/portal_api/frame.h"
#include "culvert/session/shard_figures.h"

namespace culvert::session {

/// What one shard counts, for as long as the shard lives.
struct ShardMetrics {
    const io::ShardCounters* packets;
    const ShardFigures* figures;
};

/// The shards of a device as the control thread sees them, whatever kind of device it is.
class ShardGroup {
public:
    virtual ~ShardGroup() = default;

    /// The key that all shards have. Before start() only.
    [[nodiscard]] virtual const crypto::PublicKey& public_key() const = 0;
    /// Opens the sockets and starts the threads. The error is for a person.
    [[nodiscard]] virtual std::expected<void, std::string> start() = 0;

    /// Passes a message of the portal on to the shards that it concerns; one for another kind of device is ignored.
    /// False: the data plane is overloaded, and the message is lost to some of them.
    [[nodiscard]] virtual bool post(portal_api::ToDevice message) = 0;

    /// All are to say goodbye. They have ended when have_ended() says so, which is known after their events were taken.
    virtual void shut_down() = 0;
    [[nodiscard]] virtual bool have_ended() const = 0;
    /// Why the first that gave up did; the others go on until shut_down().
    [[nodiscard]] virtual const std::optional<std::string>& error() const = 0;
    /// Waits for the threads; they end after shut_down().
    virtual void join() = 0;

    /// Whether each took a turn since the last call, which asks them to.
    [[nodiscard]] virtual bool are_alive() = 0;

    /// Each is readable while events of a shard wait.
    [[nodiscard]] virtual std::vector<int> events_fds() const = 0;
    [[nodiscard]] virtual std::vector<ShardMetrics> metrics() const = 0;
};

}  // namespace culvert::session
