#include "culvert/tunnel/names/name_requests.h"

#include <algorithm>
#include <iterator>

#include "culvert/tunnel/names/constants.h"

namespace culvert::tunnel {
namespace {

void keep_first(std::vector<net::IpAddress>& addresses) {
    std::ranges::sort(addresses);
    std::size_t v4 = 0;
    std::size_t v6 = 0;
    std::erase_if(addresses, [&](const net::IpAddress& address) {
        return ++(address.is_v4() ? v4 : v6) > kMaxAddressesPerFamily;
    });
}

}  // namespace

bool NameRequests::submit(Request request, Instant now) {
    if (const auto known = known_.find(request.domain); known != known_.end() && known->second.until > now) {
        resolved_.push_back({std::move(request), true, known->second.addresses});
        return true;
    }
    const auto found = by_name_.find(request.domain);
    if (found != by_name_.end()) {
        auto& requests = waiting_.at(found->second).requests;
        const auto repeated = std::ranges::find_if(requests, [&](const Request& other) {
            return other.client == request.client && other.message.resource == request.message.resource;
        });
        if (repeated != requests.end()) {
            *repeated = std::move(request);
            return true;
        }
    }
    const bool is_scarce = waiting_.size() >= kMaxResolutions / 2;
    if (waiting_of(request.client) >= (is_scarce ? kScarceResolutionsPerClient : kMaxResolutionsPerClient)) {
        return false;
    }
    if (found == by_name_.end() && waiting_.size() >= kMaxResolutions) {
        return false;
    }
    if (found == by_name_.end() && !rates_[request.client].take(kResolutionRate, now)) {
        return false;
    }
    ++per_client_[request.client];
    if (found != by_name_.end()) {
        waiting_.at(found->second).requests.push_back(std::move(request));
        return true;
    }
    const LookUpId id{next_id_++};
    const auto domain = request.domain;
    by_name_.emplace(domain, id);
    lookups_.push_back({id, domain});
    auto& waiting = waiting_.try_emplace(id).first->second;
    waiting.domain = domain;
    waiting.ends_at = now + kResolutionTime;
    waiting.requests.push_back(std::move(request));
    return true;
}

void NameRequests::handle_addresses(LookUpId id, std::vector<net::IpAddress> addresses, Duration lifetime,
                                    Instant now) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) {
        return;  // too late
    }
    keep_first(addresses);
    remember(found->second.domain, addresses, now + std::min(lifetime, kMaxResolvedTime), now);
    answer(found, true, addresses);
}

void NameRequests::handle_failure(LookUpId id) {
    if (const auto found = waiting_.find(id); found != waiting_.end()) {
        answer(found, false, {});
    }
}

void NameRequests::remember(const dns::Name& domain, const std::vector<net::IpAddress>& addresses, Instant until,
                            Instant now) {
    if (addresses.empty()) {
        known_.erase(domain);  // like a failure
        return;
    }
    if (known_.size() >= kMaxResolvedNames && !known_.contains(domain)) {
        std::erase_if(known_, [&](const auto& item) { return item.second.until <= now; });
        if (known_.size() >= kMaxResolvedNames) {
            known_.erase(std::ranges::min_element(known_, {}, [](const auto& item) { return item.second.until; }));
        }
    }
    known_.insert_or_assign(domain, Known{addresses, until});
}

void NameRequests::answer(LookUps::iterator look_up, bool is_found, const std::vector<net::IpAddress>& addresses) {
    for (auto& request : look_up->second.requests) {
        const auto count = per_client_.find(request.client);
        if (--count->second == 0) {
            per_client_.erase(count);
        }
        resolved_.push_back({std::move(request), is_found, addresses});
    }
    std::erase_if(lookups_, [&](const LookUp& other) { return other.id == look_up->first; });
    by_name_.erase(look_up->second.domain);
    waiting_.erase(look_up);
}

std::size_t NameRequests::waiting_of(const ClientId& client) const {
    const auto found = per_client_.find(client);
    return found == per_client_.end() ? 0 : found->second;
}

void NameRequests::forget_client(const ClientId& client) {
    for (auto& [id, waiting] : waiting_) {
        std::erase_if(waiting.requests, [&](const Request& request) { return request.client == client; });
    }
    per_client_.erase(client);
    rates_.erase(client);
    std::erase_if(resolved_, [&](const Resolved& resolved) { return resolved.request.client == client; });
}

void NameRequests::handle_timeout(Instant now) {
    while (!waiting_.empty() && waiting_.begin()->second.ends_at <= now) {
        answer(waiting_.begin(), false, {});
    }
}

std::optional<NameRequests::LookUp> NameRequests::poll_lookup() {
    if (lookups_.empty()) {
        return std::nullopt;
    }
    std::optional next{std::move(lookups_.front())};
    lookups_.pop_front();
    return next;
}

std::optional<NameRequests::Resolved> NameRequests::poll_resolved() {
    if (resolved_.empty()) {
        return std::nullopt;
    }
    std::optional next{std::move(resolved_.front())};
    resolved_.pop_front();
    return next;
}

std::optional<Instant> NameRequests::poll_timeout() const {
    return waiting_.empty() ? std::nullopt : std::optional{waiting_.begin()->second.ends_at};
}

}  // namespace culvert::tunnel
