#pragma once

#include <string>
#include <string_view>

#include "culvert/io/host_info.h"

namespace culvert::command_line {

/// How a program introduces itself to the portal: operating system, component with version, machine.
[[nodiscard]] std::string user_agent(const io::HostInfo& host, std::string_view component, std::string_view version);

}  // namespace culvert::command_line
