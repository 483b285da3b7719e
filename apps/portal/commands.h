#pragma once

#include <expected>
#include <string>

#include "apps/portal/options.h"
#include "apps/portal/sqlite_storage.h"

/// What the binary does apart from serving. Each prints its result to standard output and returns the exit code.
/// Throws portal::StorageError.
namespace culvert::portal_server {

/// Reads the file, for which privileges may be needed that run() no longer has.
void load(ApplyCommand& command);
/// The same; the error is a sentence for a person.
[[nodiscard]] std::expected<void, std::string> load(ServeCommand& command);
int run(const ApplyCommand& command, SqliteStorage& storage, Rng& rng);
int run(const TokenCreateCommand& command, SqliteStorage& storage, Rng& rng);
int run(const TokenListCommand& command, SqliteStorage& storage);
int run(const TokenRevokeCommand& command, SqliteStorage& storage);
int run(const DeviceListCommand& command, SqliteStorage& storage);
int run(const DeviceRevokeCommand& command, SqliteStorage& storage);
int run(const DeviceDeleteCommand& command, SqliteStorage& storage);
int run(const FlowsCommand& command, SqliteStorage& storage);
int run(const ResetPasswordCommand& command, SqliteStorage& storage, Rng& rng);

/// Sees to it that what was printed has left; returns the exit code.
int finish_output();

}  // namespace culvert::portal_server
