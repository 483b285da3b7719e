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

/// What is wrong with the URL of the portal, if anything. There is no default: a device that was not told where its
/// portal is must not show its token to somebody else's.
[[nodiscard]] std::optional<Complaint> check_api_url(const std::string& url, portal_api::Role role);

/// A size in bytes from the environment. A bad one is ignored, as operators are used to.
[[nodiscard]] std::optional<std::size_t> environment_size(const char* name);

/// `format` is "human" or "json"; the filter comes from RUST_LOG, default info.
[[nodiscard]] std::expected<log::Options, Complaint> log_options(const std::string& format);

}  // namespace culvert::command_line
