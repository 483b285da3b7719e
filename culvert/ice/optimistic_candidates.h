#pragma once

#include <vector>

#include "culvert/ice/candidate_set.h"

namespace culvert::ice {

/// Guesses at which ports a peer behind a symmetric NAT may be reached: its reflexive addresses with the ports of its
/// hosts, since such ports are often forwarded (spec/connectivity.md section 3.7). At most kMaxOptimisticPerStep that
/// `remotes` does not know.
[[nodiscard]] std::vector<Candidate> guess_candidates(const CandidateSet& remotes);

}  // namespace culvert::ice
