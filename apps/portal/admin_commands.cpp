// "culvert-portal admin ...".

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

std::string known_administrators(const portal::Directory& directory) {
    std::string names;
    for (const auto& [id, actor] : directory.actors) {
        if (actor.type == portal::ActorType::kAdminUser && actor.email) {
            names += (names.empty() ? "" : ", ") + *actor.email;
        }
    }
    return names.empty() ? "There is none with an e-mail address: create one with \"culvert-portal apply\", or open "
                           "/admin/ and enter the code that \"culvert-portal serve\" writes to its log."
                         : "There is " + names + ".";
}

}  // namespace

int run(const ResetPasswordCommand& command, SqliteStorage& storage, Rng& rng) {
    const auto directory = storage.load_directory();
    const auto found = std::ranges::find_if(directory.actors, [&](const auto& row) {
        return row.second.type == portal::ActorType::kAdminUser && row.second.email == command.email;
    });
    if (found == directory.actors.end()) {
        return fail("there is no administrator with the e-mail address \"" + command.email + "\". " +
                    known_administrators(directory));
    }
    const auto& actor = found->second;
    const auto password = random_password(rng);
    const auto hash = admin::hash_password(password);
    storage.in_transaction([&] {
        storage.put_password(actor.id, hash);
        storage.erase_browser_sessions(actor.id, "");
        storage.append({.at = std::chrono::floor<std::chrono::seconds>(io::wall_now()),
                        .actor = std::nullopt,
                        .actor_name = "culvert-portal admin reset-password",
                        .actor_email = std::nullopt,
                        .remote_ip = "",
                        .action = "set_password",
                        .object_type = "actor",
                        .object_id = actor.id.to_string(),
                        .object_name = actor.name,
                        .before = "",
                        .after = ""});
    });
    std::cerr << "new password of " << command.email << "; all sessions of this administrator have ended:\n";
    std::cout << password << '\n';
    return finish_output();
}

}  // namespace culvert::portal_server
