#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "apps/portal/options.h"

namespace culvert::portal_server {

/// Gives up everything that the command does not need, root's user id included, and gives the name by which to open the
/// database from now on. Call it before there is a second thread, and before the database is opened. The error is for a
/// person.
[[nodiscard]] std::expected<std::filesystem::path, std::string> confine(const Options& options);

}  // namespace culvert::portal_server
