#pragma once

#include "options.h"
#include "sqlite_storage.h"

/// What the binary does apart from serving. Each prints its result to standard output and returns the exit code.
/// Throws portal::StorageError.
namespace culvert::portal_server {

/// Reads the file, for which privileges may be needed that run() no longer has.
void load(ApplyCommand& command);
int run(const ApplyCommand& command, SqliteStorage& storage, Rng& rng);
int run(const TokenCreateCommand& command, SqliteStorage& storage, Rng& rng);
int run(const TokenRevokeCommand& command, SqliteStorage& storage);

}  // namespace culvert::portal_server
