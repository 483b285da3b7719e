#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culvert/base/deadlines.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/turns.h"
#include "culvert/portal/authorization_messages.h"
#include "culvert/portal/device_claims.h"
#include "culvert/portal/device_pools.h"
#include "culvert/portal/held_answers.h"
#include "culvert/portal/limits.h"
#include "culvert/portal/pending_authorizations.h"
#include "culvert/portal/registration.h"
#include "culvert/portal/relay_presence.h"
#include "culvert/portal/session.h"
#include "culvert/portal/signalled_candidates.h"
#include "culvert/portal/turn_user_rules.h"
#include "culvert/portal_api/codec.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal {

/// A text frame for one connection.
struct SendFrame {
    SessionId session;
    std::string text;
};
/// End the connection with a Close frame. The core has forgotten the session already.
struct CloseSession {
    SessionId session;
    std::string reason;
};
using Output = std::variant<SendFrame, CloseSession>;

/// For metrics. Gauges first, then counts since the start.
struct Statistics {
    std::size_t clients_online = 0;
    std::size_t gateways_online = 0;
    std::size_t relays_online = 0;
    std::size_t pending_authorizations = 0;  ///< what gateways were asked and have not answered
    std::uint64_t connects_refused = 0;
    std::uint64_t frames_received = 0;
    std::uint64_t frames_sent = 0;
    std::uint64_t flows_authorized = 0;
    std::uint64_t flows_failed = 0;
    std::uint64_t flows_throttled = 0;
    std::uint64_t access_rejected = 0;
    std::uint64_t storage_errors = 0;
};

/// The portal's side of every channel: who may join, what each device is told, who is let through to what.
///
/// What ends, and by which word: a device *leaves* its channel, and its connection stays; a connection that is gone was
/// *disconnected*; the control plane *closes* one, which CloseSession says. Rows of the database are *erased*, entries
/// in memory are *removed*, and those that time has made worthless *pruned*.
///
/// Sans-IO: connections, changes of the database and time go in, frames come out of poll_output(). The database behind
/// `storage` is the only thing it reaches for by itself; if that fails, the connection in question is closed, so that
/// the device comes back later. Source: spec/portal-protocol.md sections 3 and 6 to 12.
class ControlPlane {
public:
    /// `storage` must outlive the object. Throws StorageError.
    ControlPlane(Storage& storage, const Rng& rng, Instant now, const Limits& limits = {});

    /// The checks before an upgrade is accepted. A session that was handed out must be ended with disconnect().
    /// `is_crowded`: whether so much waits for the devices of an owner already that another one has to wait as well.
    [[nodiscard]] std::expected<SessionId, Refusal> connect(
        const ConnectRequest& request, Instant now, WallTime wall_now,
        const std::function<bool(const Uuid& owner)>& is_crowded = {});
    /// Whether the request shows a token that this portal has signed, be it revoked or expired. Costs a hash, no look
    /// into the database: strangers may ask for it as often as they like.
    [[nodiscard]] bool has_signed_token(const ConnectRequest& request) const {
        return culvert::portal::has_signed_token(request, keys_);
    }
    /// How long not to read from this session; what it sends meanwhile is to stay in its connection.
    Duration handle_frame(SessionId session, std::string_view text, Instant now, WallTime wall_now);
    /// Whether much of what was sent to the session waits to be read by it.
    void set_congested(SessionId session, bool is_congested);
    /// Whose device it is: an actor, a site or (relays) a token. Requires a session that the core has not ended.
    [[nodiscard]] Uuid owner(SessionId session) const;
    /// The connection is gone. Unknown sessions are fine.
    void disconnect(SessionId session, Instant now);

    /// The database was changed by somebody else: finds out what is different and tells who has to know. Throws
    /// StorageError; call it again then, nothing is lost.
    void handle_changes(Instant now, WallTime wall_now);

