#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "apps/common/command_line.h"
#include "apps/common/sandbox_flags.h"
#include "apps/portal/web_files.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/net/ip_network.h"
#include "culvert/net/socket_address.h"
#include "culvert/portal/limits.h"
#include "culvert/portal/model.h"

namespace culvert::portal_server {

struct ServeCommand {
    net::SocketAddress api_listen;
    /// Health, readiness and metrics; unset: nowhere.
    std::optional<net::SocketAddress> ops_listen;
    /// Whose X-Forwarded-For is believed.
    std::vector<net::IpNetwork> trusted_proxies;
    portal::Limits limits{};
    /// Where the administrators' pages are; empty: where packages put them, if they are there.
    std::filesystem::path web_root = {};
    /// What is in it, once load() has read it; null if there are no pages.
    std::shared_ptr<const WebFiles> web = nullptr;
};
struct ResetPasswordCommand {
    std::string email;
    /// Or anybody who signs in on devices.
    bool is_administrator = true;
};
struct ApplyCommand {
    /// "-": standard input.
    std::string file;
    /// What is in it, once load() has read it; unset if it cannot be read.
    std::optional<std::string> text;
    bool may_cut_off = false;
    bool is_dry_run = false;
};
struct TokenCreateCommand {
    portal::TokenType type = portal::TokenType::kClient;
    /// Of the actor or site; empty for relays.
    std::string owner;
    /// Unset: never.
    std::optional<std::chrono::seconds> expires_in;
};
struct TokenListCommand {
    bool is_json = false;
};
struct TokenRevokeCommand {
    /// The token's id, or the token itself.
    std::string token;
};
struct DeviceListCommand {
    bool is_json = false;
};
struct DeviceRevokeCommand {
    std::string id;
};
struct DeviceDeleteCommand {
    std::string id;
};

struct FlowsCommand {
    bool is_json = false;
    /// How far back; unset: to the first one.
    std::optional<std::chrono::seconds> since;
    // Names or ids; empty: any.
    std::string client;
    std::string gateway;
    std::string resource;
    std::size_t limit = 1000;
};

struct Options {
    std::filesystem::path database;
    log::LogOptions log;
    command_line::SandboxFlags sandbox;
    std::variant<ServeCommand, ApplyCommand, TokenCreateCommand, TokenListCommand, TokenRevokeCommand,
                 DeviceListCommand, DeviceRevokeCommand, DeviceDeleteCommand, FlowsCommand, ResetPasswordCommand>
        command;
};

[[nodiscard]] std::expected<Options, command_line::EarlyExit> parse_options(int argc, const char* const* argv);

/// Where packages put the administrators' pages.
inline constexpr std::string_view kDefaultWebRoot = "/usr/share/culvert/web";

/// How long a new token of that kind lives unless told otherwise.
[[nodiscard]] std::chrono::seconds default_lifetime(portal::TokenType type);

/// "45s", "10m", "12h", "365d".
[[nodiscard]] std::optional<std::chrono::seconds> parse_duration(std::string_view text);

/// The file of a database URL, "sqlite:PATH". The error says what is wrong.
[[nodiscard]] std::expected<std::filesystem::path, std::string> parse_database_url(std::string_view url);

}  // namespace culvert::portal_server
