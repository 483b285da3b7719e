#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "apps/common/command_line.h"

namespace CLI {
class App;
}

/// Where a program's token comes from. A token is a password: whoever reads it can be this device.
/// Source: spec/session-and-apps.md sections 3.2 and 5.1.
namespace culvert::command_line {

/// What is known about the token before the other flags are judged.
struct TokenFlags {
    std::optional<std::string> from_environment;
    std::string argument;  ///< of programs that take one
    std::string path;      ///< --token-path
};

/// Takes FIREZONE_TOKEN out of the environment, for good: neither children nor /proc/PID/environ show it any longer.
/// Call it first, while there is one thread. An empty variable counts as absent: that is what a failed
/// "FIREZONE_TOKEN=$(…)" leaves behind.
[[nodiscard]] std::optional<std::string> take_token_from_environment();

/// Adds --token-path.
void describe_token_path(CLI::App& app, TokenFlags& flags);

/// The token of the first place that has one: argument, environment, --token-path, systemd's credential
/// FIREZONE_TOKEN, `default_file`. `role` is what "culvert-portal token create" calls it. The complaint says where a
/// token can come from, or what is wrong with the one that was found; it never shows it.
[[nodiscard]] std::expected<std::string, Complaint> find_token(const TokenFlags& flags, std::string_view role,
                                                               const std::filesystem::path& default_file = {});

/// Who may be able to read a file with a token besides its owner.
enum class Readers { kNobody, kGroup };

/// The token in a file that belongs to root or to the user of this process and that others cannot read.
[[nodiscard]] std::expected<std::string, Complaint> read_token_file(const std::filesystem::path& path,
                                                                    Readers readers = Readers::kNobody);

/// For a token that came as `argument` (if not empty): overwrites it, so that it no longer appears in the list of
/// processes. Somebody may have looked before: see warn_about_argument().
void hide_argument(int argc, char** argv, std::string_view argument);

/// Says so, once the log is set up.
void warn_about_argument(std::string_view argument);

}  // namespace culvert::command_line
