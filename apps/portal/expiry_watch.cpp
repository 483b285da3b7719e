#include "apps/portal/expiry_watch.h"

#include <chrono>
#include <utility>

#include "apps/portal/constants.h"
#include "apps/portal/listing.h"
#include "culvert/observability/log.h"

namespace culvert::portal_server {
namespace {

constexpr log::Logger kLog{"portal_server"};

bool is_due(const TokenListing& token, UnixSeconds now) {
    return token.last_seen_at && token.expires_at && *token.expires_at > now &&
           *token.expires_at <= now + kExpiryNotice;
}

}  // namespace

void ExpiryWatch::look_at(const std::vector<TokenListing>& tokens, UnixSeconds now) {
    const auto before = std::exchange(warned_at_, {});
    for (const auto& token : tokens) {
        if (!is_due(token, now)) {
            continue;
        }
        const auto last = before.find(token.id);
        const bool is_fresh = last != before.end() && now < last->second + kExpiryRepeat;
        warned_at_.emplace(token.id, is_fresh ? last->second : now);
        if (!is_fresh) {
            kLog.warn("A token that is in use expires soon, and its devices will be cut off; give them another one",
                      log::field("token", token.id), log::field("kind", kind_name(token.type)),
                      log::field("expires", to_rfc3339(*token.expires_at)));
        }
    }
}

}  // namespace culvert::portal_server
