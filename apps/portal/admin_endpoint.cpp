#include "apps/portal/admin_endpoint.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>
#include <variant>

#include <boost/asio/post.hpp>
#include <boost/beast/http/field.hpp>

#include "apps/portal/constants.h"
#include "culvert/admin/constants.h"
#include "culvert/admin/problem.h"
#include "culvert/base/overloaded.h"
#include "culvert/io/clock.h"
#include "culvert/observability/log.h"

namespace culvert::portal_server {
namespace {

namespace beast_http = boost::beast::http;
using admin::ApiRequest;

constexpr log::Logger kLog{"admin"};

UnixSeconds wall_seconds_now() {
    return std::chrono::floor<std::chrono::seconds>(io::wall_now());
}

std::string header_of(const http::Exchange::Message& message, beast_http::field field) {
    const auto value = message[field];
    return {value.data(), value.size()};
}

std::string header_of(const http::Exchange::Message& message, const char* name) {
    const auto value = message[name];
    return {value.data(), value.size()};
}

/// Several Cookie fields are one (RFC 9113 section 8.2.3).
std::string cookies_of(const http::Exchange::Message& message) {
    std::string joined;
    const auto [first, last] = message.equal_range(beast_http::field::cookie);
    for (auto field = first; field != last; ++field) {
        joined += joined.empty() ? "" : "; ";
        joined.append(field->value().data(), field->value().size());
    }
    return joined;
}

/// What every answer tells browsers not to do.
void harden(http::Response& response, bool is_https) {
    const auto has_policy = std::ranges::any_of(
        response.headers, [](const auto& header) { return header.first == "Content-Security-Policy"; });
    if (!has_policy) {
        response.headers.emplace_back("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    }
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    response.headers.emplace_back("X-Frame-Options", "DENY");
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
    response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
    if (is_https) {
        response.headers.emplace_back("Strict-Transport-Security", "max-age=31536000");
    }
}

http::Response refusal_of(const admin::PasswordTask& task, const admin::ApiProblem& problem) {
    return task.refuse ? task.refuse(problem) : admin::to_response(problem);
}

void send(const std::shared_ptr<http::Exchange>& exchange, http::Response response, bool is_https) {
    harden(response, is_https);
    exchange->respond(std::move(response));
}

}  // namespace

AdminEndpoint::AdminEndpoint(boost::asio::io_context& context, portal::Storage& storage, portal::ControlPlane& core,
                             Rng rng, std::shared_ptr<const WebFiles> files, std::function<void()> on_change)
    : context_{context},
      core_{core},
      rng_{std::move(rng)},
      files_{std::move(files)},
      on_change_{std::move(on_change)},
      events_{context},
      api_{storage, *this, rng_.fork()},
      sign_in_{storage, *this, api_.authentication(), rng_.fork()},
      worker_{kMaxWaitingPasswords} {}

AdminEndpoint::~AdminEndpoint() = default;

std::size_t AdminEndpoint::max_body(const http::Exchange::Message& message) {
    const std::string_view target{message.target().data(), message.target().size()};
    const auto path = target.substr(0, target.find('?'));
    const auto method = message.method_string();
    if (!admin::Api::has(path)) {
        return sign_in::SignIn::takes_body({method.data(), method.size()}, path) ? admin::kMaxStrangersBody : 0;
    }
    const bool is_stranger = message[beast_http::field::authorization].empty() &&
                             admin::Authenticator::secret_in(cookies_of(message)).empty();
    return is_stranger ? admin::kMaxStrangersBody : admin::kMaxBody;
}

bool AdminEndpoint::answer(const ExchangePtr& exchange, const Target& target, const Visitor& visitor) {
    if (answer_page(exchange, target, visitor.is_https)) {
        return true;
    }
    const auto& message = exchange->message();
    ApiRequest request{
        .method = std::string{message.method_string()},
        .path = target.path,
        .query = target.parameters,
        .authorization = header_of(message, beast_http::field::authorization),
        .cookie = cookies_of(message),
        .csrf_token = header_of(message, "X-CSRF-Token"),
        .if_match = header_of(message, beast_http::field::if_match),
        .content_type = header_of(message, beast_http::field::content_type),
        .fetch_site = header_of(message, "Sec-Fetch-Site"),
        .remote_ip = visitor.address,
        .is_https = visitor.is_https,
        .user_agent = printable_ascii(header_of(message, beast_http::field::user_agent)).substr(0, kMaxUserAgent),
        .body = message.body()};
    const auto now = io::monotonic_now();
    auto answer = admin::Api::has(target.path) ? std::optional{api_.answer(request, now, wall_seconds_now())}
                                               : sign_in_.answer(request, now, wall_seconds_now());
    if (!answer) {
        return false;
    }
    give(exchange, *std::move(answer), std::move(request));
    return true;
}

bool AdminEndpoint::answer_page(const ExchangePtr& exchange, const Target& target, bool is_https) {
    const auto& message = exchange->message();
    const bool is_read = message.method() == beast_http::verb::get || message.method() == beast_http::verb::head;
    if (!is_read || !files_) {
        return false;
    }
    const auto is_from_an_app = [&] {
        return std::ranges::any_of(target.parameters, [](const auto& parameter) { return parameter.first == "as"; });
    };
    if (target.path == "/" && is_from_an_app()) {
        return false;
    }
    if (target.path == "/" || target.path == "/admin") {
        http::Response response{.status = 302, .body = "", .content_type = "text/plain; charset=utf-8"};
        response.headers.emplace_back("Location", std::string{kWebPath});
        send(exchange, std::move(response), is_https);
        return true;
    }
    if (!target.path.starts_with(kWebPath)) {
        return false;
    }
    const auto if_none_match = header_of(message, beast_http::field::if_none_match);
    const auto accept_encoding = header_of(message, beast_http::field::accept_encoding);
    send(exchange,
         files_->answer(target.path, {.if_none_match = if_none_match, .accept_encoding = accept_encoding}, rng_),
         is_https);
    return true;
}

void AdminEndpoint::give(const ExchangePtr& exchange, admin::Answer answer, ApiRequest request) {
    std::visit(overloaded{
                   [&](http::Response& response) { send(exchange, std::move(response), request.is_https); },
                   [&](admin::PasswordTask& task) {
                       start(exchange, std::make_shared<admin::PasswordTask>(std::move(task)), request.is_https);
                   },
                   [&](const admin::EventStream&) { open_events(exchange, std::move(request)); },
               },
               answer);
}

void AdminEndpoint::start(const ExchangePtr& exchange, const std::shared_ptr<admin::PasswordTask>& task,
                          bool is_https) {
    const bool is_taken = worker_.submit([this, exchange, task, is_https]() mutable {
        std::optional<admin::PasswordTask::Outcome> outcome;
        try {
            outcome = task->work();
        } catch (const std::exception& failure) {
            kLog.error("Cannot check a password", log::field("error", std::string_view{failure.what()}));
        }
        // Handed over whole: what it refers to must end on the other thread.
        boost::asio::post(context_, [exchange = std::move(exchange), task = std::move(task), outcome, is_https] {
            send(exchange,
                 outcome
                     ? admin::Api::finish(*task, *outcome)
                     : refusal_of(*task, {503, "failed", "The portal cannot check passwords now. Its log says why."}),
                 is_https);
        });
    });
    if (!is_taken) {
        send(exchange, refusal_of(*task, admin::too_many(std::chrono::seconds{1})), is_https);
    }
}

void AdminEndpoint::open_events(const ExchangePtr& exchange, ApiRequest request) {
    const bool is_https = request.is_https;
    const auto is_welcome = [this, request = std::move(request)] {
        try {
            return api_.is_still_signed_in(request, io::monotonic_now(), wall_seconds_now());
        } catch (const portal::StorageError&) {
            return true;  // nobody knows; it will be asked again
        }
    };
    const std::string headers =
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        "Cross-Origin-Resource-Policy: same-origin\r\n";
    if (!events_.open(exchange, headers, is_welcome)) {
        send(exchange, admin::to_response(admin::too_many(std::chrono::seconds{10})), is_https);
    }
}

void AdminEndpoint::handle_change(std::string_view kind, std::string_view id) {
    events_.tell(kind, id);
    on_change_();
}

void AdminEndpoint::tell_setup_code(std::string_view code) {
    kLog.info("No administrator can sign in yet: open the pages under /admin/ and enter this code",
              log::field("code", code));
}

void AdminEndpoint::announce_setup() {
    try {
        api_.announce_setup();
    } catch (const portal::StorageError& failure) {
        kLog.debug("Cannot tell whether anybody can sign in", log::field("error", std::string_view{failure.what()}));
    }
}

void AdminEndpoint::stop() {
    events_.stop();
}

}  // namespace culvert::portal_server
