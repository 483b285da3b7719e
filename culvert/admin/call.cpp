#include "culvert/admin/call.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "culvert/base/base64.h"
#include "culvert/base/printable.h"
#include "culvert/crypto/hash.h"
#include "culvert/portal/text.h"

namespace culvert::admin {
namespace {

namespace json = boost::json;

constexpr std::string_view kCursorPrefix = "from ";

/// What of an object changes without anybody changing it.
constexpr std::array<std::string_view, 11> kVolatile = {"is_online",
                                                        "last_seen_at",
                                                        "last_seen_version",
                                                        "last_seen_remote_ip",
                                                        "last_seen_user_agent",
                                                        "last_used_at",
                                                        "gateways_online",
                                                        "gateways",
                                                        "clients",
                                                        "resources",
                                                        "actors"};

std::string cursor_for(std::size_t skip) {
    return to_base64(as_bytes(std::string{kCursorPrefix} + std::to_string(skip)), Base64::kUrlNoPadding);
}

std::optional<std::size_t> parse_number(std::string_view text) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

std::size_t parse_cursor(std::string_view cursor) {
    const auto bytes = from_base64(cursor, Base64::kUrlNoPadding);
    const auto text = bytes ? as_text(*bytes) : std::string_view{};
    const auto skip = text.starts_with(kCursorPrefix) ? parse_number(text.substr(kCursorPrefix.size())) : std::nullopt;
    constexpr std::size_t kFarthest = std::size_t{1} << 40U;
    if (!skip || *skip > kFarthest) {
        throw bad_request("Invalid cursor: take \"page_cursor\" from next_page or prev_page.");
    }
    return *skip;
}

std::string text_of(const json::object& object) {
    return object.empty() ? "" : json::serialize(object);
}

}  // namespace

void record(portal::Storage& storage, const Requester& subject, const net::IpAddress& from, UnixSeconds now,
            const Deed& deed) {
    const bool is_known = subject.kind != Requester::Kind::kNobody;
    storage.append({.at = now,
                    .actor = is_known ? std::optional{subject.actor} : std::nullopt,
                    .actor_name = subject.name,
                    .actor_email = subject.email,
                    .remote_ip = from.to_string(),
                    .action = deed.action,
                    .object_type = deed.type,
                    .object_id = deed.id,
                    .object_name = deed.name,
                    .before = text_of(deed.before),
                    .after = text_of(deed.after)});
}

void Call::record(const Deed& deed) const {
    admin::record(storage(), subject, request.remote_ip, wall_now, deed);
}

void Call::check_match(const json::object& current) const {
    if (!request.if_match.empty() && request.if_match != "*" && request.if_match != etag_of(current)) {
        throw ApiProblem{412, "precondition_failed", "Somebody else has changed it meanwhile. Load it again."};
    }
}

std::string etag_of(const json::object& object) {
    json::object stable;
    for (const auto& [key, value] : object) {
        if (std::ranges::count(kVolatile, std::string_view{key.data(), key.size()}) == 0 || value.is_array()) {
            stable[key] = value;
        }
    }
    const auto digest = crypto::sha256(as_bytes(json::serialize(stable)));
    return "\"" + to_base64(ByteSpan{digest}.first(12), Base64::kUrlNoPadding) + "\"";
}

http::Response respond(unsigned status, const json::object& data) {
    http::Response response{
        .status = status, .body = json::serialize(json::object{{"data", data}}), .content_type = "application/json"};
    response.headers.emplace_back("ETag", etag_of(data));
    return response;
}

http::Response respond_created(const std::string& location, const json::object& data) {
    auto response = respond(201, data);
    response.headers.emplace_back("Location", location);
    return response;
}

http::Response respond_nothing() {
    return {.status = 204, .body = "", .content_type = ""};
}

Page Page::of(const ApiRequest& request) {
    Page page;
    if (const auto text = request.parameter("limit"); !text.empty()) {
        const auto limit = parse_number(text);
        if (!limit) {
            throw bad_request("The parameter \"limit\" must be a number from 1 to " + std::to_string(kMaxLimit) + ".");
        }
        page.limit = std::clamp<std::size_t>(*limit, 1, kMaxLimit);
    }
    if (const auto cursor = request.parameter("page_cursor"); !cursor.empty()) {
        page.skip = parse_cursor(cursor);
    }
    page.text = std::string{portal::trim(request.parameter("q"))};
    if (page.text.size() > kMaxSearchText) {
        throw bad_request("The parameter \"q\" is too long.");
    }
    return page;
}

http::Response Page::respond(json::array rows, std::size_t count) const {
    json::object metadata{{"count", count}, {"limit", limit}, {"next_page", nullptr}, {"prev_page", nullptr}};
    if (skip + rows.size() < count && !rows.empty()) {
        metadata["next_page"] = cursor_for(skip + rows.size());
    }
    if (skip > 0) {
        metadata["prev_page"] = cursor_for(skip - std::min(skip, limit));
    }
    return {.status = 200,
            .body = json::serialize(json::object{{"data", std::move(rows)}, {"metadata", std::move(metadata)}}),
            .content_type = "application/json"};
}

}  // namespace culvert::admin
