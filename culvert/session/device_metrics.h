#pragma once

#include <string>

#include "culvert/io/shard.h"

namespace culvert::session {

/// The data path of a client or gateway for `/metrics`; all names start with `culvert_`.
[[nodiscard]] std::string render_metrics(const io::ShardCounters& counters);

}  // namespace culvert::session
