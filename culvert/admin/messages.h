#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/admin/problem.h"
#include "culvert/http/message.h"
#include "culvert/net/ip_address.h"

/// What goes in and out of the administrators' API.
namespace culvert::admin {

/// A request, with those of its header fields that matter here.
struct ApiRequest {
    std::string method;
    /// Decoded, without the query.
    std::string path;
    /// Decoded, in order.
    std::vector<std::pair<std::string, std::string>> query = {};
    std::string authorization = {};
    std::string cookie = {};
    std::string csrf_token = {};
    std::string if_match = {};
    std::string content_type = {};
    /// Sec-Fetch-Site: what a browser says about whose page asks.
    std::string fetch_site = {};
    /// Who asks, behind proxies that are trusted.
    net::IpAddress remote_ip = {};
    /// Whether it came by TLS, as far as is known.
    bool is_https = false;
    std::string user_agent = {};
    std::string body = {};

    /// Empty: there is none. The first one counts.
    [[nodiscard]] std::string_view parameter(std::string_view name) const {
        for (const auto& [key, value] : query) {
            if (key == name) {
                return value;
            }
        }
        return {};
    }
};

/// What a password costs much time for: `work` may run on any thread, `finish` takes what it yielded and runs where the
/// request was answered. Neither refers to the request.
struct PasswordTask {
    struct Outcome {
        bool matches = false;
        /// Of the new password, if there is one.
        std::string hash;
    };
    std::function<Outcome()> work;
    std::function<http::Response(const Outcome&)> finish;
    /// How to say that it cannot be done; empty: as a problem document.
    std::function<http::Response(const ApiProblem&)> refuse = {};
};

/// The connection stays open, and is told of changes as server-sent events.
struct EventStream {};

using Answer = std::variant<http::Response, PasswordTask, EventStream>;

}  // namespace culvert::admin
