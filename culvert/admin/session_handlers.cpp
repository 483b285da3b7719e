// Who signs in, and how.

#include "culvert/admin/encode.h"
#include "culvert/admin/handlers.h"
#include "culvert/admin/input.h"
#include "culvert/admin/names.h"
#include "culvert/admin/people.h"
#include "culvert/base/rfc3339.h"
#include "culvert/portal/fields.h"

namespace culvert::admin {
namespace {

namespace json = boost::json;
using portal::ConfigurationValue;

/// As it is: passwords are neither trimmed nor counted in characters.
std::string raw_text(const ConfigurationValue& value, const json::value& body, std::string_view wrapper,
                     std::string_view field) {
    const auto& sent =
        body.as_object().at({wrapper.data(), wrapper.size()}).as_object().at({field.data(), field.size()});
    if (!sent.is_string()) {
        value.fail("must be a string");
    }
    return std::string{sent.as_string()};
}

/// A password that is to be set.
std::string new_password(const ConfigurationValue& value, const json::value& body, std::string_view wrapper,
                         std::string_view field) {
    auto password = raw_text(value, body, wrapper, field);
    if (const auto problem = password_problem(password)) {
        value.fail(*problem);
    }
    return password;
}

json::object session_data(const Requester& subject, const portal::Directory& directory) {
    const auto& actor = directory.actors.at(subject.actor);
    json::object shown{{"id", actor.id.to_string()}, {"name", actor.name}};
    shown["email"] = actor.email ? json::value(json::string{*actor.email}) : json::value(nullptr);
    const auto type = portal::fields::to_string(actor.type);
    shown["type"] = json::string{type.data(), type.size()};
    return {{"actor", std::move(shown)},
            {"account", json::object{{"id", directory.account.id.to_string()},
                                     {"name", directory.account.name},
                                     {"slug", directory.account.slug}}},
            {"csrf_token", subject.csrf_token},
            {"expires_at", to_rfc3339(subject.expires_at)}};
}

/// What of a call is left when a password has been looked at.
struct Visitor {
    Tools& tools;
    net::IpAddress from;
    bool is_https;
    /// Of the session that the browser had before: another one begins.
    std::string former_session;
    UnixSeconds wall_now;

    static Visitor of(const Call& call) {
        const auto secret = Authenticator::secret_in(call.request.cookie);
        return {call.tools, call.request.remote_ip, call.request.is_https,
                secret.empty() ? "" : Authenticator::hash_of(secret), call.wall_now};
    }

