#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tests/model/scenario/setup.h"

/// What can happen in a case. Plain data: a script is a list of these with times. An action whose precondition does not
/// hold when its time comes (the client does not run, the policy exists already) does nothing.
namespace culvert::model {

// --- Traffic ---

enum class Protocol : std::uint8_t { kIcmp, kUdp, kTcp };

/// The n-th address of a resource's current network, modulo its size.
struct HostOf {
    ResourceNo resource;
    std::uint32_t host = 1;

    friend bool operator==(const HostOf&, const HostOf&) = default;
};
/// The tunnel address of a gateway, and of another client.
struct TunnelOf {
    std::variant<GatewayNo, ClientNo> owner;
    bool is_v6 = false;

    friend bool operator==(const TunnelOf&, const TunnelOf&) = default;
};
using Destination = std::variant<HostOf, TunnelOf, net::IpAddress>;

/// What an application gives as source address.
enum class Source : std::uint8_t {
    kOwn,          ///< the client's tunnel address
    kLan,          ///< one of the host's other networks
    kOtherClient,  ///< another client's tunnel address
    kLoopback,
    kUnspecified,
};

/// An application sends requests: echo requests, UDP datagrams that are answered, TCP SYNs that are accepted.
struct Probe {
    ClientNo client;
    Destination to;
    Protocol protocol = Protocol::kIcmp;
    /// Echo id and first sequence number for ICMP.
    std::uint16_t source_port = 1;
    std::uint16_t destination_port = 1;
    std::uint16_t count = 1;
    milliseconds interval{0};
    std::uint16_t payload = 32;
    Source source = Source::kOwn;
    /// DSCP and ECN.
    std::uint8_t traffic_class = 0;
    std::uint8_t ttl = 64;
    /// UDP over IPv4 may.
    bool without_checksum = false;

    static constexpr auto kShape = shape("probe", word("client", &Probe::client), word("destination", &Probe::to),
                                         word("protocol", &Probe::protocol), option("from", &Probe::source_port),
                                         option("to", &Probe::destination_port), option("count", &Probe::count),
                                         option("every", &Probe::interval), option("payload", &Probe::payload),
                                         option("source", &Probe::source), option("class", &Probe::traffic_class),
                                         option("ttl", &Probe::ttl), flag("no-checksum", &Probe::without_checksum));
};
/// A deadline, for scripts: an application sends echo requests with this id, five a second, and the first answer has to
/// come within this time.
struct Expect {
    ClientNo client;
    Destination to;
    std::uint16_t source_port = 1;
    milliseconds within{3000};

    static constexpr auto kShape = shape("expect", word("client", &Expect::client), word("destination", &Expect::to),
                                         option("from", &Expect::source_port), option("within", &Expect::within));
};
/// An application fetches (or uploads) bytes over TCP and compares them with what the other end has.
struct Transfer {
    ClientNo client;
    Destination to;
    std::uint16_t source_port = 1;
    std::uint16_t destination_port = 80;
    std::uint32_t bytes = 10'000;
    bool is_upload = false;

    static constexpr auto kShape =
        shape("transfer", word("client", &Transfer::client), word("destination", &Transfer::to),
              option("from", &Transfer::source_port), option("to", &Transfer::destination_port),
              option("bytes", &Transfer::bytes), flag("upload", &Transfer::is_upload));
};
/// A host behind a gateway sends a UDP datagram to a client that did not ask for it.
struct Unsolicited {
    GatewayNo gateway;
    ClientNo client;
    HostOf from;
    std::uint16_t count = 1;

