#include "culvert/portal/device_claims.h"

#include <algorithm>
#include <utility>

#include "culvert/portal/constants.h"

namespace culvert::portal {

DeviceClaims::Verdict DeviceClaims::claim(const DeviceIdentity& device, const crypto::PublicKey& key, Instant now) {
    const auto entry = claims_.find(device);
    if (entry == claims_.end()) {
        return {};
    }
    auto& claim = entry->second;
    if (claim.disputed_since && now - claim.refused_at > kDisputeMemory) {
        claim.disputed_since.reset();
        claim.is_proven = false;
    }
    if (!claim.holder || claim.key == key) {
        return {};
    }
    const bool is_former = std::ranges::count(claim.former, key) > 0;
    if (!is_former && !claim.disputed_since) {
        return {};
    }
    const auto disputed_since = claim.disputed_since.value_or(now);
    if (now - std::max(claim.heard_at, disputed_since) > kDeviceSilence) {
        claim.disputed_since.reset();
        claim.is_proven = false;
        return {};
    }
    claim.disputed_since = disputed_since;
    claim.refused_at = now;
    if (claim.heard_at <= disputed_since) {
        return {Verdict::Kind::kWait, false};
    }
    const bool is_discovered = !std::exchange(claim.is_proven, true);
    return {is_former ? Verdict::Kind::kDuplicate : Verdict::Kind::kWait, is_discovered};
}

std::optional<SessionId> DeviceClaims::joined(const DeviceIdentity& device, SessionId session,
                                              const crypto::PublicKey& key, Instant now) {
    auto& claim = claims_[device];
    const auto before = claim.holder;
    if (claim.key != key && claim.key != crypto::PublicKey{}) {
        claim.former.push_back(claim.key);
        if (claim.former.size() > kFormerKeys) {
            claim.former.pop_front();
        }
    }
    std::erase(claim.former, key);
    claim.holder = session;
    claim.key = key;
    claim.heard_at = now;
    return before == session ? std::nullopt : before;
}

void DeviceClaims::heard(const DeviceIdentity& device, SessionId session, Instant now) {
    if (const auto entry = claims_.find(device); entry != claims_.end() && entry->second.holder == session) {
        entry->second.heard_at = now;
    }
}

void DeviceClaims::left(const DeviceIdentity& device, SessionId session) {
    if (const auto entry = claims_.find(device); entry != claims_.end() && entry->second.holder == session) {
        entry->second.holder.reset();
    }
}

std::optional<SessionId> DeviceClaims::holder(const DeviceIdentity& device) const {
    const auto entry = claims_.find(device);
    return entry == claims_.end() ? std::nullopt : entry->second.holder;
}

void DeviceClaims::prune(Instant now) {
    std::erase_if(claims_, [&](const auto& entry) {
        const auto& claim = entry.second;
        const auto last = claim.disputed_since ? std::max(claim.refused_at, claim.heard_at) : claim.heard_at;
        return !claim.holder && now - last > kDisputeMemory;
    });
}

}  // namespace culvert::portal