    /// In a transaction.
    [[nodiscard]] http::Response begin_session(const portal::Directory& directory, const portal::Actor& actor) const {
        auto& storage = tools.storage;
        if (!former_session.empty()) {
            storage.erase_browser_session(former_session);
        }
        storage.erase_expired_browser_sessions(wall_now);
        storage.erase_audit(wall_now - kAuditKept, kMaxAuditEntries);
        const auto session = tools.authentication.new_session(actor.id, wall_now);
        storage.put(session.row);
        const Requester subject{.kind = Requester::Kind::kAdministrator,
                                .actor = actor.id,
                                .name = actor.name,
                                .email = actor.email,
                                .secret_hash = session.row.secret_hash,
                                .csrf_token = Authenticator::csrf_token_of(session.secret),
                                .expires_at = session.row.expires_at};
        admin::record(storage, subject, from, wall_now,
                      {.action = "sign_in", .type = "session", .id = actor.id.to_string(), .name = actor.name});
        auto response = respond(201, session_data(subject, directory));
        response.headers.emplace_back("Set-Cookie", Authenticator::cookie_with(session.secret, is_https));
        return response;
    }
};

ApiProblem invalid_credentials() {
    return {401, "invalid_credentials", "E-mail address or password are wrong."};
}

/// A program's token must not become a person's password, nor end one's sessions.
PasswordTask change_password(const Call& call, const portal::ActorId& actor, std::string password,
                             std::optional<std::string> current, std::string kept_session) {
    auto* tools = &call.tools;
    const auto stored = current ? call.storage().find_password(actor) : std::nullopt;
    return {
        .work =
            [current, stored, password = std::move(password), cost = tools->password_cost] {
                const bool matches = !current || (stored && password_matches(*current, *stored));
                return PasswordTask::Outcome{matches, matches ? hash_password(password, cost) : ""};
            },
        .finish =
            [tools, actor, kept = std::move(kept_session), subject = call.subject, from = call.request.remote_ip,
             now = call.wall_now](const PasswordTask::Outcome& outcome) {
                if (!outcome.matches) {
                    return to_response({.status = 422,
                                        .code = "validation_failed",
                                        .detail = "Some fields are not valid.",
                                        .errors = {{"current", {"is wrong"}}}});
                }
                auto& storage = tools->storage;
                const auto directory = storage.load_directory();
                const auto row = directory.actors.find(actor);
                if (row == directory.actors.end()) {
                    return to_response(not_found());
                }
                storage.in_transaction([&] {
                    storage.put_password(actor, outcome.hash);
                    storage.erase_browser_sessions(actor, kept);
                    admin::record(
                        storage, subject, from, now,
                        {.action = "set_password", .type = "actor", .id = actor.to_string(), .name = row->second.name});
                });
                return respond_nothing();
            }};
}

}  // namespace

Answer show_setup(Call& call) {
    return respond(200, {{"is_needed", call.tools.authentication.needs_setup()}});
}

Answer set_up(Call& call) {
    auto& authentication = call.tools.authentication;
    if (!authentication.needs_setup()) {
        throw conflict("This portal is set up already. Sign in.");
    }
    authentication.count_setup(call.now);
    Input input{call.body, "setup"};
    std::string code;
    std::string account_name;
    std::string name;
    std::string email;
    std::string password;
    input.require("code", [&](const ConfigurationValue& value) {
        code = value.text(1, 64);
        if (!authentication.is_setup_code(code)) {
            value.fail("is not the one that culvert-portal printed when it started");
        }
    });
    input.check();  // strangers need not know more
    input.require("account_name", [&](const auto& value) { account_name = portal::fields::account_name(value); });
    input.require("email", [&](const auto& value) { email = portal::fields::actor_email(value); });
    input.require("name", [&](const ConfigurationValue& value) {
        name = portal::fields::actor_name(value);
        // Who has this address already keeps his name.
        if (!find_by_email(call.storage(), call.directory(), email)) {
            require_free_name(value, call.directory().actors, portal::Actor{.name = name, .email = {}});
        }
    });
    input.require("password",
                  [&](const auto& value) { password = new_password(value, call.body, "setup", "password"); });
    input.check();
    return PasswordTask{
        .work = [password,
                 cost =
                     call.tools.password_cost] { return PasswordTask::Outcome{true, hash_password(password, cost)}; },
        .finish =
            [visitor = Visitor::of(call), code, account_name, name, email](const PasswordTask::Outcome& outcome) {
                auto& storage = visitor.tools.storage;
                auto& door = visitor.tools.authentication;
                if (!door.needs_setup() || !door.is_setup_code(code)) {
                    return to_response(conflict("This portal is set up already. Sign in."));
                }
                http::Response response;
                std::string id;
                storage.in_transaction([&] {
                    auto directory = storage.load_directory();
                    auto account = directory.account;
                    account.name = account_name;
                    storage.put(account);
                    auto actor =
                        find_by_email(storage, directory, email)
                            .value_or(portal::Actor{
                                .id = portal::ActorId::random(visitor.tools.rng), .name = name, .email = email});
                    actor.type = portal::ActorType::kAdminUser;
                    storage.put(actor);
                    storage.put_password(actor.id, outcome.hash);
                    id = actor.id.to_string();
                    response = visitor.begin_session(storage.load_directory(), actor);
                });
                door.renew_setup_code();
                visitor.tools.surroundings.handle_change("actors", id);
                return response;
            }};
}

Answer sign_in(Call& call) {
    Input input{call.body, "session"};
    std::string email;
    std::string password;
    input.require("email", [&](const ConfigurationValue& value) { email = value.text(1, 160); });
    input.require("password", [&](const ConfigurationValue& value) {
        password = raw_text(value, call.body, "session", "password");
        if (password.size() > kLongestPassword) {
            value.fail("is too long");
        }
    });
    input.check();
    call.tools.authentication.count_sign_in(call.request.remote_ip, email, call.now);
    const auto actor = find_by_email(call.storage(), call.directory(), email);
    const auto stored = actor ? call.storage().find_password(actor->id) : std::nullopt;
    return PasswordTask{// Whoever has no password takes as long to refuse.
                        .work =
                            [password, stored, cost = call.tools.password_cost] {
                                return stored ? PasswordTask::Outcome{password_matches(password, *stored), ""}
                                              : PasswordTask::Outcome{false, hash_password(password, cost)};
                            },
                        .finish =
                            [visitor = Visitor::of(call), actor, stored](const PasswordTask::Outcome& outcome) {
                                auto& storage = visitor.tools.storage;
                                const bool is_right = outcome.matches && storage.find_password(actor->id) == stored;
                                if (!is_right) {
                                    if (actor && stored) {
                                        admin::record(storage, {}, visitor.from, visitor.wall_now,
                                                      {.action = "refuse_sign_in",
                                                       .type = "session",
                                                       .id = actor->id.to_string(),
                                                       .name = actor->name});
                                    }
                                    return to_response(invalid_credentials());
                                }
                                const auto directory = storage.load_directory();
                                const auto& current = directory.actors.at(actor->id);
                                if (current.is_disabled) {
                                    return to_response(invalid_credentials());
                                }
                                if (current.type != portal::ActorType::kAdminUser) {
                                    return to_response({403, "forbidden", "Only administrators may sign in here."});
                                }
                                http::Response response;
                                storage.in_transaction([&] { response = visitor.begin_session(directory, current); });
                                return response;
                            }};
}

Answer show_session(Call& call) {
    return respond(200, session_data(call.subject, call.directory()));
}

Answer sign_out(Call& call) {
    call.storage().in_transaction([&] {
        call.storage().erase_browser_session(call.subject.secret_hash);
        call.record(
            {.action = "sign_out", .type = "session", .id = call.subject.actor.to_string(), .name = call.subject.name});
    });
    auto response = respond_nothing();
    response.headers.emplace_back("Set-Cookie", Authenticator::cookie_with("", call.request.is_https));
    return response;
}

Answer change_own_password(Call& call) {
    Input input{call.body, "password"};
    std::string current;
    std::string password;
    input.require("current", [&](const ConfigurationValue& value) {
        current = raw_text(value, call.body, "password", "current");
        if (current.size() > kLongestPassword) {
            value.fail("is wrong");
        }
    });
    input.require("new", [&](const auto& value) { password = new_password(value, call.body, "password", "new"); });
    input.check();
    // A session that somebody else got hold of must not serve to find the password out.
    call.tools.authentication.count_sign_in(call.request.remote_ip, call.subject.actor.to_string(), call.now);
    return change_password(call, call.subject.actor, std::move(password), std::move(current), call.subject.secret_hash);
}

Answer set_password(Call& call) {
    const auto& actor = call.row(call.directory().actors);
    if (actor.type != portal::ActorType::kUser && actor.type != portal::ActorType::kAdminUser) {
        throw conflict("Only people have passwords. Create a token for this one.");
    }
    if (!actor.email) {
        throw conflict("Give this person an e-mail address first, to sign in with.");
    }
    Input input{call.body, "password"};
    std::string password;
    input.require("new", [&](const auto& value) { password = new_password(value, call.body, "password", "new"); });
    input.check();
    return change_password(call, actor.id, std::move(password), std::nullopt,
                           actor.id == call.subject.actor ? call.subject.secret_hash : "");
}

}  // namespace culvert::admin
