#include "apps/portal/confinement.h"

#include <optional>
#include <system_error>
#include <utility>
#include <variant>

#include "apps/common/sandbox_flags.h"
#include "apps/portal/held_database.h"

namespace culvert::portal_server {
namespace {

/// Policies may name times of day somewhere; what is asked for the first time is read then.
constexpr const char* kTimeZones = "/usr/share/zoneinfo";

/// Whoever runs the portal now has a database already: stay with its owner, so that nothing changes hands again.
std::expected<std::optional<sandbox::Identity>, std::string> choose_identity(const Options& options) {
    auto chosen = command_line::choose_identity(options.sandbox, sandbox::kPortalAccount);
    if (!chosen || !*chosen || !options.sandbox.user.empty()) {
        return chosen;
    }
    if (const auto owner = owner_of_database(options.database)) {
        auto identity = sandbox::identity_of(*owner);
        if (identity.gid == 0) {
            identity.gid = identity.uid;
        }
        return identity;
    }
    return chosen;
}

/// A database that needs no help is used in its folder.
void allow_folder(const std::filesystem::path& database, sandbox::Landlock& files) {
    const auto folder = std::filesystem::absolute(database).parent_path();
    std::error_code reported_when_opened;
    std::filesystem::create_directories(folder, reported_when_opened);
    files.manage(folder);
    // SQLite keeps its further files where a symbolic link leads.
    const auto real = std::filesystem::weakly_canonical(database, reported_when_opened).parent_path();
    if (!reported_when_opened && real != folder) {
        files.manage(real);
    }
}

}  // namespace

std::expected<std::filesystem::path, std::string> confine(const Options& options) {
    const auto identity = choose_identity(options);
    if (!identity) {
        return std::unexpected{identity.error()};
    }
    auto path = options.database;
    sandbox::Sandbox sandbox{.identity = *identity,
                             .syscalls = {.changes_files = true},
                             .restricts_files_and_syscalls = !options.sandbox.no_sandbox};
    if (path == ":memory:") {
        // There are no files to hold.
    } else if (*identity) {
        const auto held = hold_database(path, **identity);
        if (!held) {
            return std::unexpected{held.error()};
        }
        path = held->path;
        for (const auto& file : held->files) {
            sandbox.files.write(file);
        }
    } else {
        allow_folder(path, sandbox.files);
    }
    const auto explained =
        [&](std::expected<void, std::string> done) -> std::expected<std::filesystem::path, std::string> {
        if (!done) {
            return std::unexpected{done.error() +
                                   (*identity ? " To run it as root all the same, pass --allow-root." : "")};
        }
        return path;
    };
    sandbox.files.read(kTimeZones);
    const auto* serve = std::get_if<ServeCommand>(&options.command);
    if (serve == nullptr) {
        return explained(sandbox::drop_privileges(sandbox.identity, {}));
    }
    for (const auto& listener : {std::optional{serve->api_listen}, serve->ops_listen}) {
        if (listener) {
            command_line::keep_for_port(sandbox.capabilities, listener->port);
            sandbox.files.listen(listener->port);
        }
    }
    return explained(sandbox::enter(std::move(sandbox)));
}

}  // namespace culvert::portal_server
