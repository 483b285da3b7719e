#include "culvert/portal/candidate_budget.h"

#include <algorithm>

#include "culvert/portal/constants.h"

namespace culvert::portal {
namespace {

constexpr Duration kRefill = Duration{std::chrono::seconds{1}} / static_cast<Duration::rep>(kCandidatesPerSecond);

}  // namespace

std::size_t CandidateBudget::take(const Uuid& receiver, std::size_t wanted, Instant now) {
    if (full_at_.size() >= prune_at_size_) {
        prune(now);
    }
    auto& full_at = full_at_.try_emplace(receiver, now).first->second;
    full_at = std::max(full_at, now);
    const auto missing = static_cast<std::size_t>((full_at - now + kRefill - Duration{1}) / kRefill);
    const auto granted = std::min(wanted, kCandidateBurst - std::min(missing, kCandidateBurst));
    full_at += static_cast<Duration::rep>(granted) * kRefill;
    return granted;
}

void CandidateBudget::prune(Instant now) {
    std::erase_if(full_at_, [&](const auto& entry) { return entry.second <= now; });
    prune_at_size_ = std::max<std::size_t>(64, 2 * full_at_.size());
}

}  // namespace culvert::portal
