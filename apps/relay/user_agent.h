#pragma once

#include <string>

namespace culvert::relay {

/// How this relay introduces itself to the portal: operating system, relay version, machine.
[[nodiscard]] std::string user_agent();

}  // namespace culvert::relay
