#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/net/socket_address.h"
#include "culvert/observability/log_setup.h"

namespace CLI {
class App;
}

/// What the command lines of all programs have in common.
namespace culvert::command_line {

inline constexpr int kUsageError = 2;

/// There is nothing left to do but to exit: --help, --version or a mistake, which has been explained already.
struct EarlyExit {
    int code;
};

/// A mistake and what to do about it, as one line for a person.
using Complaint = std::string;

/// Parses; prints help, version or one line about a mistake.
[[nodiscard]] std::expected<void, EarlyExit> parse(CLI::App& app, int argc, const char* const* argv);

/// Prints the complaint as a usage error.
[[nodiscard]] EarlyExit complain(const Complaint& complaint);

/// Empty if it is not set.
[[nodiscard]] std::string_view environment(const char* name);

/// Exactly "true" or "false"; anything else is a mistake. `current` if the variable is not set.
[[nodiscard]] std::expected<bool, Complaint> environment_flag(const char* name, bool current);

[[nodiscard]] std::expected<net::SocketAddress, Complaint> parse_endpoint(const std::string& text,
                                                                          std::string_view flag);

/// A size in bytes from the environment. A bad one is ignored, as operators are used to.
[[nodiscard]] std::optional<std::size_t> environment_size(const char* name);

/// `format` is "human" or "json"; the filter comes from RUST_LOG, default info.
[[nodiscard]] std::expected<log::Options, Complaint> log_options(const std::string& format);

}  // namespace culvert::command_line
