#include "tests/model/reference/grants.h"

#include <algorithm>

#include "culvert/base/overloaded.h"

namespace culvert::model {
namespace {

/// By the gateway's clock, and for as long as it takes to notice.
struct Clock {
    Instant now;
    WallTime wall;
    Duration grace{};
};

bool is_over(const Grants::Grant& grant, const Clock& clock) {
    const auto grace = std::chrono::duration_cast<std::chrono::milliseconds>(clock.grace);
    return grant.expires_at && clock.wall >= *grant.expires_at + grace && clock.now >= grant.told_at + clock.grace;
}

/// The union of the filters of all grants that cover the longest matching network.
bool match(const Grants::ByResource& grants, const net::IpAddress& address, const Service& service,
           const Clock& clock) {
    const Grants::Grant* longest = nullptr;
    for (const auto& [id, grant] : grants) {
        if (!is_over(grant, clock) && grant.network.contains(address) &&
            (longest == nullptr || grant.network.prefix() > longest->network.prefix())) {
            longest = &grant;
        }
    }
    return longest != nullptr && std::ranges::any_of(grants, [&](const auto& entry) {
               const auto& grant = entry.second;
               return !is_over(grant, clock) && grant.network.contains(longest->network) &&
                      permits(grant.filters, service);
           });
}

const Grants::ByResource kNone;

}  // namespace

void Grants::clear() {
    grants_.clear();
    losers_.clear();
    past_.clear();
}

void Grants::handle(const portal_api::ToGateway& message, Instant now, WallTime wall) {
    remember(now);
    std::visit(
        overloaded{[&](const portal_api::AuthorizeFlow& flow) {
                       if (!flow.expires_at || *flow.expires_at > std::chrono::floor<std::chrono::seconds>(wall)) {
                           handle_one(flow, now);  // what has expired is never granted
                       }
                   },
                   [&](const auto& alternative) { handle_one(alternative, now); }},
        message);
    note_losses(past_.back().second);
}

void Grants::note_losses(const ByClient& before) {
    for (const auto& [client, grants] : before) {
        if (std::ranges::any_of(grants, [&](const auto& entry) { return !of(client).contains(entry.first); })) {
            losers_.insert(client);
        }
    }
}

void Grants::remember(Instant now) {
    std::erase_if(past_, [&](const auto& entry) { return entry.first + kRevocationGrace < now; });
    past_.emplace_back(now, grants_);
}

void Grants::handle_one(const portal_api::GatewayInit& message, Instant now) {
    ByClient listed;
    for (const auto& entry : message.authorizations) {
        const auto client = grants_.find(entry.client_id);
        if (client == grants_.end()) {
            continue;
        }
        if (const auto grant = client->second.find(entry.resource_id); grant != client->second.end()) {
            auto& kept = listed[entry.client_id][entry.resource_id];
            kept = grant->second;
            kept.expires_at = entry.expires_at;
            kept.told_at = now;
        }
    }
    grants_ = std::move(listed);
}

void Grants::handle_one(const portal_api::AuthorizeFlow& message, Instant now) {
    if (const auto* cidr = std::get_if<portal_api::GatewayCidrResource>(&message.resource)) {
        grants_[message.client.id][cidr->id] = {cidr->address, cidr->filters, message.expires_at, now, now};
    }
}

void Grants::handle_one(const portal_api::AccessAuthorizationExpiryUpdated& message, Instant now) {
    const auto client = grants_.find(message.client_id);
    if (client == grants_.end()) {
        return;
    }
    if (const auto grant = client->second.find(message.resource_id); grant != client->second.end()) {
        grant->second.expires_at = message.expires_at;
        grant->second.told_at = now;
    }
}

void Grants::handle_one(const portal_api::RejectAccess& message, Instant /*now*/) {
    const auto client = grants_.find(message.client_id);
    if (client == grants_.end()) {
        return;
    }
    client->second.erase(message.resource_id);
    if (client->second.empty()) {
        grants_.erase(client);
    }
}

void Grants::handle_one(const portal_api::ResourceUpdated& message, Instant /*now*/) {
    const auto* cidr = std::get_if<portal_api::GatewayCidrResource>(&message.resource);
    if (cidr == nullptr) {
        return;
    }
    for (auto& [client, grants] : grants_) {
        if (const auto grant = grants.find(cidr->id); grant != grants.end()) {
            grant->second.filters = cidr->filters;
        }
    }
}

Grants::Answer Grants::evaluate(const ByClient& grants, const ClientId& client, const net::IpAddress& address,
                                const Service& service, Instant now, WallTime wall, Duration lateness) const {
    const auto found = grants.find(client);
    if (found == grants.end()) {
        return Answer::kNo;
    }
    if (match(found->second, address, service, {now, wall})) {
        return Answer::kYes;
    }
    return match(found->second, address, service, {now, wall, kExpiryGrace + lateness}) ? Answer::kLate : Answer::kNo;
}

Grants::Answer Grants::may_pass(const ClientId& client, const net::IpAddress& address, const Service& service,
                                Instant now, WallTime wall, Duration lateness) const {
    if (const auto answer = evaluate(grants_, client, address, service, now, wall, lateness); answer != Answer::kNo) {
        return answer;
    }
    const bool was_permitted = std::ranges::any_of(past_, [&](const auto& entry) {
        return entry.first + kRevocationGrace >= now &&
               evaluate(entry.second, client, address, service, now, wall, lateness) != Answer::kNo;
    });
    return was_permitted ? Answer::kLate : Answer::kNo;
}

Grants::Answer Grants::is_known(const ClientId& client, Instant now, WallTime wall, Duration lateness) const {
    const auto has_grant = [&](const ByClient& grants, Duration grace) {
        const auto found = grants.find(client);
        return found != grants.end() && std::ranges::any_of(found->second, [&](const auto& entry) {
                   return !is_over(entry.second, {now, wall, grace});
               });
    };
    if (has_grant(grants_, {})) {
        return Answer::kYes;
    }
    const bool is_late =
        has_grant(grants_, kExpiryGrace + lateness) || std::ranges::any_of(past_, [&](const auto& entry) {
            return entry.first + kRevocationGrace >= now && has_grant(entry.second, kExpiryGrace + lateness);
        });
    return is_late ? Answer::kLate : Answer::kNo;
}

bool Grants::has_lost(const ClientId& client, WallTime wall) const {
    return losers_.contains(client) || std::ranges::any_of(of(client), [&](const auto& entry) {
               return is_over(entry.second, {Instant::max(), wall});
           });
}

const Grants::ByResource& Grants::of(const ClientId& client) const {
    const auto found = grants_.find(client);
    return found == grants_.end() ? kNone : found->second;
}

}  // namespace culvert::model
