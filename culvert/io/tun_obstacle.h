#pragma once

#include <string>

namespace culvert::io {

inline constexpr const char* kTunNode = "/dev/net/tun";

/// Why the driver's node could not be opened and what to do about it: one or two sentences for a person.
[[nodiscard]] std::string explain_node_failure(int error_number);

/// Why the interface could not be created, after a look at what has its name.
[[nodiscard]] std::string explain_interface_failure(const std::string& name, int error_number);

}  // namespace culvert::io
