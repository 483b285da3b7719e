#pragma once

#include <utility>

#include "culvert/resolver/query_observer.h"
#include "culvert/tunnel/device/commands.h"

namespace culvert::session {

/// What comes of the queries of shards, as commands to post to them.
template <typename Post>
[[nodiscard]] resolver::QueryObserver answers_to_shards(Post post) {
    return {.on_response = [post](dns::AskId id, Bytes message) { post(tunnel::DnsResponse{id, std::move(message)}); },
            .on_failure = [post](dns::AskId id) { post(tunnel::DnsFailure{id}); }};
}

}  // namespace culvert::session