    static constexpr auto kShape =
        shape("unsolicited", word("gateway", &Unsolicited::gateway), word("client", &Unsolicited::client),
              word("source", &Unsolicited::from), option("count", &Unsolicited::count));
};

// --- Administrators ---

/// As in the setup, if an earlier action deleted it.
struct CreateResource {
    ResourceNo resource;
    static constexpr auto kShape = shape("create-resource", word("resource", &CreateResource::resource));
};
struct DeleteResource {
    ResourceNo resource;
    static constexpr auto kShape = shape("delete-resource", word("resource", &DeleteResource::resource));
};
struct SetAddress {
    ResourceNo resource;
    net::IpNetwork address;
    static constexpr auto kShape =
        shape("set-address", word("resource", &SetAddress::resource), word("address", &SetAddress::address));
};
struct SetFilters {
    ResourceNo resource;
    std::vector<portal_api::Filter> filters;
    static constexpr auto kShape =
        shape("set-filters", word("resource", &SetFilters::resource), option("filters", &SetFilters::filters));
};
struct SetSites {
    ResourceNo resource;
    std::vector<SiteNo> sites;
    static constexpr auto kShape =
        shape("set-sites", word("resource", &SetSites::resource), option("sites", &SetSites::sites));
};
struct CreatePolicy {
    GroupNo group;
    ResourceNo resource;
    static constexpr auto kShape =
        shape("create-policy", word("group", &CreatePolicy::group), word("resource", &CreatePolicy::resource));
};
struct DeletePolicy {
    GroupNo group;
    ResourceNo resource;
    static constexpr auto kShape =
        shape("delete-policy", word("group", &DeletePolicy::group), word("resource", &DeletePolicy::resource));
};
struct SetPolicyDisabled {
    GroupNo group;
    ResourceNo resource;
    bool is_disabled = true;
    static constexpr auto kShape =
        shape("set-policy-disabled", word("group", &SetPolicyDisabled::group),
              word("resource", &SetPolicyDisabled::resource), word("yes or no", &SetPolicyDisabled::is_disabled));
};
struct JoinGroup {
    ClientNo client;
    GroupNo group;
    static constexpr auto kShape = shape("join", word("client", &JoinGroup::client), word("group", &JoinGroup::group));
};
struct LeaveGroup {
    ClientNo client;
    GroupNo group;
    static constexpr auto kShape =
        shape("leave", word("client", &LeaveGroup::client), word("group", &LeaveGroup::group));
};
/// The device's token is deleted; it cannot come back.
struct RevokeToken {
    Device device;
    static constexpr auto kShape = shape("revoke-token", word("device", &RevokeToken::device));
};
struct RenameSite {
    SiteNo site;
    static constexpr auto kShape = shape("rename-site", word("site", &RenameSite::site));
};
/// Changes the account's search domain, which only changes what interfaces are configured with.
struct SetSearchDomain {
    std::optional<std::string> domain;
    static constexpr auto kShape = shape("set-search-domain", option("domain", &SetSearchDomain::domain));
};

// --- Processes and hosts ---

struct Start {
    Process process;
    static constexpr auto kShape = shape("start", word("process", &Start::process));
};
/// Gracefully.
struct Stop {
    Process process;
    static constexpr auto kShape = shape("stop", word("process", &Stop::process));
};
/// All but what is on disk is lost; nothing is said to anybody.
struct Crash {
    Process process;
    static constexpr auto kShape = shape("crash", word("process", &Crash::process));
};
/// Gets no processor time; what arrives waits in bounded socket buffers.
struct Hang {
    Process process;
    milliseconds duration{1000};
    static constexpr auto kShape = shape("hang", word("process", &Hang::process), option("for", &Hang::duration));
};
/// The host sleeps: what arrives is lost, its monotonic clock stands still, its wall clock does not.
struct Suspend {
    Process process;
    milliseconds duration{60'000};
    static constexpr auto kShape =
        shape("suspend", word("process", &Suspend::process), option("for", &Suspend::duration));
};
/// A client's host moves to another network: no network for `gap`, then new addresses and a reset.
struct Roam {
    ClientNo client;
    Access access;
    milliseconds gap{0};
    static constexpr auto kShape =
        shape("roam", word("client", &Roam::client), option("gap", &Roam::gap), fields_of(&Roam::access));
};
/// A client's or gateway's host moves to another network, which its process notices: no network for `gap`, then new
/// addresses, to which connections move.
struct Move {
    Device device;
    Access access;
    milliseconds gap{0};
    static constexpr auto kShape =
        shape("move", word("device", &Move::device), option("gap", &Move::gap), fields_of(&Move::access));
};
/// SIGHUP: new sockets and keys, same network.
struct Reset {
    ClientNo client;
    static constexpr auto kShape = shape("reset", word("client", &Reset::client));
};

// --- Faults ---

/// What a link does to datagrams in one direction. Rates in per mille.
struct Impairment {
    std::uint16_t loss = 0;
    /// How many datagrams in a row a loss takes.
    std::uint16_t burst = 1;
    std::uint16_t duplicate = 0;
    std::uint16_t corrupt = 0;
    /// ECN-capable datagrams are marked: congestion experienced.
    std::uint16_t congestion = 0;
    milliseconds delay{0};
    /// Uniform on top of `delay`; may reorder if `reorders`.
    milliseconds jitter{0};
    bool reorders = false;
    /// Bytes per second, queue of 100 ms; 0: unlimited.
    std::uint32_t rate = 0;
    /// Longer IP packets are lost silently; 0: 1500.
    std::uint16_t mtu = 0;

