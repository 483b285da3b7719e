#pragma once

#include <expected>
#include <string>

#include "apps/relay/options.h"

namespace culvert::relay_server {

/// Gives up everything that relaying does not need, root's user id included. Call it once the listening sockets are
/// open and before the first thread starts. The error is for a person.
[[nodiscard]] std::expected<void, std::string> confine(const Options& options);

}  // namespace culvert::relay_server
