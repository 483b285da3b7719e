#pragma once

#include <cstddef>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/log_output/log_setup.h"
#include "culvert/net/socket_address.h"
#include "culvert/portal_api/role.h"

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

/// Accepts switches of Firezone's programs that have nothing to switch in ours, so that existing unit files work.
void accept_without_effect(CLI::App& app, std::initializer_list<const char*> switches);

/// Parses; prints help, version or one line about a mistake.
[[nodiscard]] std::expected<void, EarlyExit> parse(CLI::App& app, int argc, const char* const* argv);

/// Prints the complaint as a usage error.
[[nodiscard]] EarlyExit complain(const Complaint& complaint);

/// Empty if it is not set.
[[nodiscard]] std::string_view environment(const char* name);

[[nodiscard]] std::expected<net::SocketAddress, Complaint> parse_endpoint(const std::string& text,
                                                                          std::string_view flag);

/// A size in bytes from the environment. A bad one is ignored, as operators are used to.
[[nodiscard]] std::optional<std::size_t> environment_size(const char* name);

/// `format` is "human" or "json"; the filter comes from RUST_LOG, default info.
[[nodiscard]] std::expected<log::LogOptions, Complaint> log_options(const std::string& format);

/// Flags that client, gateway and relay share, as text; empty: not given.
struct CommonFlags {
    std::string api_url;
    std::string log_format = "human";
    std::string metrics;
};

/// What a program needs of them before it starts.
struct CheckedFlags {
    log::LogOptions log;
    std::optional<net::SocketAddress> metrics;
};

/// What can be said about the shared flags without looking at the machine. There is no default for the portal: a device
/// that was not told where it is must not show its token to somebody else's. The complaint is for a person.
[[nodiscard]] std::expected<CheckedFlags, Complaint> check(const CommonFlags& flags, portal_api::Role role);

}  // namespace culvert::command_line
