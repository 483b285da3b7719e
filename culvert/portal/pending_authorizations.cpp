#include "culvert/portal/pending_authorizations.h"

#include <utility>

#include "culvert/base/base64.h"
#include "culvert/base/snapshot.h"
#include "culvert/crypto/fingerprint.h"
#include "culvert/portal/constants.h"

namespace culvert::portal {

std::string PendingAuthorizations::add(PendingAuthorization pending, Rng& rng) {
    if (recent_.size() >= kMaxPendingOfGeneration) {
        start_generation();
    }
    auto ref = to_base64(rng.array<24>(), Base64::kUrlNoPadding);
    recent_.emplace(ref, std::move(pending));
    return ref;
}

std::optional<PendingAuthorization> PendingAuthorizations::take(const std::string& ref, const GatewayId& gateway) {
    for (auto* generation : {&recent_, &older_}) {
        const auto found = generation->find(ref);
        if (found != generation->end() && found->second.gateway == gateway) {
            return std::move(generation->extract(found).mapped());
        }
    }
    return std::nullopt;
}

void PendingAuthorizations::start_generation() {
    older_ = std::exchange(recent_, {});
}

void PendingAuthorizations::describe(Snapshot& out) const {
    for (const auto* generation : {&older_, &recent_}) {
        for (const auto& [ref, pending] : *generation) {
            out.line("pending_authorization")
                .field("ref", crypto::fingerprint(as_bytes(ref)))
                .field("client", pending.client)
                .field("gateway", pending.gateway);
        }
    }
}

}  // namespace culvert::portal
