#include "culvert/sign_in/sign_in.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "culvert/admin/api.h"
#include "culvert/admin/constants.h"
#include "culvert/admin/people.h"
#include "culvert/admin/problem.h"
#include "culvert/base/bytes.h"
#include "culvert/base/printable.h"
#include "culvert/base/rfc3339.h"
#include "culvert/observability/log.h"
#include "culvert/portal/text.h"
#include "culvert/sign_in/browser_cookie.h"
#include "culvert/sign_in/form_fields.h"
#include "culvert/sign_in/pages.h"

namespace culvert::sign_in {
namespace {

namespace json = boost::json;

constexpr log::Logger kLog{"sign_in"};

constexpr const char* kStartInTheApp =
    "Go back to the app and press its sign-in button again. If the app has no such button, run its sign-in command.";
constexpr const char* kWrong = "E-mail address or password are wrong.";

/// What else begins a path of this portal: an account by that name is found by its id.
constexpr std::array<std::string_view, 5> kTaken = {"admin", "healthz", "readyz", "metrics", "ingestion"};

/// "/acme/sign_in" is "acme" and "/sign_in".
std::pair<std::string_view, std::string_view> split(std::string_view path) {
    path.remove_prefix(std::min<std::size_t>(path.size(), 1));
    const auto end = std::min(path.find('/'), path.size());
    return {path.substr(0, end), path.substr(end)};
}

http::Response redirect(unsigned status, const std::string& location) {
    return {.status = status, .body = "", .headers = {{"Location", location}, {"Cache-Control", "no-store"}}};
}

http::Response used_already() {
    return pages::notice(409, "This page has served already", kStartInTheApp);
}

http::Response busy(const admin::ApiProblem& problem) {
    auto response =
        pages::notice(problem.status, "That is too much just now", "Wait a moment, then go back and try again.");
    response.retry_after = problem.retry_after;
    return response;
}

bool is_read(const admin::ApiRequest& request) {
    return request.method == "GET" || request.method == "HEAD";
}

/// For AppRequest::parse(): what stands more than once does not count.
auto query_of(const admin::ApiRequest& request) {
    return [&request](std::string_view name) {
        const std::string* found = nullptr;
        for (const auto& [key, value] : request.query) {
            if (key == name) {
                if (found != nullptr) {
                    return static_cast<const std::string*>(nullptr);
                }
                found = &value;
            }
        }
        return found;
    };
}

/// An app opens a link once; a form that asks for no nonce is known by itself.
std::string use_of(const AppRequest& app, std::string_view seal) {
    return app.nonce.empty() ? "form " + std::string{seal} : "nonce " + app.nonce;
}

bool may_sign_in(const portal::Actor& actor) {
    return actor.type == portal::ActorType::kUser || actor.type == portal::ActorType::kAdminUser;
}

}  // namespace

SignIn::SignIn(portal::Storage& storage, admin::Surroundings& surroundings, admin::Authenticator& authentication,
               Rng rng, const admin::PasswordCost& cost)
    : storage_{storage},
      surroundings_{surroundings},
      authentication_{authentication},
      rng_{std::move(rng)},
      cost_{cost},
      keys_{storage.token_keys()},
      seal_{keys_} {}

std::optional<admin::Answer> SignIn::answer(const admin::ApiRequest& request, Instant now, UnixSeconds wall_now) {
    if (request.path == pages::kStylePath && is_read(request)) {
        return pages::style_sheet();
    }
    const bool is_from_an_app = !request.parameter("as").empty();
    const auto [name, rest] = split(request.path);
    if (name.empty() && rest.empty() && is_from_an_app && is_read(request)) {
        // Apps may not know the account; this portal has only one.
        const auto app = AppRequest::parse(query_of(request));
        return app ? redirect(302, home() + "?" + app->to_query())
                   : pages::notice(400, "This address is incomplete", app.error() + " " + kStartInTheApp);
    }
    const auto home = this->home();
    if (!portal::equals_text(name, std::string_view{home}.substr(1)) && name != account().id.to_string()) {
        if (is_from_an_app && rest.empty() && is_read(request)) {
            return pages::notice(
                404, "There is no such account here",
                "Look at the account slug in the settings of the app, or ask whoever runs this portal.");
        }
        return std::nullopt;
    }
    try {
        return route(request, rest, now, wall_now);
    } catch (const portal::StorageError& error) {
        kLog.warn("Cannot sign anybody in", log::field("error", std::string_view{error.what()}));
        return busy({.status = 503, .code = {}, .detail = {}, .retry_after = std::chrono::seconds{1}});
    }
}

std::string SignIn::home() {
    const auto path = "/" + account().slug;
    const bool is_taken = admin::Api::has(path) || std::ranges::count(kTaken, account().slug) > 0;
    return is_taken ? "/" + account().id.to_string() : path;
}

admin::Answer SignIn::route(const admin::ApiRequest& request, std::string_view rest, Instant now,
                            UnixSeconds wall_now) {
    if (rest == kFormEnd && request.method == "POST") {
        return take_form(request, now, wall_now);
    }
    if (!is_read(request)) {
        return pages::notice(405, "That is not possible here", kStartInTheApp);
    }
    if (rest.empty()) {
        return open(request, wall_now);
    }
    if (rest == "/sign_in/done") {
        return hand_over(request, false, wall_now);
    }
    if (rest == "/sign_in/client_redirect") {
        return hand_over(request, true, wall_now);
    }
    if (rest == "/sign_out") {
        const auto* state = query_of(request)("state");
        const auto uri = state == nullptr ? std::nullopt : sign_out_uri(*state);
        return uri ? redirect(302, *uri)
                   : pages::notice(400, "This address is incomplete", "Sign out in the app itself.");
    }
    return pages::notice(404, "There is nothing here", kStartInTheApp);
}

http::Response SignIn::open(const admin::ApiRequest& request, UnixSeconds wall_now) {
    if (request.parameter("as").empty()) {
        return pages::notice(200, "People sign in from their apps",
                             std::string{kStartInTheApp} + " Administrators sign in under /admin/.");
    }
    auto app = AppRequest::parse(query_of(request));
    if (!app) {
        return pages::notice(400, "This address is incomplete", app.error() + " " + kStartInTheApp);
    }
    if (!app->nonce.empty() && used_.find(use_of(*app, ""), wall_now) != nullptr) {
        return used_already();
    }
    return form(200,
                {.app = *std::move(app),
                 .email = {},
                 .use = {},
                 .browser = std::string{browser_secret_in(request.cookie, kFormCookie)},
                 .from = request.remote_ip,
                 .is_https = request.is_https,
                 .wall_now = wall_now,
                 .now = {}},
                "");
}

admin::Answer SignIn::take_form(const admin::ApiRequest& request, Instant now, UnixSeconds wall_now) {
    const auto& site = request.fetch_site;
    const auto type = std::string_view{request.content_type}.substr(0, request.content_type.find(';'));
    const auto fields = FormFields::parse(request.body);
    if ((!site.empty() && site != "same-origin") || type != "application/x-www-form-urlencoded" || !fields) {
        return pages::notice(403, "This did not come from our page", kStartInTheApp);
    }
    const auto app = AppRequest::parse([&](std::string_view name) { return fields->find(name); });
    if (!app) {
        return pages::notice(400, "This page is incomplete", kStartInTheApp);
    }
    const auto email = portal::trim(fields->get("email"));
    const bool is_email = !email.empty() && email.size() <= kMaxEmail && !has_control_characters(email);
    Attempt attempt{.app = *app,
                    .email = std::string{is_email ? email : std::string_view{}},
                    .use = use_of(*app, fields->get("seal")),
                    .browser = std::string{browser_secret_in(request.cookie, kFormCookie)},
                    .from = request.remote_ip,
                    .is_https = request.is_https,
                    .wall_now = wall_now,
                    .now = now};
    switch (seal_.judge(fields->get("seal"), *app, attempt.browser, wall_now)) {
        case FormSeal::Verdict::kForged:
            return form(403, attempt,
                        "Your browser did not show our cookie. Allow cookies of this site and try again.");
        case FormSeal::Verdict::kExpired:
            return form(403, attempt, "This page was open for too long. Try again.");
        case FormSeal::Verdict::kGood:
            break;
    }
    if (used_.find(attempt.use, wall_now) != nullptr) {
        return used_already();
    }
    const auto password = fields->get("password");
    if (!is_email || password.empty() || password.size() > admin::kLongestPassword) {
        return form(422, attempt, kWrong);
    }
    try {
        authentication_.count_sign_in(request.remote_ip, attempt.email, now);
    } catch (const admin::ApiProblem& problem) {
        auto response = form(429, attempt, "Too many attempts. Wait a minute and try again.");
        response.retry_after = problem.retry_after;
        return response;
    }
    return check_password(std::move(attempt), std::string{password});
}

admin::Answer SignIn::check_password(Attempt attempt, std::string password) {
    const auto actor = admin::find_by_email(storage_, surroundings_.directory(), attempt.email);
    const auto stored = actor ? storage_.find_password(actor->id) : std::nullopt;
    const auto id = actor ? std::optional{actor->id} : std::nullopt;
    return admin::PasswordTask{
        // Whoever has no password takes as long to refuse.
        .work =
            [stored, password = std::move(password), cost = cost_] {
                return stored ? admin::PasswordTask::Outcome{admin::password_matches(password, *stored), ""}
                              : admin::PasswordTask::Outcome{false, admin::hash_password(password, cost)};
            },
        .finish =
            [this, attempt = std::move(attempt), id, stored](const admin::PasswordTask::Outcome& outcome) {
                try {
                    return finish(attempt, id, stored, outcome.matches);
                } catch (const portal::StorageError& error) {
                    kLog.warn("Cannot sign somebody in", log::field("error", std::string_view{error.what()}));
                    return busy({.status = 503, .code = {}, .detail = {}, .retry_after = std::chrono::seconds{1}});
                }
            },
        .refuse = busy};
}

/// Much may have changed meanwhile. All of it is read only for those who knew the password.
http::Response SignIn::finish(const Attempt& attempt, const std::optional<portal::ActorId>& id,
                              const std::optional<std::string>& stored, bool matches) {
    const auto& known = surroundings_.directory().actors;
    const auto row = id ? known.find(*id) : known.end();
    if (row == known.end()) {
        return refuse(attempt, std::nullopt, "unknown_address");
    }
    if (!stored) {
        return refuse(attempt, row->second, "no_password");
    }
    if (!matches || storage_.find_password(*id) != stored) {
        return refuse(attempt, row->second, "wrong_password");
    }
    const auto directory = storage_.load_directory();
    const auto found = directory.actors.find(*id);
    if (found == directory.actors.end()) {
        return refuse(attempt, std::nullopt, "unknown_address");
    }
    const auto& actor = found->second;
    if (actor.is_disabled) {
        return refuse(attempt, actor, "disabled");
    }
    if (!may_sign_in(actor)) {
        return refuse(attempt, actor, "no_person");
    }
    if (used_.find(attempt.use, attempt.wall_now) != nullptr) {
        return used_already();
    }
    const auto tokens = storage_.list_tokens_of(actor.id, std::nullopt, portal::TokenType::kClient);
    if (tokens.size() >= kMaxTokensOfPerson) {
        (void)refuse(attempt, actor, "too_many_tokens");
        return form(
            409, attempt,
            "You are signed in on too many devices. Ask an administrator to delete tokens that you do not need.");
    }
    return let_in(attempt, actor);
}

/// Says the same to all, whatever the reason.
http::Response SignIn::refuse(const Attempt& attempt, const std::optional<portal::Actor>& actor,
                              std::string_view reason) {
    if (actor || !strangers_.take("", attempt.now)) {
        record(attempt, actor ? &*actor : nullptr, false, "reason", reason);
    }
    return form(422, attempt, kWrong);
}

http::Response SignIn::let_in(const Attempt& attempt, const portal::Actor& actor) {
    const auto expires_at = attempt.wall_now + account().client_session_lifetime;
    const auto token =
        portal::create_token({.type = portal::TokenType::kClient, .account = account().id, .actor = actor.id},
                             expires_at, keys_, rng_, WallTime{attempt.wall_now}, attempt.app.nonce);
    const auto id = token.row.id.to_string();
    storage_.in_transaction([&] {
        storage_.put(token.row);
        storage_.put_name(token.row.id,
                          attempt.app.is_headless() ? "Signed in by browser, token copied" : "Signed in by browser");
        record(attempt, &actor, true, "token_id", id);
    });
    used_.put(attempt.use, true, attempt.wall_now + kFormLifetime, attempt.wall_now);
    surroundings_.handle_change("tokens", id);

    const auto secret = new_browser_secret(rng_);
    handovers_.put(admin::Authenticator::hash_of(secret),
                   {.app = attempt.app,
                    .fragment = token.text,
                    .actor_name = actor.name,
                    .identifier = actor.email.value_or(""),
                    .expires_at = expires_at},
                   attempt.wall_now + kHandoverLifetime, attempt.wall_now);
    auto response = redirect(303, home() + "/sign_in/done");
    response.headers.emplace_back("Set-Cookie",
                                  set_browser_secret(kHandoverCookie, secret, kHandoverLifetime, attempt.is_https));
    return response;
}

http::Response SignIn::hand_over(const admin::ApiRequest& request, bool is_redirect, UnixSeconds wall_now) {
    const auto secret = browser_secret_in(request.cookie, kHandoverCookie);
    const auto* found = secret.empty() ? nullptr : handovers_.find(admin::Authenticator::hash_of(secret), wall_now);
    if (found == nullptr) {
        return pages::notice(410, "This page has expired", kStartInTheApp);
    }
    if (found->app.is_headless()) {
        return pages::token(found->actor_name, account().name, found->fragment, to_rfc3339(found->expires_at));
    }
    if (!is_redirect) {
        return pages::handover(found->actor_name, account().name, home() + "/sign_in/client_redirect");
    }
    const DeepLink link{.account_name = account().name,
                        .account_slug = account().slug,
                        .actor_name = found->actor_name,
                        .fragment = found->fragment,
                        .identifier = found->identifier,
                        .state = found->app.state};
    return redirect(302, link.to_uri());
}

http::Response SignIn::form(unsigned status, const Attempt& attempt, std::string problem) {
    const auto secret = attempt.browser.empty() ? new_browser_secret(rng_) : attempt.browser;
    auto response = pages::form(
        status, {.account_name = account().name,
                 .action = home() + std::string{kFormEnd},
                 .is_headless = attempt.app.is_headless(),
                 .as = attempt.app.as,
                 .state = attempt.app.state,
                 .nonce = attempt.app.nonce,
                 .seal = seal_.make(attempt.app, secret, attempt.wall_now + kFormLifetime, to_hex(rng_.array<8>())),
                 .email = attempt.email,
                 .problem = std::move(problem)});
    response.headers.emplace_back("Set-Cookie",
                                  set_browser_secret(kFormCookie, secret, kFormLifetime, attempt.is_https));
    return response;
}

/// What strangers type is not written down: it may be a password in the wrong place.
void SignIn::record(const Attempt& attempt, const portal::Actor* actor, bool is_in, std::string_view key,
                    std::string_view value) {
    portal::AuditEntry entry{
        .at = attempt.wall_now,
        .actor = {},
        .actor_name = "",
        .actor_email = {},
        .remote_ip = attempt.from.to_string(),
        .action = is_in ? "sign_in" : "refuse_sign_in",
        .object_type = "client_session",
        .object_id = "",
        .object_name = "",
        .before = "",
        .after = json::serialize(json::object{{"as", attempt.app.as}, {key, json::string{value}}})};
    if (actor != nullptr) {
        entry.object_id = actor->id.to_string();
        entry.object_name = actor->name;
    }
    if (actor != nullptr && is_in) {
        entry.actor = actor->id;
        entry.actor_name = actor->name;
        entry.actor_email = actor->email;
    }
    storage_.append(entry);
    storage_.erase_audit(attempt.wall_now - admin::kAuditKept, admin::kMaxAuditEntries);
}

}  // namespace culvert::sign_in
