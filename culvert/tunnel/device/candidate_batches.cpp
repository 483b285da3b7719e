#include "culvert/tunnel/device/candidate_batches.h"

#include <algorithm>

namespace culvert::tunnel {

void CandidateBatches::add(const connectivity::NewIceCandidate& event) {
    insert(added_[event.id], event.priority, event.candidate);
}

void CandidateBatches::add(const connectivity::InvalidateIceCandidate& event) {
    insert(removed_[event.id], event.priority, event.candidate);
}

void CandidateBatches::insert(Batch& batch, std::uint32_t priority, const std::string& text) {
    if (std::ranges::find(batch, text, &Candidate::text) == batch.end()) {
        batch.push_back({priority, text});
    }
}

std::vector<std::string> CandidateBatches::sorted(Batch& batch) {
    std::ranges::sort(batch, [](const Candidate& a, const Candidate& b) {
        return a.priority != b.priority ? a.priority > b.priority : a.text < b.text;
    });
    std::vector<std::string> candidates;
    candidates.reserve(batch.size());
    for (auto& candidate : batch) {
        candidates.push_back(std::move(candidate.text));
    }
    return candidates;
}

}  // namespace culvert::tunnel
