#pragma once

#include <span>
#include <string>

#include "culvert/session/shard_group.h"

namespace culvert::session {

/// The data path and the connections of a client or gateway for `/metrics`, all shards together; all names start with
/// `culvert_`.
[[nodiscard]] std::string render_metrics(std::span<const ShardMetrics> shards);

}  // namespace culvert::session
