#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "culvert/crypto/keys.h"
#include "culvert/tunnel/client/client_event.h"
#include "culvert/tunnel/gateway/gateway_event.h"

namespace culvert::session {

/// Makes one voice of what the shards of a device say: which of their events the control thread acts on.
///
/// A new kind of event does not compile until it is decided here.
class EventMerge {
public:
    explicit EventMerge(std::size_t shards) : shards_{shards} {}

    /// The control thread looks at the shards' events (once more).
    void start_round() { asks_for_relays_ = false; }

    /// All shards hear the same of the interface and of resources, so the first one speaks for all.
    [[nodiscard]] bool passes(std::size_t shard, const tunnel::TunInterfaceUpdated& /*event*/) { return shard == 0; }
    [[nodiscard]] bool passes(std::size_t shard, const tunnel::ResourcesChanged& /*event*/) { return shard == 0; }
    /// A client has one shard.
    [[nodiscard]] bool passes(std::size_t /*shard*/, const tunnel::DnsRecordsChanged& /*event*/) { return true; }
    /// Each shard speaks for its own peers.
    [[nodiscard]] bool passes(std::size_t /*shard*/, const tunnel::SendToPortal& /*event*/) { return true; }
    [[nodiscard]] bool passes(std::size_t /*shard*/, const tunnel::ConnectionEnded& /*event*/) { return true; }
    [[nodiscard]] bool passes(std::size_t /*shard*/, const tunnel::LookUpName& /*event*/) { return true; }
    [[nodiscard]] bool passes(std::size_t /*shard*/, const dns::Ask& /*event*/) { return true; }
    [[nodiscard]] bool passes(std::size_t /*shard*/, const dns::StopAsking& /*event*/) { return true; }
    [[nodiscard]] bool passes(std::size_t /*shard*/, const tunnel::FlowsTracked& /*event*/) { return true; }
    /// Shards lose the same relays at the same time, and one answer of the portal serves them all.
    [[nodiscard]] bool passes(std::size_t /*shard*/, const tunnel::AskForRelays& /*event*/);
    /// The portal may hear of a key once every shard has it.
    [[nodiscard]] bool passes(std::size_t /*shard*/, const tunnel::KeyChanged& event);

private:
    std::size_t shards_;
    bool asks_for_relays_ = false;
    /// How many shards have each key that not all have.
    std::map<std::vector<std::byte>, std::size_t> holders_;
};

}  // namespace culvert::session
