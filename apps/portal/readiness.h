#pragma once

#include <optional>
#include <string>

#include "apps/portal/sqlite_storage.h"
#include "culvert/base/time.h"

namespace culvert::portal_server {

/// Whether a device could connect now: tries what each of them needs, a write to the database that counts.
class Readiness {
public:
    /// `storage` must outlive the object.
    explicit Readiness(SqliteStorage& storage) : storage_{storage} {}

    /// What keeps devices from connecting, as a sentence; unset: nothing does. Tries at most once per second, however
    /// often it is asked; logs when the answer changes.
    [[nodiscard]] std::optional<std::string> problem(Instant now);

private:
    [[nodiscard]] std::optional<std::string> attempt();

    SqliteStorage& storage_;
    std::optional<Instant> tried_at_;
    std::optional<std::string> problem_;
};

}  // namespace culvert::portal_server
