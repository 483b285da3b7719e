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
struct DeviceFlags : CommonFlags {
    std::string name;
    std::string id;
};

void describe(CLI::App& app, DeviceFlags& flags);

/// What distinguishes one kind of device from the other.
struct DeviceProgram {
    portal_api::Role role;
    std::string_view component;  ///< in the User-Agent
    std::string_view version;    ///< in the User-Agent; see portal_api/user_agent.h
    std::string_view app_id;     ///< for ids derived from the machine's
    std::filesystem::path id_file;
    std::filesystem::path flow_log_folder;
};

/// Puts a session's options together: identity, login URL, sockets. The complaint is for a person.
[[nodiscard]] std::expected<session::DeviceOptions, Complaint> make_device_options(const DeviceFlags& flags,
                                                                                   const DeviceProgram& kind,
                                                                                   const std::string& token);

}  // namespace culvert::command_line
