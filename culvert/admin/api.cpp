#include "culvert/admin/api.h"

#include <utility>

#include "culvert/crypto/secret.h"
#include "culvert/observability/log.h"
#include "culvert/portal/duplicate_keys.h"

namespace culvert::admin {
namespace {

namespace json = boost::json;

constexpr log::Logger kLog{"admin"};

/// What pages of others may not make a browser do. Scripts of other origins cannot send JSON without asking first,
/// which nothing here allows; forms cannot send it at all.
void check_origin(const ApiRequest& request) {
    const auto& site = request.fetch_site;
    if (!site.empty() && site != "same-origin" && site != "none") {
        throw ApiProblem{403, "csrf", "This request comes from another site's page."};
    }
    if (!request.body.empty()) {
        const auto type = std::string_view{request.content_type}.substr(0, request.content_type.find(';'));
        if (type != "application/json") {
            throw ApiProblem{415, "unsupported_media_type", "The body must be JSON, and say so: application/json."};
        }
    }
}

void check_access(const Route& route, const Requester& subject, const ApiRequest& request) {
    if (route.access == Access::kEverybody) {
        return;
    }
    if (subject.kind == Requester::Kind::kNobody) {
        throw not_signed_in();
    }
    if (subject.kind == Requester::Kind::kAdministrator && route.method != "GET" &&
        !crypto::equal_constant_time(as_bytes(subject.csrf_token), as_bytes(request.csrf_token))) {
        throw ApiProblem{403, "csrf", "The header X-CSRF-Token is missing or wrong. Take it from GET /session."};
    }
    if (subject.kind == Requester::Kind::kProgram && route.access == Access::kAdministrators) {
        throw ApiProblem{403, "forbidden", "This is not for tokens: sign in as an administrator."};
    }
}

json::value parse_body(const std::string& text) {
    if (text.empty()) {
        return nullptr;
    }
    json::error_code error;
    auto value = json::parse(text, error);
    if (error) {
        throw bad_request("The body is not valid JSON: " + error.message() + ".");
    }
    if (const auto place = portal::find_duplicate_key(text)) {
        throw bad_request("The body has \"" + *place + "\" twice.");
    }
    return value;
}

/// The database's failures are its owner's concern, not the visitor's.
http::Response failure(const portal::StorageError& error) {
    kLog.warn("Cannot answer an administrator", log::field("error", std::string_view{error.what()}));
    return to_response({.status = 503,
                        .code = "storage_failed",
                        .detail = "The portal cannot use its database now. Try again; its log says why.",
                        .retry_after = std::chrono::seconds{1}});
}

}  // namespace

Api::Api(portal::Storage& storage, Surroundings& surroundings, Rng rng, const PasswordCost& cost)
    : rng_{std::move(rng)},
      authentication_{storage, surroundings, rng_.fork()},
      tools_{storage, surroundings, authentication_, rng_, cost} {}

Answer Api::answer(const ApiRequest& request, Instant now, UnixSeconds wall_now) {
    try {
        return route(request, now, wall_now);
    } catch (const ApiProblem& problem) {
        auto response = to_response(problem);
        if (problem.status == 401) {
            response.headers.emplace_back("WWW-Authenticate", "Bearer");
        }
        return response;
    } catch (const portal::StorageError& error) {
        return failure(error);
    }
}

http::Response Api::finish(const PasswordTask& task, const PasswordTask::Outcome& outcome) {
    try {
        return task.finish(outcome);
    } catch (const ApiProblem& problem) {
        return to_response(problem);
    } catch (const portal::StorageError& error) {
        return failure(error);
    }
}

bool Api::is_still_signed_in(const ApiRequest& request, Instant now, UnixSeconds wall_now) {
    try {
        return authentication_.identify(request, now, wall_now).kind != Requester::Kind::kNobody;
    } catch (const ApiProblem&) {
        return false;
    }
}

Answer Api::route(const ApiRequest& request, Instant now, UnixSeconds wall_now) {
    const auto method = request.method == "HEAD" ? std::string_view{"GET"} : std::string_view{request.method};
    auto found = find_route(method, request.path);
    if (!found) {
        throw not_found();
    }
    if (found->route == nullptr) {
        auto response = to_response({405, "method_not_allowed", "Possible here: " + found->allowed + "."});
        response.headers.emplace_back("Allow", found->allowed);
        return response;
    }
    if (method != "GET") {
        check_origin(request);
    }
    const auto& chosen = *found->route;
    auto subject = chosen.access == Access::kEverybody ? Requester{} : authentication_.identify(request, now, wall_now);
    check_access(chosen, subject, request);
    if (subject.kind != Requester::Kind::kNobody) {
        authentication_.count_request(subject, now);
    }
    Call call{.tools = tools_,
              .request = request,
              .subject = std::move(subject),
              .parameters = std::move(found->parameters),
              .body = method == "GET" ? nullptr : parse_body(request.body),
              .wrapper = found->wrapper,
              .now = now,
              .wall_now = wall_now};
    return chosen.handler(call);
}

}  // namespace culvert::admin
