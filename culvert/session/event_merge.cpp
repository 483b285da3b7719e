#include "culvert/session/event_merge.h"

#include <utility>

namespace culvert::session {

bool EventMerge::passes(std::size_t /*shard*/, const tunnel::AskForRelays& /*event*/) {
    return !std::exchange(asks_for_relays_, true);
}

bool EventMerge::passes(std::size_t /*shard*/, const tunnel::KeyChanged& event) {
    const auto& key = event.public_key.bytes;
    if (++holders_[{key.begin(), key.end()}] < shards_) {
        return false;
    }
    holders_.clear();  // a shard that was reset twice in a row may have skipped a key
    return true;
}

}  // namespace culvert::session
