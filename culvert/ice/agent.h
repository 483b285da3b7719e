#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culvert/base/deadlines.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/ice/candidate.h"
#include "culvert/ice/candidate_set.h"
#include "culvert/ice/checklist.h"
#include "culvert/ice/constants.h"
#include "culvert/ice/pair.h"
#include "culvert/observability/id_logger.h"

namespace culvert {
class Snapshot;
}

namespace culvert::stun {
class Message;
}

namespace culvert::ice {

/// User name fragment and password of one side. Opaque; made by the portal.
struct Credentials {
    std::string username;
    std::string password;

    friend bool operator==(const Credentials&, const Credentials&) = default;
};

/// Source: spec/connectivity.md section 4.7.
enum class AgentState { kNew, kChecking, kConnected, kCompleted, kDisconnected };

[[nodiscard]] std::string_view to_text(AgentState state);

/// The pair to send through from now on.
struct Nominated {
    net::SocketAddress source;
    net::SocketAddress destination;

    friend bool operator==(const Nominated&, const Nominated&) = default;
};

struct StateChanged {
    AgentState state;

    friend bool operator==(const StateChanged&, const StateChanged&) = default;
};

using AgentEvent = std::variant<Nominated, StateChanged>;

/// A check or an answer. `source` is a host or relay candidate of ours.
struct AgentTransmit {
    net::SocketAddress source;
    net::SocketAddress destination;
    Bytes payload;
    /// The kind of candidate that `source` is.
    CandidateKind source_kind = CandidateKind::kHost;
};

/// Finds a path to one peer: full ICE (RFC 8445) in trickle mode with the deviations of spec/connectivity.md section 4.
///
/// Sans-IO: feed it candidates, STUN messages and time, drain its outputs. Pacing is zero: one handle_timeout() sends
/// at most one check, and poll_timeout() may name an instant that has already come; call again.
class Agent {
public:
    /// `tag`, of 24 bits, begins all transaction ids, so that whoever owns many agents finds the one that a response
    /// belongs to; the other 72 bits are random. `subject` tells agents apart in the log.
    Agent(AgentRole role, Credentials local, Credentials remote, std::uint32_t tag, Rng rng,
          const log::IdField& subject = {});

    [[nodiscard]] static std::uint32_t tag_of(const TransactionId& id);

    [[nodiscard]] AgentRole role() const { return role_; }
    [[nodiscard]] AgentState state() const { return state_; }
    [[nodiscard]] const Credentials& local_credentials() const { return local_; }
    [[nodiscard]] const Credentials& remote_credentials() const { return remote_; }

    /// Offers a host or relay candidate of ours. The result is what must be signalled to the peer (numbered priority,
    /// our ufrag), or nullopt if it is redundant (section 4.1).
    std::optional<Candidate> add_local_candidate(const Candidate& candidate, Instant now);

    /// Exact repeats change nothing. False if it was refused: another peer's ufrag, or an address that cannot be one.
    bool add_remote_candidate(const Candidate& candidate, Instant now);

    /// Whether add_remote_candidate() would change nothing, because checks of this candidate are running.
    [[nodiscard]] bool is_in_use(const Candidate& remote) const;

    /// Guesses forwarded ports behind a symmetric NAT (section 3.7): call after each added remote candidate.
    void generate_optimistic_candidates(Instant now);

    /// Checks all pairs without a relay again that have failed before.
    void retry_direct_pairs(Instant now);

    /// Drops a candidate and its pairs; whether it was present. Follow with handle_timeout().
    bool remove_local_candidate(const Candidate& candidate);
    bool remove_remote_candidate(const Candidate& candidate);

    /// Candidates that are in use, in the order in which they came.
    [[nodiscard]] std::vector<Candidate> local_candidates() const { return locals_.in_use(); }
    [[nodiscard]] std::vector<Candidate> remote_candidates() const { return remotes_.in_use(); }
    /// Whether a remote candidate was ever known, discarded and peer-reflexive ones included.
    [[nodiscard]] bool has_known_remote_candidate() const { return !remotes_.empty(); }

    /// Takes effect at once: overdue checks are due immediately.
    void set_timing(const CheckTiming& timing, Instant now);
    [[nodiscard]] const CheckTiming& timing() const { return timing_; }

    /// Consumes `message` if it belongs to this agent (section 4.3); false leaves it to others.
    /// `local` is the address it arrived at: a socket address of ours, or a relay address.
    bool handle_message(const net::SocketAddress& local, const net::SocketAddress& from, const stun::Message& message,
                        Instant now);

    /// The peer proved, with a message of the protocol above, that it sends from `from` to `local`. The controlled side
    /// takes a nominated path that is proved so instead of a better one that has fallen silent: a peer that lost its
    /// half of an idle connection and made a new one has left our old paths, long before their checks time out here.
    /// Follow with handle_timeout().
    void note_peer_path(const net::SocketAddress& local, const net::SocketAddress& from, Instant now);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return due_.next(); }
    [[nodiscard]] std::optional<AgentTransmit> poll_transmit();
    [[nodiscard]] std::optional<AgentEvent> poll_event();

    /// The path in use, if any.
    [[nodiscard]] const std::optional<Nominated>& nominated() const { return nominated_; }
    /// Whether a relay of either side is on it, as far as we know.
    [[nodiscard]] bool is_relayed() const;

    /// For tests and diagnostics.
    [[nodiscard]] const std::vector<CandidatePair>& pairs() const { return checklist_.pairs(); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    enum class Due : std::uint8_t {
        kPeerPath,  ///< note_peer_path() may have changed the nomination
        kTick,      ///< without pairs the state is looked at now and then
        kCheck,     ///< of the pair whose turn comes first
    };

    bool handle_request(const net::SocketAddress& local, const net::SocketAddress& from, const stun::Message& message,
                        Instant now);
    bool handle_response(const stun::Message& message, Instant now);
    void answer_request(const CandidatePair& pair, const stun::Message& message);

    const CandidateSet::Entry* remote_of_request(const net::SocketAddress& from, std::uint32_t priority);
    CandidateSet::Entry& add(CandidateSet& side, Candidate candidate);
    bool discard(CandidateSet::Entry* entry);
    void form_pairs_of_local(const CandidateSet::Entry& local);
    void form_pairs_of_remote(const CandidateSet::Entry& remote);
    void form_pair(const CandidateSet::Entry& local, const CandidateSet::Entry& remote);

    void drop_failed_pairs(Instant now);
    void evaluate_nomination(Instant now);
    /// The pair of this path; null if there is none.
    [[nodiscard]] CandidatePair* find_pair(const std::optional<Nominated>& path);
    void evaluate_state();
    void set_state(AgentState state);
    void send_due_check(Instant now);
    [[nodiscard]] TransactionId make_transaction_id();
    void send_check(CandidatePair& pair, Instant now);
    void update_schedule(Instant now);

    log::IdLogger log_;
    AgentRole role_;
    Credentials local_;
    Credentials remote_;
    std::uint32_t tag_;
    Rng rng_;
    std::uint64_t tie_breaker_;
    CheckTiming timing_ = kDefaultTiming;
    AgentState state_ = AgentState::kNew;

    CandidateSet locals_;
    CandidateSet remotes_;
    std::uint32_t next_candidate_id_ = 0;
    Checklist checklist_;
    std::optional<Nominated> nominated_;
    /// Where note_peer_path() last saw the peer.
    std::optional<Nominated> peer_path_;

    Deadlines<Due> due_;
    std::deque<AgentTransmit> transmits_;
    std::deque<AgentEvent> events_;
};

static_assert(SansIo<Agent>);

}  // namespace culvert::ice
