#include "culvert/flow_upload/uploader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "culvert/observability/log.h"
#include "culvert/portal_api/flow_record.h"

namespace culvert::flow_upload {
namespace {

constexpr log::Logger kLog{"flow_upload"};

bool is_success(unsigned status) {
    return status >= 200 && status < 300;
}
/// May be over soon. No answer at all counts.
bool is_passing(unsigned status) {
    return status == 0 || status == 408 || status >= 500;
}
bool is_redirect(unsigned status) {
    return status == 301 || status == 302 || status == 307 || status == 308;
}

std::string body_of(std::span<const std::string> records) {
    return portal_api::encode_flow_batch({records.begin(), records.end()});
}

}  // namespace

Uploader::Outcome Uploader::pass(const Destination& destination, std::size_t batch_size) {
    destination_ = destination;
    redirects_ = 0;
    bool has_more = false;
    for (const auto& key : spool_.waiting()) {
        const auto batch = spool_.read(key, batch_size);
        if (batch.records.empty()) {
            continue;  // all of its files were damaged
        }
        const auto token = spool_.token(key);  // it may get another one meanwhile
        auto fate = Fate::kArrived;
        // A file may have more records than a batch.
        for (Records rest{batch.records}; !rest.empty() && fate == Fate::kArrived;) {
            const auto part = rest.first(std::min(batch_size, rest.size()));
            fate = send(key, token, part);
            rest = rest.subspan(part.size());
        }
        switch (fate) {
            case Fate::kArrived:
                spool_.remove(key, batch.files);
                refused_with_.erase(key);
                has_more |= batch.has_more;
                break;
            case Fate::kRefused:
                spool_.put_off(key, batch.files);
                break;
            case Fate::kUnreachable:
                return Outcome::kGaveUp;
            case Fate::kEnding:
                return Outcome::kEnding;
        }
    }
    std::erase_if(refused_with_,
                  [this](const auto& refused) { return std::ranges::count(spool_.waiting(), refused.first) == 0; });
    return has_more ? Outcome::kHasMore : Outcome::kDone;
}

Uploader::Fate Uploader::send(const Spool::Key& key, const std::string& token, Records records) {
    const auto body = body_of(records);
    auto backoff = kFirstBackoff;
    Duration waited{};
    while (true) {
        const auto answer = transport_.post(destination_, token, body);
        if (!answer) {
            return Fate::kEnding;
        }
        if (answer->is_untrusted) {
            report_untrusted(*answer);
            return Fate::kUnreachable;  // nothing that is over within minutes
        }
        if (is_success(answer->status)) {
            is_known_as_untrusted_ = false;
            return Fate::kArrived;
        }
        if (answer->status == 413 && records.size() > 1) {
            return send_halves(key, token, records);
        }
        if (is_redirect(answer->status)) {
            if (follow(*answer)) {
                continue;
            }
            report(key, answer->status);
            return Fate::kRefused;
        }
        if (answer->status == 429) {
            if (!transport_.pause(std::min(answer->retry_after.value_or(kDefaultRetryAfter), kLongestRetryAfter))) {
                return Fate::kEnding;
            }
            continue;
        }
        if (!is_passing(answer->status)) {
            report(key, answer->status);
            return Fate::kRefused;
        }
        if (waited + backoff > kMaxBackoff) {
            kLog.warn("Cannot upload records of flows; they are kept", log::field("status", answer->status),
                      log::field("error", answer->error), log::field("records", spool_.records()));
            return Fate::kUnreachable;
        }
        kLog.debug("Cannot upload records of flows; trying again soon", log::field("status", answer->status),
                   log::field("error", answer->error));
        if (!transport_.pause(backoff)) {
            return Fate::kEnding;
        }
        waited += backoff;
        backoff *= 2;
    }
}

Uploader::Fate Uploader::send_halves(const Spool::Key& key, const std::string& token, Records records) {
    const auto half = records.size() / 2;
    const auto first = send(key, token, records.first(half));
    return first == Fate::kArrived ? send(key, token, records.subspan(half)) : first;
}

bool Uploader::follow(const Answer& answer) {
    if (++redirects_ > kMaxRedirects) {
        return false;
    }
    auto destination = redirected_to(answer.location);
    if (!destination) {
        return false;
    }
    destination_ = *std::move(destination);
    return true;
}

/// Once, until something arrives.
void Uploader::report_untrusted(const Answer& answer) {
    if (!std::exchange(is_known_as_untrusted_, true)) {
        kLog.warn(
            "The server that takes records of flows does not prove who it is; they are kept. Have it present a "
            "certificate that this machine trusts, or add its certificate authority (SSL_CERT_FILE)",
            log::field("host", destination_.host), log::field("error", answer.error),
            log::field("records", spool_.records()));
    }
}

/// Once, until it is something else.
void Uploader::report(const Spool::Key& key, unsigned status) {
    if (std::exchange(refused_with_[key], status) != status) {
        kLog.warn("The portal does not take records of flows of an authorization; they are kept",
                  log::field("status", status), log::field("authorization", key.authorization));
    }
}

}  // namespace culvert::flow_upload
