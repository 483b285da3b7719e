#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "apps/common/command_line.h"
#include "culvert/portal_api/role.h"
#include "culvert/session/device_session.h"

namespace CLI {
class App;
}

namespace culvert::command_line {

/// The flags that client and gateway share, as text; empty: not given.
struct DeviceFlags {
    std::string api_url;
    std::string name;
    std::string id;
    std::string log_format = "human";
    std::string metrics;
};

void describe(CLI::App& app, DeviceFlags& flags);

/// What a program needs of them before there is a session.
struct CheckedDeviceFlags {
    log::Options log;
    std::optional<net::SocketAddress> metrics;
};

/// What can be said about the shared flags without looking at the machine. The complaint is for a person.
[[nodiscard]] std::expected<CheckedDeviceFlags, Complaint> check(const DeviceFlags& flags, portal_api::Role role);

/// What distinguishes one kind of device from the other.
struct DeviceKind {
    portal_api::Role role;
    std::string_view component;  ///< in the User-Agent
    std::string_view version;    ///< in the User-Agent; see portal_api/user_agent.h
    std::string_view app_id;     ///< for ids derived from the machine's
    std::filesystem::path id_file;
};

/// Puts a session's options together: identity, login URL, sockets. The complaint is for a person.
[[nodiscard]] std::expected<session::DeviceOptions, Complaint> make_device_options(const DeviceFlags& flags,
                                                                                   const DeviceKind& kind,
                                                                                   const std::string& token);

}  // namespace culvert::command_line
