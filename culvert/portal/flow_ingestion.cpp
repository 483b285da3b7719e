#include "culvert/portal/flow_ingestion.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "culvert/net/ip_network.h"
#include "culvert/portal/constants.h"

namespace culvert::portal {
namespace {

namespace json = boost::json;
using Answer = FlowIngestion::Answer;

constexpr std::string_view kBearer = "Bearer ";
/// {"flow_logs": [{"outers": [{...}]}]}, and some more for what is ignored.
constexpr std::size_t kBodyDepth = 8;

json::value quoted(std::string_view text) {
    return json::value(json::string_view{text.data(), text.size()});
}

/// As all refusals (spec/newer-dialect.md section 3.1).
Answer refuse(unsigned status, std::string_view title, std::string_view code, std::string_view detail,
              json::object validation_errors = {}) {
    json::object problem{{"type", "about:blank"},
                         {"title", quoted(title)},
                         {"status", status},
                         {"detail", quoted(detail)},
                         {"code", quoted(code)}};
    if (!validation_errors.empty()) {
        problem.emplace("validation_errors", std::move(validation_errors));
    }
    return {.status = status, .body = json::serialize(problem), .code = code};
}

Answer bad_request(std::string_view detail) {
    return refuse(400, "Bad Request", "invalid_flow_logs", detail);
}

/// Has a device halve its batch.
Answer too_large() {
    return refuse(413, "Payload Too Large", "content_too_large", "More than 10 MB. Send fewer records at once.");
}

/// What a record may say of the authorization, which is for the token to say.
bool is_foreign(const json::value& record, const portal_api::IngestClaims& claims) {
    const auto* object = record.if_object();
    if (object == nullptr) {
        return false;
    }
    const std::array<std::pair<std::string_view, std::string>, 7> attributes = {
        {{"account_id", claims.account.to_string()},
         {"role", std::string{to_string(claims.role)}},
         {"policy_authorization_id", claims.policy_authorization.to_string()},
         {"policy_id", claims.policy.to_string()},
         {"resource_id", claims.resource.to_string()},
         {"initiator_device_id", claims.initiator_device.to_string()},
         {"responder_device_id", claims.responder_device.to_string()}}};
    return std::ranges::any_of(attributes, [&](const auto& attribute) {
        const auto* value = object->if_contains({attribute.first.data(), attribute.first.size()});
        return value != nullptr && (!value->is_string() || std::string_view{value->get_string()} != attribute.second);
    });
}

/// Whose limit it counts for: an IPv4 address, or the /64 of an IPv6 one, in which one machine has as many as it likes.
net::IpAddress place_of(const net::IpAddress& address) {
    constexpr unsigned kIpv6Place = 64;
    return address.is_v4() ? address : net::IpNetwork{address, kIpv6Place}.address();
}

}  // namespace

FlowIngestion::Admission FlowIngestion::admit(const net::IpAddress& from, std::string_view authorization,
                                              const Account& account, Instant now, UnixSeconds wall_now) {
    const bool is_stranger = !verify(authorization, account, wall_now);
    Admission admission{.max_body = is_stranger ? kMaxStrangersBody : portal_api::kMaxFlowBody,
                        .too_long = is_stranger ? unauthorized() : too_large()};
    if (is_too_fast(from, now)) {
        admission.verdict = refuse(429, "Too Many Requests", "rate_limit", "One batch each second.");
        admission.verdict->retry_after = std::chrono::seconds{1};
    }
    return admission;
}

bool FlowIngestion::is_too_fast(const net::IpAddress& from, Instant now) {
    const auto place = place_of(from);
    if (places_.size() >= kMaxIngestPlaces && !places_.contains(place)) {
        std::erase_if(places_, [&](const auto& known) { return known.second.is_full(now); });
        if (places_.size() >= kMaxIngestPlaces) {
            return true;
        }
    }
    return !places_[place].take(kIngestions, now);
}

/// In the order in which the specification names what can be wrong.
std::variant<FlowIngestion::Batch, Answer> FlowIngestion::judge(std::string_view authorization, std::string_view body,
                                                                const Account& account, UnixSeconds wall_now) {
    json::monotonic_resource memory;
    json::parse_options options;
    options.max_depth = kBodyDepth;
    json::error_code error;
    const auto document = json::parse({body.data(), body.size()}, error, &memory, options);
    const auto* object = error ? nullptr : document.if_object();
    const auto* list = object == nullptr ? nullptr : object->if_contains("flow_logs");
    const auto* records = list == nullptr ? nullptr : list->if_array();
    if (records == nullptr) {
        return bad_request("The body must be a JSON object with an array \"flow_logs\".");
    }
    if (records->size() > portal_api::kMaxFlowRecords) {
        return bad_request("More than 10000 records.");
    }
    const auto claims = verify(authorization, account, wall_now);
    if (!claims) {
        return unauthorized();
    }
    for (const auto& record : *records) {
        if (is_foreign(record, *claims)) {
            return refuse(422, "Unprocessable Entity", "foreign_authorization",
                          "A record belongs to another authorization than the token. Nothing was stored.");
        }
    }
    Batch batch;
    for (std::size_t i = 0; i < records->size(); ++i) {
        auto record = portal_api::decode_flow_record((*records)[i]);
        if (record) {
            batch.entries_.push_back(make_flow_log_entry(*std::move(record), *claims));
        } else {
            batch.errors_.emplace(i, std::move(record.error()));
        }
    }
    return batch;
}

/// Every failure is the same to who asks.
std::optional<portal_api::IngestClaims> FlowIngestion::verify(std::string_view authorization, const Account& account,
                                                              UnixSeconds wall_now) {
    if (!account.flow_logging.is_on || !authorization.starts_with(kBearer)) {
        return std::nullopt;
    }
    authorization.remove_prefix(kBearer.size());
    auto claims = portal_api::verify_ingest_token(authorization, key(), wall_now);
    if (!claims || claims->account != account.id || !claims->uploads_enabled) {
        return std::nullopt;
    }
    return *std::move(claims);
}

const portal_api::IngestKey& FlowIngestion::key() {
    if (!key_) {
        key_ = storage_.ingest_key(rng_);
    }
    return *key_;
}

std::optional<Answer> FlowIngestion::Batch::store_some(Storage& storage, UnixSeconds wall_now) {
    const auto end = std::min(entries_.size(), next_ + kRecordsAtOnce);
    if (next_ < end) {
        storage.in_transaction([&] {
            for (auto i = next_; i < end; ++i) {
                storage.put(entries_[i], wall_now);
            }
        });
        next_ = end;
    }
    if (next_ < entries_.size()) {
        return std::nullopt;
    }
    if (errors_.empty()) {
        return Answer{.status = 200, .body = R"({"data":{"status":"ok"}})"};
    }
    json::object errors;
    for (const auto& [index, text] : errors_) {
        if (errors.size() == kMaxValidationErrors) {
            break;
        }
        errors.emplace(std::to_string(index), json::array{quoted(text)});
    }
    return refuse(422, "Unprocessable Entity", "invalid_records",
                  std::to_string(errors_.size()) + " records are invalid; the others were stored.", std::move(errors));
}

void FlowIngestion::reap(const Account& account, UnixSeconds wall_now) {
    const auto& logging = account.flow_logging;
    storage_.erase_flow_logs(wall_now - logging.retention, logging.max_records, kFlowLogsReapedAtOnce);
}

Answer FlowIngestion::unauthorized() {
    return refuse(401, "Unauthorized", "invalid_token", "The token is invalid or expired, or takes no flow logs.");
}

Answer FlowIngestion::overloaded() {
    auto answer =
        refuse(503, "Service Unavailable", "overloaded", "Too much at once, or the database fails. Try again.");
    answer.retry_after = std::chrono::seconds{1};
    return answer;
}

}  // namespace culvert::portal
