// "culvert-portal admin ..." and "culvert-portal user ...".

#include <algorithm>
#include <iostream>

#include "apps/portal/commands.h"
#include "apps/portal/error_output.h"
#include "culvert/admin/password.h"
#include "culvert/io/clock.h"
#include "culvert/portal/base32.h"

namespace culvert::portal_server {
namespace {

/// 128 bits, and easy to type.
std::string random_password(Rng& rng) {
    const auto text = portal::to_base32_lower(rng.array<16>());
    std::string password;
    for (std::size_t i = 0; i < text.size(); ++i) {
        password += (i > 0 && i % 5 == 0 ? "-" : "") + std::string{text[i]};
    }
    return password;
}

bool is_meant(const portal::Actor& actor, bool is_administrator) {
    return actor.type == portal::ActorType::kAdminUser || (!is_administrator && actor.type == portal::ActorType::kUser);
}

std::string whom_there_is(const portal::Directory& directory, bool is_administrator) {
    std::string names;
    for (const auto& [id, actor] : directory.actors) {
        if (is_meant(actor, is_administrator) && actor.email) {
            names += (names.empty() ? "" : ", ") + *actor.email;
        }
    }
    if (names.empty() && !is_administrator) {
        return "Nobody has one: add \"email\" to actors of type account_user, with \"culvert-portal apply\" or under "
               "/admin/.";
    }
    return names.empty() ? "There is none with an e-mail address: create one with \"culvert-portal apply\", or open "
                           "/admin/ and enter the code that \"culvert-portal serve\" writes to its log."
                         : "There is " + names + ".";
}

}  // namespace

int run(const ResetPasswordCommand& command, SqliteStorage& storage, Rng& rng) {
    const auto directory = storage.load_directory();
    const auto found = std::ranges::find_if(directory.actors, [&](const auto& row) {
        return is_meant(row.second, command.is_administrator) && row.second.email == command.email;
    });
    if (found == directory.actors.end()) {
        return fail(std::string{"there is no "} + (command.is_administrator ? "administrator" : "person") +
                    " with the e-mail address \"" + command.email + "\". " +
                    whom_there_is(directory, command.is_administrator));
    }
    const auto& actor = found->second;
    const auto password = random_password(rng);
    const auto hash = admin::hash_password(password);
    storage.in_transaction([&] {
        storage.put_password(actor.id, hash);
        storage.erase_browser_sessions(actor.id, "");
        storage.append({.at = std::chrono::floor<std::chrono::seconds>(io::wall_now()),
                        .actor = std::nullopt,
                        .actor_name = command.is_administrator ? "culvert-portal admin reset-password"
                                                               : "culvert-portal user reset-password",
                        .actor_email = std::nullopt,
                        .remote_ip = "",
                        .action = "set_password",
                        .object_type = "actor",
                        .object_id = actor.id.to_string(),
                        .object_name = actor.name,
                        .before = "",
                        .after = ""});
    });
    std::cerr << "new password of " << command.email
              << (actor.type == portal::ActorType::kAdminUser ? "; all sessions of this administrator have ended:\n"
                                                              : "; devices stay signed in:\n");
    std::cout << password << '\n';
    return finish_output();
}

}  // namespace culvert::portal_server
