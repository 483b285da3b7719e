#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "culvert/base/rng.h"

namespace culvert::session {

/// The stable id of this device: the file's if it exists; else derived from /etc/machine-id, which is not written
/// down; else, also if that holds no machine id, a new random one, which is. The error is for a person; whoever can
/// change the file could make this device another one, so it must be safe from other users.
/// Source: spec/session-and-apps.md section 7.3.
///
/// `app_id` is one of the ids in portal_api/external_id.h. `machine_id` is a path for tests.
[[nodiscard]] std::expected<std::string, std::string> load_device_id(
    const std::filesystem::path& file, std::string_view app_id, Rng& rng,
    const std::filesystem::path& machine_id = "/etc/machine-id");

}  // namespace culvert::session
