#include "apps/portal/connection_limiter.h"

#include <algorithm>

#include "apps/portal/constants.h"
#include "culvert/crypto/hash.h"
#include "culvert/portal/constants.h"

namespace culvert::portal_server {
namespace {

net::IpAddress place_key(const net::IpAddress& address) {
    return address.family() == net::Family::kIpv4 ? address : net::IpNetwork{address, kV6PlaceLength}.address();
}

}  // namespace

bool ConnectionLimiter::opened(const net::IpAddress& peer, Instant now) {
    auto& place = place_of(peer, now);
    if (place.waiting >= kMaxWaitingOfPlace) {
        return false;
    }
    ++place.waiting;
    return true;
}

void ConnectionLimiter::closed(const net::IpAddress& peer) {
    if (const auto entry = places_.find(place_key(peer)); entry != places_.end() && entry->second.waiting > 0) {
        --entry->second.waiting;
    }
}

ConnectionLimiter::Wait ConnectionLimiter::upgrade(const net::IpAddress& client, bool shows_token, Instant now) {
    auto& place = place_of(client, now);
    const auto& rate = shows_token ? kSignedUpgrades : kUpgrades;
    if ((shows_token ? place.signed_upgrades : place.upgrades).take(rate, now)) {
        return std::nullopt;
    }
    return kCrowdPause + place.turns.next(rate, portal::kLongestTurn, now);
}

ConnectionLimiter::Wait ConnectionLimiter::log_in(const net::IpAddress& client, std::string_view token,
                                                  const Rate& rate, Instant now) {
    if (logins_.size() >= next_login_clean_up_) {
        std::erase_if(logins_, [&](const auto& entry) { return entry.second.tries.is_full(now); });
        next_login_clean_up_ = std::max<std::size_t>(1024, 2 * logins_.size());
    }
    TokenMark mark;
    std::ranges::copy_n(crypto::sha256(as_bytes(token)).begin(), mark.size(), mark.begin());
    auto& login = logins_[{client, mark}];
    return login.tries.take(rate, now) ? std::nullopt
                                       : Wait{kLoginPause + login.turns.next(rate, portal::kLongestTurn, now)};
}

bool ConnectionLimiter::may_answer_wrong_token(const net::IpAddress& client, Instant now) {
    return place_of(client, now).wrong_tokens.take(kWrongTokens, now);
}

ConnectionLimiter::Place& ConnectionLimiter::place_of(const net::IpAddress& address, Instant now) {
    if (places_.size() >= next_clean_up_) {
        std::erase_if(places_, [&](const auto& entry) {
            return entry.second.waiting == 0 && entry.second.upgrades.is_full(now) &&
                   entry.second.signed_upgrades.is_full(now) && entry.second.wrong_tokens.is_full(now);
        });
        next_clean_up_ = std::max<std::size_t>(1024, 2 * places_.size());
    }
    return places_[place_key(address)];
}

}  // namespace culvert::portal_server
