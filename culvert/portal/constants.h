#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "culvert/base/rate_limiter.h"
#include "culvert/base/time.h"
#include "culvert/portal_api/role.h"

/// Timers and limits of the control plane. What administrators can change is in limits.h.
namespace culvert::portal {

// --- Timers ---

/// Re-evaluation of resources, pruning of gateways' flows, deletion of expired flows.
inline constexpr Duration kHousekeepingInterval = std::chrono::seconds{60};
/// How often to look whether another process changed the database; half of what is promised remains for the rest.
inline constexpr Duration kChangeInterval = std::chrono::milliseconds{250};
inline constexpr Duration kTokenReapInterval = std::chrono::minutes{5};
/// Also from the start on: devices that were connected when the portal went down must have the time to come back.
inline constexpr Duration kDeviceReapInterval = std::chrono::hours{1};
inline constexpr std::size_t kDevicesReapedAtOnce = 1000;
/// Between two lines that say that the database fails.
inline constexpr Duration kStorageErrorInterval = std::chrono::seconds{60};

/// How old the record may be that a connected device was seen: little against the days after which one is forgotten.
inline constexpr Duration kPresenceAge = std::chrono::hours{1};
/// Devices whose presence is recorded at a time, at least: all of them within kPresenceAge, but never all at once.
inline constexpr std::size_t kMinPresences = 64;
inline constexpr std::size_t kPresenceShares = 30;

// --- Frames that are read ---

/// Of one device, and of all devices of one owner (actor, site; relays: token) together. More are read later: nothing
/// is lost, and whoever sends at full speed waits for himself. A long frame counts as one for each kFrameUnit that it
/// begins.
struct FrameRates {
    Rate session;
    Rate owner;
};
inline constexpr std::size_t kFrameUnit = 4096;
/// A client asks once in 2 s for each resource, and signals a few dozen candidates for each connection.
inline constexpr FrameRates kClientFrames{.session = {50, 500}, .owner = {300, 5000}};
/// A gateway answers for all of its clients, at once when the portal was away.
inline constexpr FrameRates kGatewayFrames{.session = {1000, 5000}, .owner = {2000, 20'000}};
inline constexpr FrameRates kRelayFrames{.session = {10, 100}, .owner = {100, 1000}};
/// The longest that one device waits for what others of its owner have sent: heartbeats must get through.
inline constexpr std::chrono::seconds kLongestOwnerPause{2};

// --- Connections and devices ---

/// Connections of one owner. What exceeds it is answered with 503.
inline constexpr Rate kConnects{50, 500};
/// By how much longer some have to wait that are turned away, so that not all of them try again in the same second.
inline constexpr std::chrono::seconds kLongestTurn{30};
/// How long they wait, at least and at most, if the database fails.
inline constexpr std::chrono::seconds kShortestStorageWait{1};
inline constexpr std::chrono::seconds kLongestStorageWait{5};
/// Of one connection. Each is answered with everything a device may know, which is much.
inline constexpr Rate kJoins{1, 10};
/// Of all connections of one owner: twice as many as it may open.
inline constexpr Rate kOwnerJoins{100, 1000};

/// A connection on which a device sends nothing for so long is dropped (spec/portal-protocol.md section 3.2). Devices
/// of 2025 send a heartbeat each 30 s, so it may be no less than 37 s for any of them.
[[nodiscard]] constexpr std::chrono::seconds idle_timeout(portal_api::Role role) {
    switch (role) {
        case portal_api::Role::kClient:
            return std::chrono::seconds{307};
        case portal_api::Role::kGateway:
            return std::chrono::seconds{37};
        case portal_api::Role::kRelay:
            break;
    }
    return std::chrono::seconds{41};
}
/// Devices send a heartbeat each 30 s at least. One that is silent for longer is not there, whatever TCP says.
inline constexpr Duration kDeviceSilence = std::chrono::seconds{45};
/// A dispute about a device id is over when nobody was refused for so long.
inline constexpr Duration kDisputeMemory = std::chrono::minutes{10};
/// Keys of a device before the present one that are told from new ones.
inline constexpr std::size_t kFormerKeys = 8;

/// How long a device that is not seen keeps others from using its public key. Keys are random, so an honest device
/// never presents another's; but one that knows a key must not take it while its owner may come back with it.
inline constexpr std::chrono::seconds kPublicKeyKept = std::chrono::days{30};
/// How long nobody gets the addresses of a deleted device: gateways may still hold what they granted to it, and hosts
/// behind them may have noted the address.
inline constexpr std::chrono::seconds kAddressQuarantine = std::chrono::days{7};

/// Characters of a name or another text that a person or a device gives.
inline constexpr std::size_t kMaxTextCharacters = 255;
/// The same of the version that a device says it has.
inline constexpr std::size_t kMaxVersionCharacters = 64;

// --- Flows and candidates ---

/// Requests for access of one client. Ten times what the busiest one asks for.
inline constexpr Rate kFlows{20, 256};
/// Of all clients of one owner: two each when a fleet of the largest size comes back at once.
inline constexpr Rate kOwnerFlows{200, 4000};
/// That one gateway is asked, whoever asks: more than one owner may ask, so that others still get through.
inline constexpr Rate kAsked{1000, 10'000};
/// How often a device is told again which relays it has.
inline constexpr Rate kRelayRequests{1, 5};
/// That one device of a pool is asked to let somebody in, whoever asks. Each makes it send its candidates again, which
/// is half of what it may say.
inline constexpr Rate kDeviceAsked{25, 1000};
/// The same by clients of one owner: several owners may ask, so that others still get through.
inline constexpr Rate kDeviceAskedByOwner{5, 200};
/// Devices that one pool may name. Who may use it is sent all of them.
inline constexpr std::size_t kMaxPoolDevices = 1000;
/// What a gateway answers with of which no client is to hear.
inline constexpr std::string_view kUnaskedRef = "unasked";
/// How long a gateway may take to answer. Then the client is told that none is there (spec/newer-dialect.md
/// section 6.4).
inline constexpr Duration kAuthorizationAnswer = std::chrono::seconds{15};
/// For how much longer its answer is known as one that is late.
inline constexpr Duration kLateAnswer = std::chrono::seconds{60};
/// Unanswered questions to gateways. With that many the oldest ones are forgotten at once: their clients ask again on
/// further traffic.
inline constexpr std::size_t kMaxPendingAuthorizations = 65'536;
/// The same of one client for one resource. Honest ones ask each 2 s.
inline constexpr std::size_t kMaxPendingOfRequest = 16;

/// Answers of gateways that wait for clients to come back: all of them, and those of one client. Each with a few
/// candidates of its gateway.
inline constexpr std::size_t kMaxHeldAnswers = 4096;
inline constexpr std::size_t kMaxHeldOfClient = 64;
inline constexpr std::size_t kMaxHeldCandidates = 24;

/// Connections that one message with candidates may go to. Devices name one receiver at a time; a message that names
/// thousands, or one thousands of times, is an attempt to make the portal multiply it.
inline constexpr std::size_t kMaxReceivers = 100;
/// Candidates of one connection for one peer: at once, and in the long run. A device signals a dozen for a new
/// connection, and as many again for each further resource and when its network changes.
inline constexpr std::size_t kCandidateBurst = 1024;
inline constexpr std::size_t kCandidatesPerSecond = 50;
/// Bytes of one candidate; honest ones have less than 200.
inline constexpr std::size_t kMaxCandidateLength = 256;
/// What is remembered of candidates that the gateways of one site signalled, in all, of which a client takes so much
/// besides its candidates: some 4000 clients with a dozen each. Who is forgotten waits as with a portal that remembers
/// nothing.
inline constexpr std::size_t kMaxRememberedBytes = 8 << 20;
inline constexpr std::size_t kRememberedClientSize = 256;
/// Candidates for one client, the newest; a gateway signals a dozen.
inline constexpr std::size_t kMaxRememberedCandidates = 32;

// --- Flow logs (spec/newer-dialect.md section 11) ---

/// How long records may still come in after an authorization has ended (section 10).
inline constexpr std::chrono::seconds kIngestGrace = std::chrono::days{30};
/// What administrators may choose at most.
inline constexpr std::int64_t kMaxUploadInterval = 24 * 3600;
inline constexpr std::int64_t kMaxFlowLogDays = 3650;
inline constexpr std::int64_t kMaxFlowLogRecords = 1'000'000'000;

/// Batches of one address, and for how many addresses that is remembered.
inline constexpr Rate kIngestions{1, 1};
inline constexpr std::size_t kMaxIngestPlaces = 65'536;
/// Bodies that are read at a time, in bytes: of all devices, and the longest of one whose token is worthless.
inline constexpr std::size_t kMaxBodiesAtOnce = 64 * 1024 * 1024;
inline constexpr std::size_t kMaxStrangersBody = 64 * 1024;
/// Records that are stored before others get their turn.
inline constexpr std::size_t kRecordsAtOnce = 500;
/// Invalid records of a batch that are named.
inline constexpr std::size_t kMaxValidationErrors = 100;
/// Records that are deleted at a time, and how often.
inline constexpr std::size_t kFlowLogsReapedAtOnce = 5000;

// --- Relays (spec/portal-protocol.md section 10) ---

inline constexpr std::size_t kRelaysPerDevice = 2;
/// A relay that is back within this time was never gone.
inline constexpr Duration kRelayLeaveDebounce = std::chrono::seconds{3};

/// Clients' credentials for relays expire at multiples of this, so that they are the same for that long. Gateways' stay
/// the same for ever, unless their token ends.
inline constexpr std::chrono::seconds kTurnPeriod = std::chrono::days{30};
/// How long before they expire credentials of a device that is still connected are renewed.
inline constexpr std::chrono::seconds kTurnRenewAhead = std::chrono::days{3};
/// For relays that cannot be told: when devices get other credentials.
inline constexpr std::chrono::seconds kTurnReplaceAhead = std::chrono::hours{1};

/// How many users one device may be at a time. It becomes another with each key, and uses the newest one.
inline constexpr std::size_t kTurnUsersPerDevice = 16;
/// How many that it was before are remembered as revoked. A device may come with a new key as often as it likes, and
/// each would be remembered for months otherwise: whoever has a token could fill the database and push the revocations
/// that matter out of the relays. With as many devices as an owner may have, relays can still keep all of them.
inline constexpr std::size_t kFormerTurnUsersPerDevice = 16;
/// Rules about users in one message to a relay: less than 100 KiB.
inline constexpr std::size_t kMaxTurnUserRules = 1000;

// --- Conditions of policies ---

inline constexpr std::size_t kMaxConditionValues = 500;
inline constexpr std::size_t kMaxRangesPerDay = 24;
/// How far ahead is looked for the end of a window: a week, and one more for a range that a clock jumps over.
inline constexpr std::chrono::days kTimeHorizon{15};

/// How long a device may stay signed in on which a person signed in (spec/newer-dialect.md section 14).
inline constexpr std::chrono::seconds kShortestClientSession = std::chrono::hours{1};
inline constexpr std::chrono::seconds kLongestClientSession = std::chrono::days{90};

}  // namespace culvert::portal
