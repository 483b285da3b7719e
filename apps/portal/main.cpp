#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <string>
#include <variant>

#include "apps/common/process.h"
#include "apps/portal/commands.h"
#include "apps/portal/confinement.h"
#include "apps/portal/constants.h"
#include "apps/portal/error_output.h"
#include "apps/portal/options.h"
#include "apps/portal/server.h"
#include "culvert/base/overloaded.h"
#include "culvert/io/entropy.h"
#include "culvert/io/service_manager.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/observability/log.h"
#include "culvert/sandbox/core_dumps.h"

namespace culvert::portal_server {
namespace {

constexpr log::Logger kLog{"portal_server"};

void warn_of_exposed_files(const SqliteStorage& storage) {
    std::string names;
    for (const auto& file : storage.exposed_files()) {
        names += (names.empty() ? "" : " ") + file.string();
    }
    if (!names.empty()) {
        kLog.warn("Other users of this machine can read the database, which holds secrets of all devices",
                  log::field("remedy", "chmod go= " + names));
    }
}

int serve(const ServeCommand& command, SqliteStorage& storage, Rng& rng, io::ServiceManager service) {
    ::signal(SIGPIPE, SIG_IGN);  // who reads the log may go away; the portal stays
    warn_of_exposed_files(storage);
    storage.set_lock_timeout(kServingLockTimeout);
    log::write_in_background();
    // A fork, since the server makes children of it, and this one lives as long as they do.
    Server server{command, storage, rng.fork(), std::move(service)};
    server.run();
    return 0;
}

}  // namespace

/// The whole program; returns its exit code.
int run_program(int argc, const char* const* argv) {
    auto options = parse_options(argc, argv);
    if (!options) {
        return options.error().code;
    }
    if (!std::holds_alternative<ServeCommand>(options->command)) {
        command_line::release_signals();  // nothing to undo, but perhaps a terminal to read from
    }
    ::umask(S_IRWXG | S_IRWXO);  // whatever this program creates is for nobody else
    try {
        log::init(options->log);
        command_line::raise_descriptor_limit();  // each device takes one
        if (auto* const apply = std::get_if<ApplyCommand>(&options->command)) {
            load(*apply);  // it may be a file that only root reads
        }
        if (auto* const serving = std::get_if<ServeCommand>(&options->command)) {
            if (const auto loaded = load(*serving); !loaded) {
                return fail(loaded.error());
            }
        }
        auto service = io::ServiceManager::from_environment();
        const auto database = confine(*options);
        if (!database) {
            return fail(database.error());
        }
        Rng rng{io::os_seed()};
        SqliteStorage storage{*database, rng};
        return std::visit(
            overloaded{
                [&](const ServeCommand& command) { return serve(command, storage, rng, std::move(service)); },
                [&](const ApplyCommand& command) { return run(command, storage, rng); },
                [&](const TokenCreateCommand& command) { return run(command, storage, rng); },
                [&](const ResetPasswordCommand& command) { return run(command, storage, rng); },
                [&](const auto& command) { return run(command, storage); },
            },
            options->command);
    } catch (const std::exception& error) {
        return fail(error.what());
    }
}

}  // namespace culvert::portal_server

int main(int argc, char** argv) {
    culvert::sandbox::forbid_core_dumps();
    culvert::command_line::hold_signals();
    return culvert::portal_server::run_program(argc, argv);
}
