#include "culvert/portal/held_answers.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "culvert/base/snapshot.h"
#include "culvert/portal/constants.h"

namespace culvert::portal {

void HeldAnswers::hold(const ClientId& client, const crypto::PublicKey& key, portal_api::FlowCreated answer,
                       Instant until, Instant now) {
    if (size_ >= kMaxHeldAnswers) {
        prune(now);
    }
    if (until <= now || size_ >= kMaxHeldAnswers) {
        return;
    }
    auto& held = clients_[client];
    if (held.key != key) {
        size_ -= held.answers.size();
        held = {.key = key, .answers = {}, .candidates = {}};
    }
    const auto resource = answer.resource_id;
    if (held.answers.size() < kMaxHeldOfClient || held.answers.contains(resource)) {
        const bool is_new = held.answers.insert_or_assign(resource, Answer{until, std::move(answer)}).second;
        size_ += is_new ? 1 : 0;
    }
}

bool HeldAnswers::waits_for(const Client& client, const GatewayId& gateway, Instant now) {
    return std::ranges::any_of(client.answers, [&](const auto& entry) {
        return entry.second.message.gateway_id == gateway && entry.second.until > now;
    });
}

void HeldAnswers::add_candidates(const std::vector<ClientId>& clients, const GatewayId& gateway,
                                 const std::vector<std::string>& candidates, Instant now) {
    if (clients_.empty()) {
        return;  // as good as always
    }
    for (const auto& client : clients) {
        const auto held = clients_.find(client);
        if (held == clients_.end() || !waits_for(held->second, gateway, now)) {
            continue;
        }
        auto& known = held->second.candidates[gateway];
        for (const auto& candidate : candidates) {
            if (candidate.size() <= kMaxCandidateLength && known.size() < kMaxHeldCandidates &&
                std::ranges::count(known, candidate) == 0) {
                known.push_back(candidate);
            }
        }
    }
}

void HeldAnswers::remove_candidates(const std::vector<ClientId>& clients, const GatewayId& gateway,
                                    const std::vector<std::string>& candidates) {
    if (clients_.empty()) {
        return;
    }
    for (const auto& client : clients) {
        const auto held = clients_.find(client);
        if (held == clients_.end()) {
            continue;
        }
        if (const auto known = held->second.candidates.find(gateway); known != held->second.candidates.end()) {
            std::erase_if(known->second,
                          [&](const std::string& candidate) { return std::ranges::count(candidates, candidate) > 0; });
        }
    }
}

HeldAnswers::Held HeldAnswers::take(const ClientId& client, const crypto::PublicKey& key, Instant now) {
    auto entry = clients_.extract(client);
    if (!entry) {
        return {};
    }
    auto& held = entry.mapped();
    size_ -= held.answers.size();
    if (held.key != key) {
        return {};
    }
    Held taken{.answers = {}, .candidates = std::move(held.candidates)};
    for (auto& [resource, answer] : held.answers) {
        if (answer.until > now) {
            taken.answers.push_back(std::move(answer.message));
        }
    }
    return taken;
}

void HeldAnswers::prune(Instant now) {
    for (auto client = clients_.begin(); client != clients_.end();) {
        auto& answers = client->second.answers;
        size_ -= std::erase_if(answers, [&](const auto& answer) { return answer.second.until <= now; });
        client = answers.empty() ? clients_.erase(client) : std::next(client);
    }
}

void HeldAnswers::describe(Snapshot& out) const {
    for (const auto& [id, client] : clients_) {
        for (const auto& [resource, answer] : client.answers) {
            out.line("held_answer")
                .field("client", id)
                .field("resource", resource)
                .field("gateway", answer.message.gateway_id)
                .field("until", answer.until);
        }
    }
}

}  // namespace culvert::portal