    static constexpr auto kShape =
        shape("impairment", option("loss", &Impairment::loss), option("burst", &Impairment::burst),
              option("duplicate", &Impairment::duplicate), option("corrupt", &Impairment::corrupt),
              option("congestion", &Impairment::congestion), option("delay", &Impairment::delay),
              option("jitter", &Impairment::jitter), flag("reorders", &Impairment::reorders),
              option("rate", &Impairment::rate), option("mtu", &Impairment::mtu));
};
/// The access link of a device's host is impaired for a while, replacing an impairment that is active there.
struct ImpairLink {
    Device device;
    bool up = true;
    bool down = true;
    Impairment impairment;
    milliseconds duration{5000};
    static constexpr auto kShape = shape("impair", word("device", &ImpairLink::device),
                                         flag("only-down", &ImpairLink::up), flag("only-up", &ImpairLink::down),
                                         fields_of(&ImpairLink::impairment), option("for", &ImpairLink::duration));
};
/// Datagrams between these two hosts are lost, both ways; relays still reach both.
struct BlockDirect {
    ClientNo client;
    GatewayNo gateway;
    milliseconds duration{60'000};
    static constexpr auto kShape = shape("block-direct", word("client", &BlockDirect::client),
                                         word("gateway", &BlockDirect::gateway), option("for", &BlockDirect::duration));
};
/// A device's datagrams to and from a relay are lost.
struct BlockRelay {
    Device device;
    RelayNo relay;
    milliseconds duration{60'000};
    static constexpr auto kShape = shape("block-relay", word("device", &BlockRelay::device),
                                         word("relay", &BlockRelay::relay), option("for", &BlockRelay::duration));
};
enum class IpFamily : std::uint8_t { kV4, kV6 };
/// The host neither sends nor receives datagrams of this family; it keeps its addresses, and is not told.
struct LoseFamily {
    Device device;
    IpFamily family = IpFamily::kV4;
    milliseconds duration{10'000};
    static constexpr auto kShape = shape("lose-family", word("device", &LoseFamily::device),
                                         word("family", &LoseFamily::family), option("for", &LoseFamily::duration));
};
/// The NAT forgets its mappings.
struct RebootNat {
    Device device;
    static constexpr auto kShape = shape("reboot-nat", word("device", &RebootNat::device));
};
/// The NAT gets another public address (and forgets its mappings).
struct RenumberNat {
    Device device;
    static constexpr auto kShape = shape("renumber-nat", word("device", &RenumberNat::device));
};
/// Another box takes the NAT's place and its public address; it knows of no mappings.
struct ReplaceNat {
    Device device;
    NatBox nat;
    static constexpr auto kShape =
        shape("replace-nat", word("device", &ReplaceNat::device), fields_of(&ReplaceNat::nat));
};
/// The gateway's wall clock is set, to the right time or so far from it.
struct SetClock {
    GatewayNo gateway;
    seconds ahead{0};
    seconds behind{0};
    static constexpr auto kShape = shape("set-clock", word("gateway", &SetClock::gateway),
                                         option("ahead", &SetClock::ahead), option("behind", &SetClock::behind));
};
/// The device's connection to the portal is reset after `bytes` more bytes in either direction.
struct CutPortal {
    Device device;
    std::uint32_t bytes = 0;
    static constexpr auto kShape =
        shape("cut-portal", word("device", &CutPortal::device), option("after", &CutPortal::bytes));
};
enum class PortalFault : std::uint8_t {
    kRefused,    ///< existing connections stay, new ones are refused
    kBlackHole,  ///< nothing gets through either way, nobody is told
    kHalfOpen,   ///< what the portal sends gets through, what the device sends does not
    kSlow,       ///< 2 kB/s
    kOverload,   ///< new connections are answered with 503
    kCaptive,    ///< a captive portal: nothing gets through, new connections are answered with a redirect
    kGarbage,    ///< new connections are answered with what is no HTTP
};
struct PortalTrouble {
    Device device;
    PortalFault fault = PortalFault::kBlackHole;
    milliseconds duration{10'000};
    static constexpr auto kShape = shape("portal-trouble", word("device", &PortalTrouble::device),
                                         word("fault", &PortalTrouble::fault), option("for", &PortalTrouble::duration));
};

// --- Attackers ---

enum class Forgery : std::uint8_t {
    kForeignSource,         ///< inner packet from an address that is not the client's
    kOtherClientSource,     ///< inner packet from another client's tunnel address
    kUnauthorizedResource,  ///< inner packet to a resource the client has no policy for
    kFilteredPort,          ///< inner packet that the resource's filters do not allow
    kOtherClient,           ///< inner packet to another client's tunnel address
    kGatewayItself,         ///< inner packet to the gateway's tunnel address
    kGatewayPorts,          ///< the same, to a port or with what only hosts are for
    kSourceRoute,           ///< inner packet that names further hosts to go to
    kReservedDestination,   ///< inner packet to loopback, multicast, link-local
    kFragment,              ///< inner fragments
    kExtensionHeaders,      ///< chains of IPv6 extension headers
    kMalformed,             ///< inner bytes that are no IP packet
    kControlGarbage,        ///< malformed messages of the control protocol between peers
    kControlWrongWay,       ///< control messages that only gateways send
    kIcmpForeignFlow,       ///< ICMP errors that quote flows of others
    kForeignCreateFlow,     ///< asks the portal for a resource the client has no policy for
    kManyCandidates,        ///< 10 000 candidates through the portal
    kPortalGarbage,         ///< frames that are no messages
    kPortalFlood,           ///< everything that a token is good for at the portal, at full speed
};
/// The hostile client does something to a gateway it has a tunnel with.
struct Forge {
    ClientNo client;
    GatewayNo gateway;
    Forgery forgery = Forgery::kForeignSource;
    ResourceNo resource;
    ClientNo victim;
    std::uint16_t count = 1;
    static constexpr auto kShape = shape("forge", word("client", &Forge::client), word("gateway", &Forge::gateway),
                                         word("forgery", &Forge::forgery), option("resource", &Forge::resource),
                                         option("victim", &Forge::victim), option("count", &Forge::count));
};

enum class Betrayal : std::uint8_t {
    kForeignSource,        ///< inner packet from an address of no resource
    kForeignResource,      ///< inner packet from a resource that another gateway serves, or none
    kOtherClient,          ///< inner packet to another client's tunnel address
    kForeignDestination,   ///< inner packet to an address of the client's own network, or of a resource
    kReservedSource,       ///< inner packet from loopback, multicast, link-local
    kFragment,             ///< inner fragments
    kMalformed,            ///< inner bytes that are no IP packet
    kControlGarbage,       ///< malformed messages of the control protocol between peers
    kControlWrongWay,      ///< control messages that only clients send
    kIcmpForeignFlow,      ///< ICMP errors that quote a packet of another client
    kIcmpForeignResource,  ///< ICMP errors that quote the client's packet to a resource that another gateway serves
    kUnasked,              ///< inner packets that answer nothing
    kConnectsBack,         ///< inner packets much like answers to what the client sent last
    kSourceRoute,          ///< answer that names further hosts to go to
    kReplay,               ///< each datagram of its tunnel again
    kBogusData,            ///< transport data of the right session, with wrong contents
    kWrongHandshake,       ///< responses and cookies that are not sealed as they must be
    kManyCandidates,       ///< 10 000 candidates through the portal
    kBadCandidates,        ///< malformed and oversized candidates
    kBogusAnswer,          ///< answers to the portal for requests that it was never asked
    kPortalGarbage,        ///< frames that are no messages
};
/// The hostile gateway does something to a client, most of it through the tunnel that they have.
struct Betray {
    GatewayNo gateway;
    ClientNo client;
    Betrayal betrayal = Betrayal::kForeignSource;
    ResourceNo resource;
    ClientNo victim;
    std::uint16_t count = 1;
    static constexpr auto kShape = shape("betray", word("gateway", &Betray::gateway), word("client", &Betray::client),
                                         word("betrayal", &Betray::betrayal), option("resource", &Betray::resource),
                                         option("victim", &Betray::victim), option("count", &Betray::count));
};

enum class Spoof : std::uint8_t {
    kGarbage,         ///< random bytes
    kStunBinding,     ///< binding requests with guessed user names
    kStunResponse,    ///< binding responses to nothing
    kTurnAllocate,    ///< unauthenticated allocate requests
    kChannelData,     ///< ChannelData on guessed channels
    kBadMacInit,      ///< WireGuard initiations without valid MAC1
    kUnknownKeyInit,  ///< initiations with valid MAC1 from an unknown key
    kDataGuess,       ///< transport data with guessed receiver indices
    kReplay,          ///< datagrams seen on the wire, again
    kTruncated,       ///< datagrams seen on the wire, cut short
};
/// Somebody on the Internet who sees nothing (but may replay what a friend recorded) sends datagrams to a device.
struct Attack {
    Device target;
    Spoof spoof = Spoof::kGarbage;
    std::uint16_t count = 10;
    /// Whether the source address is that of one of the target's peers.
    bool forges_source = false;
    static constexpr auto kShape =
        shape("attack", word("target", &Attack::target), word("spoof", &Attack::spoof), option("count", &Attack::count),
              flag("forged-source", &Attack::forges_source));
};

enum class RelayAbuse : std::uint8_t {
    kWrongPassword,   ///< Allocate with a user name and nonce that were recorded
    kUnknownUser,     ///< the same with a user name that the portal never gave out
    kStaleNonce,      ///< the same with a nonce that the relay never gave out
    kForeignRefresh,  ///< deletes a user's allocation, from the user's address, without the password
    kForeignBind,     ///< the same for a channel
    kForeignChannel,  ///< ChannelData on channels of others
    kInternalPeer,    ///< a user binds channels to addresses that only the relay's host reaches, and sends
    kAllocateFlood,   ///< Allocate without credentials, each from another port
    kMalformed,       ///< what is not quite a STUN request
    kRepeated,        ///< a user's requests again, from the user's address; deletions above all
    kGreed,           ///< one owner's many devices take as many allocations, permissions and channels as they are given
};
/// Somebody tries to get more from a relay than is theirs.
struct AbuseRelay {
    RelayNo relay;
    RelayAbuse abuse = RelayAbuse::kWrongPassword;
    std::uint16_t count = 10;
    static constexpr auto kShape = shape("abuse-relay", word("relay", &AbuseRelay::relay),
                                         word("abuse", &AbuseRelay::abuse), option("count", &AbuseRelay::count));
};

enum class Deceit : std::uint8_t {
    kDrop,          ///< loses half of everything
    kDropData,      ///< answers everybody, and passes nothing on
    kDuplicate,     ///< sends everything several times
    kDelay,         ///< holds back for up to 3 s, so that the order changes too
    kReplay,        ///< repeats what it sent before
    kMisdirect,     ///< sends through other channels, to others, from others' ports
    kCorrupt,       ///< changes a few bytes
    kForge,         ///< adds responses to nothing, and what looks like data
    kWrongAddress,  ///< tells users wrong addresses, signed
    kRefuse,        ///< tells users errors instead of success, signed
};
/// The hostile relay treats its users, and those that they talk to, like this for a while.
struct Deceive {
    RelayNo relay;
    Deceit deceit = Deceit::kDrop;
    milliseconds duration{10'000};
    static constexpr auto kShape = shape("deceive", word("relay", &Deceive::relay), word("deceit", &Deceive::deceit),
                                         option("for", &Deceive::duration));
};

// --- Time ---

/// Every fault is healed, every stopped process started, then the world runs until it is quiet (at most 90 s) and the
/// state of all parties is compared with the model's.
struct Settle {
    static constexpr auto kShape = shape("settle");
};

using Action = std::variant<Probe, Expect, Transfer, Unsolicited, CreateResource, DeleteResource, SetAddress,
                            SetFilters, SetSites, CreatePolicy, DeletePolicy, SetPolicyDisabled, JoinGroup, LeaveGroup,
                            RevokeToken, RenameSite, SetSearchDomain, Start, Stop, Crash, Hang, Suspend, Roam, Move,
                            Reset, ImpairLink, BlockDirect, BlockRelay, LoseFamily, RebootNat, RenumberNat, ReplaceNat,
                            SetClock, CutPortal, PortalTrouble, Forge, Betray, Attack, AbuseRelay, Deceive, Settle>;

struct Step {
    /// Since the start of the case, once every process of the setup was started at 0. Ascending.
    milliseconds at{0};
    Action action;

    friend bool operator==(const Step&, const Step&) = default;
};

struct Scenario {
    Setup setup;
    std::vector<Step> steps;
    /// How long the world goes on after the last step.
    milliseconds tail{5000};

    static constexpr auto kShape = shape("case", fields_of(&Scenario::setup), option("tail", &Scenario::tail));

    friend bool operator==(const Scenario&, const Scenario&) = default;
};

}  // namespace culvert::model
