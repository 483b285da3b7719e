#pragma once

#include <span>
#include <string>

#include "culvert/io/shard.h"

namespace culvert::session {

/// The data path of a client or gateway for `/metrics`, all shards together; all names start with `culvert_`.
[[nodiscard]] std::string render_metrics(std::span<const io::ShardCounters* const> shards);

}  // namespace culvert::session
