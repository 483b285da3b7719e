#pragma once

#include <expected>
#include <optional>
#include <string>

#include "apps/common/command_line.h"
#include "culvert/sandbox/sandbox.h"

namespace CLI {
class App;
}

namespace culvert::command_line {

/// What an operator may say about the privileges of a program.
struct SandboxFlags {
    std::string user;
    bool allow_root = false;
    bool no_sandbox = false;
};

void describe(CLI::App& app, SandboxFlags& flags, const sandbox::ServiceAccount& account);

/// Who to become: nullopt if the program was not started by root, or if root is to be kept.
[[nodiscard]] std::expected<std::optional<sandbox::Identity>, Complaint> choose_identity(
    const SandboxFlags& flags, const sandbox::ServiceAccount& account);

/// What a port needs that is not bound yet when privileges are given up.
void keep_for_port(sandbox::Capabilities& capabilities, std::uint16_t port);

}  // namespace culvert::command_line
