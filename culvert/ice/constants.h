#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"

/// Constants of ICE. Source: spec/connectivity.md section 12 unless said otherwise.
namespace culvert::ice {

/// How the checks of a pair are repeated (section 4.6).
struct CheckTiming {
    /// Wait after the first check; doubles with each further one ...
    Duration initial_rto;
    /// ... up to this.
    Duration max_rto;
    /// Checks kept per pair; a pair whose kept checks all went unanswered has failed.
    unsigned max_retransmits;

    friend bool operator==(const CheckTiming&, const CheckTiming&) = default;
};

inline constexpr CheckTiming kDefaultTiming{std::chrono::milliseconds{250}, std::chrono::milliseconds{1500}, 12};
inline constexpr CheckTiming kIdleTiming{std::chrono::seconds{25}, std::chrono::seconds{25}, 4};

/// How soon after a check the one follows that a check of the peer triggers (section 4.4): the pace of checks in RFC
/// 8445 section 14.2.
inline constexpr Duration kTriggeredCheckAfter = std::chrono::milliseconds{50};

/// Checks that a pair leaves unanswered, one after the other, until another path is preferred on which the peer is
/// heard: some two seconds, more than any trip takes. Ours to choose.
inline constexpr std::size_t kChecksUntilSilent = 4;

/// How often an agent without pairs wants to be called.
inline constexpr Duration kTickWithoutPairs = std::chrono::seconds{3};

inline constexpr std::size_t kMaxPairs = 100;

/// Optimistic candidates made per added candidate (section 3.7).
inline constexpr int kMaxOptimisticPerStep = 2;

/// Reflexive times host candidates beyond which nothing is guessed: an honest peer has a dozen at most, and looking all
/// of a hostile one's through would take milliseconds for each candidate that it signals. Ours to choose.
inline constexpr std::size_t kMaxOptimisticGuesses = 256;

/// What the local preference of a relay candidate loses if its family is another one than that in which we talk to the
/// relay (section 3.2).
inline constexpr std::uint32_t kCrossFamilyPenalty = 1000;

/// Of the textual form. RFC 8839 section 5.1: at most 32 characters; a longer ufrag than 256 cannot match anything
/// either.
inline constexpr std::size_t kMaxFoundation = 32;
inline constexpr std::size_t kMaxUfrag = 256;

/// Checks and answers, or events, that wait to be polled: far more than one input can produce, and callers drain after
/// each. Ours to choose.
inline constexpr std::size_t kMaxQueued = 1024;

/// Candidates remembered per side, so that a peer cannot make us remember more; ours to choose.
inline constexpr std::size_t kMaxCandidates = 256;

}  // namespace culvert::ice
