#pragma once

#include "apps/portal/sqlite.h"
#include "culvert/base/rng.h"

namespace culvert::portal_server {

/// The schema this build writes.
inline constexpr int kSchemaVersion = 10;

/// Brings a database up to kSchemaVersion; fills a new one with an account called "Default" and fresh token keys.
/// Throws StorageError, also for a database of a newer version or of another program. An earlier `target` is for tests
/// of the way from there to here.
void migrate(Database& database, const std::string& path, Rng& rng, int target = kSchemaVersion);

}  // namespace culvert::portal_server