    void handle_timeout(Instant now, WallTime wall_now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    [[nodiscard]] std::optional<Output> poll_output();

    [[nodiscard]] Statistics statistics() const;
    /// As it is configured now.
    [[nodiscard]] const Account& account() const { return directory_.account; }
    [[nodiscard]] const Directory& directory() const { return directory_; }
    // Whether it has joined its channel.
    [[nodiscard]] bool is_online(const ClientId& id) const { return clients_.all().contains(id); }
    [[nodiscard]] bool is_online(const GatewayId& id) const { return gateways_.all().contains(id); }
    [[nodiscard]] bool is_online(const RelayId& id) const { return relays_.is_online(id); }

    /// The complete state as text (base/snapshot.h).
    [[nodiscard]] std::string debug_snapshot(Instant now) const;

private:
    using Sessions = std::map<SessionId, Session>;

    /// In the order in which they are done at one moment: what was reaped is told by the housekeeping.
    enum class Due : std::uint8_t { kUnanswered, kTimeConditions, kTokenReap, kDeviceReap, kHousekeeping };

    /// What all sessions of one actor, site or (relays) token may do together.
    struct Owner {
        RateLimiter frames;
        RateLimiter connects;
        RateLimiter joins;
        RateLimiter flows;
        /// Of those that may not connect yet.
        Turns turns;
    };

    // control_plane.cpp: sessions
    void handle(Session& session, const portal_api::JoinFrame& frame, Instant now, WallTime wall_now);
    void handle(Session& session, const portal_api::LeaveFrame& frame, Instant now, WallTime wall_now);
    void handle(Session& session, const portal_api::HeartbeatFrame& frame, Instant now, WallTime wall_now);
    void handle(Session& session, const portal_api::DeviceMessageFrame& frame, Instant now, WallTime wall_now);
    void handle(Session& session, const portal_api::UnknownFrame& frame, Instant now, WallTime wall_now);
    void join_client(Session& session, Instant now, UnixSeconds wall_now);
    void join_gateway(Session& session, Instant now, UnixSeconds wall_now);
    void withdraw_candidates(const Gateway& gateway);
    void leave(Session& session, Instant now);
    // The only ones that know a codec, and a dialect, besides handle_frame().
    void send(SessionId id, const portal_api::ToDevice& message);
    void reply_ok(SessionId id, std::string_view topic, const portal_api::Ref& ref);
    void reply_error(SessionId id, std::string_view topic, const portal_api::Ref& ref, std::string_view reason);
    void end_channel(SessionId id, std::string_view topic);
    /// Says that the token is dead; the session is then to be closed.
    void tell_token_expired(SessionId id);
    void send_text(SessionId id, std::string text);
    void close(SessionId id, std::string reason, Instant now);
    void send_relay_pushes();
    [[nodiscard]] portal_api::Interface client_interface(const Client& client) const;
    void send_client_init(Session& session, std::vector<portal_api::Relay> relays);
    void send_init(Session& session, std::vector<portal_api::Relay> relays);
    [[nodiscard]] std::map<ResourceId, portal_api::ClientResource> visible_resources(const Session& session,
                                                                                     UnixSeconds wall_now);

    // control_plane_conditions.cpp: what depends on where a client is, which one it is, and when
    [[nodiscard]] static ClientFacts facts_of(const Session& client, UnixSeconds wall_now);
    [[nodiscard]] static ClientFacts facts_of(const Client& client, UnixSeconds wall_now);
    [[nodiscard]] std::vector<Grant> grants_of(const Session& client, const ResourceId& resource, UnixSeconds wall_now);
    /// Deletes the client's flows that no policy grants any more. Whether there were any.
    bool withdraw_flows(const Client& client, const ClientFacts& facts);
    /// If conditions are why the client does not get what it asked for, it hears which.
    void refuse_flow(Session& session, const ResourceId& resource, Instant now, UnixSeconds wall_now);
    void time_has_come(Instant now, WallTime wall_now);
    void watch_time_conditions(Instant now, WallTime wall_now);

    // control_plane_devices.cpp: which devices may be, and what they may take up
    [[nodiscard]] std::optional<Refusal> admit(const Token& token, const std::optional<Applicant>& applicant,
                                               Instant now, const std::function<bool(const Uuid& owner)>& is_crowded);
    [[nodiscard]] std::optional<Refusal> admit(const Applicant& applicant, Instant now);
    [[nodiscard]] Duration charge_frame(Session& session, std::size_t size, Instant now);
    [[nodiscard]] Refusal storage_failure();
    void claim_device(const Session& session, const crypto::PublicKey& key, Instant now);
    void lift_revocation(const Session& session, UnixSeconds wall_now);
    [[nodiscard]] std::vector<portal_api::Relay> give_relays(Session& session, const crypto::PublicKey& key,
                                                             UnixSeconds wall_now);
    void update_turn_users(UnixSeconds wall_now);

    // control_plane_housekeeping.cpp: what is done from time to time
    void keep_house(Instant now, WallTime wall_now);
    void reap_tokens(Instant now, UnixSeconds wall_now);
    void reap_devices(Instant now, UnixSeconds wall_now);
    void look_after_devices(Instant now, UnixSeconds wall_now);
    void record_presence(Instant now, UnixSeconds wall_now);
    void renew_turn_users(UnixSeconds wall_now);
    /// False if the database failed, which is reported then.
    bool attempt(std::string_view failure, Instant now, const std::function<void()>& work);
    /// In the log. While the database fails, every device that tries something finds that out.
    void report(std::string_view failure, const StorageError& error, Instant now);

    // control_plane_flows.cpp: letting clients through, signalling
    void handle_message(Session& session, const portal_api::Ref& ref, const portal_api::FromClient& message,
                        Instant now, UnixSeconds wall_now);
    void handle_message(Session& session, const portal_api::Ref& ref, const portal_api::FromGateway& message,
                        Instant now, UnixSeconds wall_now);
    void create_flow(Session& session, const portal_api::CreateFlow& request, Instant now, UnixSeconds wall_now);
    enum class FlowOutcome {
        /// The client was told, or a gateway was asked.
        kAnswered,
        /// Grants were found, but the database no longer has any of them.
        kDirectoryIsOutOfDate,
    };
    [[nodiscard]] FlowOutcome try_flow(Session& session, const portal_api::CreateFlow& request, Instant now,
                                       UnixSeconds wall_now);
    [[nodiscard]] Owner& owner_of(const Session& session);
    /// Records `flow` by the first policy that still grants it, unless an equal one is `known`. False if all that the
    /// directory names were deleted or disabled a moment ago, of which the news is on its way to everybody.
    template <typename AnyFlow>
    [[nodiscard]] bool record_flow(const std::vector<Grant>& grants, BasicGrantedFlows<AnyFlow>& known, AnyFlow& flow);
    void ask_gateway(const Session& client_session, Session& gateway_session, const Flow& flow,
                     const portal_api::GatewayResource& resource, Instant now, UnixSeconds wall_now);
    void wait_for_nobody(const Client& client, const GatewayId& gateway, const ResourceId& resource, Instant now);
    void name_relays(Session& session, Instant now);
    void flow_authorized(Session& session, const portal_api::Ref& ref, const std::string& flow_ref, Instant now);
    void tell_held_answers(Session& session, Instant now);
    void fail_unanswered(Instant now);
    void watch_unanswered() { due_.set(Due::kUnanswered, pending_.next_deadline()); }
    /// Why not, if no gateway can serve the client.
    [[nodiscard]] std::expected<Session*, portal_api::FlowFailure> choose_gateway(
        const Session& client, const Resource& resource, const std::vector<GatewayId>& connected);
    void fail_flow(SessionId id, const ResourceId& resource, portal_api::FlowFailure reason, Instant now,
                   std::vector<std::string> violated = {});
    struct Unnoted {
        void operator()(const auto& /*receiver*/, const auto& /*candidates*/) const {}
    };
    /// `message` makes of those candidates of `named` that may go what the receivers are told.
    /// `on_forwarded` hears of each receiver, and of what it was told.
    template <typename DeviceId, typename Message, typename OnForwarded = Unnoted>
    void forward(Session& sender, const Presence<DeviceId>& presence, const std::vector<DeviceId>& devices,
                 const std::vector<std::string>& named, Instant now, const Message& message,
                 const OnForwarded& on_forwarded = {});

    // control_plane_pools.cpp: clients that reach each other
    [[nodiscard]] SharedPools visible_pools(const Session& session, UnixSeconds wall_now);
    [[nodiscard]] FlowOutcome try_device_flow(Session& session, const portal_api::CreateFlow& request, Instant now,
                                              UnixSeconds wall_now);
    void introduce(const Session& client, const Session& device, const DeviceFlow& flow, portal_api::PoolGrant grant,
                   UnixSeconds wall_now);
    void deny_device(SessionId id, const portal_api::CreateFlow& request, portal_api::DeviceAccessRefusal reason);
    /// nullptr: it is not there, or does not read.
    [[nodiscard]] Session* device_session(const ClientId& device);
    /// Whether one of the two lets the other one in.
    [[nodiscard]] bool may_signal(const ClientId& from, const ClientId& to, UnixSeconds wall_now) const;
    /// Those of `named` that it may signal to.
    [[nodiscard]] std::vector<ClientId> signalled(const ClientId& from, const std::vector<ClientId>& named,
                                                  UnixSeconds wall_now) const;
    void load_inbound(Session& session, UnixSeconds wall_now);
    /// Whether a pool names it and the directory does not know it yet.
    [[nodiscard]] bool is_new_device(const Client& client) const;
    void update_pools(Session& session, const std::set<ResourceId>& toggled, UnixSeconds wall_now);
    void reconcile_device_flows(const DirectoryChanges& changes, UnixSeconds now);
    void reconcile_device_flows(Session& session, UnixSeconds now, const std::set<PolicyId>& withdrawn);
    [[nodiscard]] std::optional<DeviceFlow> renew(const DeviceFlow& lost, UnixSeconds now);

    // control_plane_changes.cpp: telling devices what changed
    void apply_changes(Instant now, UnixSeconds wall_now);
    void close_revoked_sessions(Instant now, UnixSeconds wall_now);
    void close_revoked(SessionId id, const std::string& reason, Instant now, UnixSeconds wall_now);
    void release_client(const ClientId& client, const ResourceId& resource, UnixSeconds wall_now);
    void update_client(Session& session, const DirectoryChanges& changes, Instant now, UnixSeconds wall_now);
    void update_gateway(Session& session, const DirectoryChanges& changes);
    void end_expired(Session& gateway, UnixSeconds now);
    /// Of policies in `withdrawn` nothing is renewed.
    void reconcile_flows(UnixSeconds now, const std::set<PolicyId>& withdrawn = {});
    void reconcile_flows(Session& session, UnixSeconds now, const std::set<PolicyId>& withdrawn);
    [[nodiscard]] std::optional<Flow> try_renew(const Flow& lost, const Gateway& gateway, UnixSeconds now);
    [[nodiscard]] std::optional<Flow> renew(const Flow& lost, const Gateway& gateway, UnixSeconds now);
    [[nodiscard]] bool tell_expiry(Session& session, const Flow& flow, UnixSeconds now);
    /// A device is somebody's machine, whose clock may be wrong: it is told that access has ended.
    void end_expired_devices(Session& device, UnixSeconds now);
    void reject_device_access(SessionId id, const ClientId& client, const ResourceId& resource);
    void reject_access(SessionId id, const ClientId& client, const ResourceId& resource);

    // control_plane_flow_logs.cpp: what devices are told about recording flows
    [[nodiscard]] portal_api::FlowLogSettings flow_log_settings() const;
    [[nodiscard]] const portal_api::IngestKey& ingest_key();
    [[nodiscard]] std::string ingest_token(const FlowEnds& ends, portal_api::FlowRole role, UnixSeconds wall_now);

    // snapshot.cpp
    static void describe(Snapshot& out, const Session& session);

    Storage& storage_;
    Rng rng_;
    Limits limits_;
    TokenKeys keys_;
    std::optional<portal_api::IngestKey> ingest_key_;
    Directory directory_;
    TimeWindows windows_;
    PoolViews pools_;
    RelayPresence relays_;
    Sessions sessions_;
    /// When tokens of sessions expire.
    std::set<std::pair<Instant, SessionId>> endings_;
    Presence<ClientId> clients_;
    Presence<GatewayId> gateways_;
    SignalledCandidates signalled_candidates_;
    std::uint64_t last_session_ = 0;
    PendingAuthorizations pending_;
    HeldAnswers held_;
    std::deque<Output> outputs_;
    Deadlines<Due> due_;
    std::map<TokenId, std::size_t> sessions_of_token_;
    /// By actor, site or (relays) token.
    std::map<Uuid, Owner> owners_;
    DeviceClaims claims_;
    TurnUserRules turn_users_;
    /// Whose credentials count for longer, and of which neither database nor relays know yet.
    std::deque<RelayPresence::Renewal> renewals_;
    /// A database that fails is not worth another line until then.
    std::optional<Instant> storage_errors_quiet_until_;
    Statistics statistics_;
};

static_assert(SansIo<ControlPlane>);

}  // namespace culvert::portal
