#include "culvert/portal/pending_flows.h"

#include <utility>

#include "culvert/base/base64.h"
#include "culvert/base/snapshot.h"
#include "culvert/crypto/fingerprint.h"
#include "culvert/portal/constants.h"

namespace culvert::portal {

std::string PendingFlows::add(PendingFlow flow, Rng& rng) {
    if (recent_.size() >= kMaxPendingOfGeneration) {
        start_generation();
    }
    auto ref = to_base64(rng.array<24>(), Base64::kUrlNoPadding);
    recent_.emplace(ref, std::move(flow));
    return ref;
}

std::optional<PendingFlow> PendingFlows::take(const std::string& ref, const GatewayId& gateway) {
    for (auto* generation : {&recent_, &older_}) {
        const auto found = generation->find(ref);
        if (found != generation->end() && found->second.gateway == gateway) {
            return std::move(generation->extract(found).mapped());
        }
    }
    return std::nullopt;
}

void PendingFlows::start_generation() {
    older_ = std::exchange(recent_, {});
}

void PendingFlows::describe(Snapshot& out) const {
    for (const auto* generation : {&older_, &recent_}) {
        for (const auto& [ref, flow] : *generation) {
            out.line("pending_flow")
                .field("ref", crypto::fingerprint(as_bytes(ref)))
                .field("client", flow.client)
                .field("gateway", flow.gateway);
        }
    }
}

}  // namespace culvert::portal
