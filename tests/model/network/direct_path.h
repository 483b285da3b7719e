#pragma once

#include "tests/model/scenario/setup.h"

namespace culvert::model {

/// Whether two hosts can find a direct path by ICE: both learn from a server as what the Internet knows them, exchange
/// that, and send connectivity checks to each other at the same time (RFC 8445; spec/testing.md section 4.3).
///
/// Hosts of one LAN share the NAT of the one that came first: `nat` must be the box that a host really is behind.
[[nodiscard]] bool can_connect_directly(const Access& a, const Access& b);

}  // namespace culvert::model
