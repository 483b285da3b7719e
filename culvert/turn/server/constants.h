#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Numbers of the TURN server alone (spec/relay.md sections 2.2 and 5.2); those it shares with the client are in
/// culvert/turn/constants.h.
namespace culvert::turn {

inline constexpr std::string_view kRelayRealm = "firezone";
/// SOFTWARE of every response of a build that does not know its revision.
inline constexpr std::string_view kRelaySoftware = "firezone-relay; rev=xxxx";

inline constexpr std::uint16_t kDefaultLowestPort = 49152;
inline constexpr std::uint16_t kDefaultHighestPort = 65535;

inline constexpr std::chrono::seconds kDefaultAllocationLifetime{600};
inline constexpr std::chrono::seconds kMaxAllocationLifetime{3600};

/// How long a nonce counts. RFC 8656 section 5 wants at least one new one per hour.
inline constexpr std::chrono::hours kNonceLifetime{1};
/// After how many requests within a nonce's lifetime a user needs another one. A gateway may bind thousands of channels
/// at once, and a stale nonce costs each a round trip.
inline constexpr std::size_t kNonceBudget = 10'000;
/// Of how many users requests are remembered. More than one relay has in an hour; beyond that the one that has been
/// silent longest needs a new nonce.
inline constexpr std::size_t kMaxRememberedUsers = 65'536;
/// Requests of all users that are remembered before each may have but a few; about 40 MB.
inline constexpr std::size_t kMaxRememberedRequests = 1'000'000;

/// A device has one allocation per relay. Each time it comes with another address, since it roams or its NAT starts
/// anew, the one before stays for up to ten minutes.
inline constexpr std::size_t kMaxAllocationsPerUser = 64;
/// Two allocations with all their channel numbers: a gateway that has moved, and whose clients have moved along.
inline constexpr std::size_t kMaxChannelsPerUser = 8192;
/// All users together. A channel takes about half a kilobyte, so this is about 128 MB.
inline constexpr std::size_t kMaxChannels = 262'144;

/// When fewer than a quarter of a relay's ports are free, they are scarce, and each source has its share of them: all
/// of them divided by the number of sources. Until then anybody takes what is there, since a relay that is half empty
/// has nothing to divide; a quarter is what newcomers find while somebody greedy is being held to a share.
inline constexpr std::size_t kScarceFraction = 4;
/// A share is never smaller than this, so that somebody with many addresses cannot make those of others worth next to
/// nothing: a home needs a few for each device. But whoever has as many addresses as there are ports divided by this,
/// 1024 by default, keeps newcomers out, so it must not be large.
inline constexpr std::size_t kSmallestShare = 16;
/// On relays with few ports the smallest share is a quarter of them, but at least this many: a home with a few devices.
inline constexpr std::size_t kSmallestShareOfFewPorts = 4;
/// Providers give a site a /48 or less. IPv4 addresses count singly: carriers' NATs put thousands of devices behind
/// one.
inline constexpr unsigned kSourcePrefixV6 = 48;
/// Of an allocation's lifetime. Devices refresh after half of it; who has let this much pass without a word, and has no
/// channel either, is not there any more.
inline constexpr unsigned kAbandonedAfterPercent = 75;

/// What a /24 or /48 gets in answers before it has proven that it receives them: a thousand devices behind one NAT may
/// start at once, with five requests each, and then ask every 25 s. Somebody whose address is forged receives half a
/// megabit per second.
inline constexpr unsigned kUnprovenAnswersPerSecond = 500;
inline constexpr unsigned kUnprovenAnswersBurst = 10'000;
inline constexpr unsigned kLimitedPrefixV4 = 24;
inline constexpr unsigned kLimitedPrefixV6 = kSourcePrefixV6;
/// Places in the table of such networks; 512 KiB.
inline constexpr std::size_t kLimitedNetworks = 65'536;

/// How often a user who asks for something of another one's allocation is told so (441). Devices of Firezone do not
/// know that code and ask again at once; after this they are told 437, and make an allocation of their own.
inline constexpr unsigned kMaxWrongCredentials = 4;

/// How often the log tells of refused requests.
inline constexpr std::chrono::minutes kRefusalSummaryInterval{1};

/// How many rules of the portal about single users are kept, of each kind: more devices than one relay serves. What
/// ends first goes first.
inline constexpr std::size_t kMaxUserRules = 65'536;

/// How long a port that could not be opened is left alone: another process of the host may hold it.
inline constexpr std::chrono::minutes kBlockedPortPause{10};
/// How many ports one Allocate may try. If so many fail in a row it is not the ports: the host has no descriptors left.
inline constexpr unsigned kMaxPortAttempts = 8;

}  // namespace culvert::turn
