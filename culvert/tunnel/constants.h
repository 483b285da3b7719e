#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/rate_limiter.h"
#include "culvert/base/time.h"

/// Sizes and times of the tunnel state machines. Source: spec/tunnel.md sections 1.2 and 1.3.
namespace culvert::tunnel {

/// Packets of one resource that wait for its authorization; the oldest is overwritten.
inline constexpr std::size_t kWaitingPackets = 128;

/// How long a client waits before it asks again for access to the same resource. Asking is driven by traffic only.
inline constexpr Duration kIntentInterval = std::chrono::seconds{2};

/// And how often in the long run if each time there is an answer and the access ends again: what makes it end, a
/// gateway that says goodbye to everybody or a site that is offline, is asked about no faster for it. Ours to choose.
inline constexpr Rate kIntents{.per_second = 1, .burst = 4};

/// How long new addresses of names are gathered before the host is told of all of them. Ours to choose: there may be
/// many, and the next session needs them, not this one.
inline constexpr Duration kRecordsInterval = std::chrono::seconds{1};

/// A request that traffic asked for so lately is made again on a new connection to the portal, which may not have heard
/// it: whoever waits for an answer, such as a connection that is being opened, sends again within that time. Ours to
/// choose.
inline constexpr Duration kIntentLifetime = std::chrono::minutes{1};

/// Gateways that a client remembers for affinity, most recent first.
inline constexpr std::size_t kRecentGateways = 100;
/// And resources whose last gateway it remembers.
inline constexpr std::size_t kRememberedResources = 4096;

/// Attempts in a row that a gateway leaves without any candidate until the client starts anew with another key, and how
/// long it waits until it does so again: a gateway that holds on to half a connection, with the credentials that belong
/// to the key, has signalled all it had and says nothing more. Ours to choose.
inline constexpr unsigned kSilentAttempts = 2;
inline constexpr Duration kSilenceResetPause = std::chrono::minutes{5};
/// Gateways whose silence a client remembers.
inline constexpr std::size_t kMaxSilentGateways = 64;

/// How long a site is shown as offline after the portal said so (spec/newer-dialect.md section 6.4).
inline constexpr Duration kOfflineTime = std::chrono::minutes{5};

/// Errors of our own that wait to be handed to the host; more are dropped.
inline constexpr std::size_t kMaxErrorsToHost = 64;

/// How often a gateway looks for authorizations that ran out.
inline constexpr Duration kExpirySweepInterval = std::chrono::seconds{1};

/// A goodbye that arrives so soon after an authorization for the connection was most likely said before: the client
/// gave up its last resource and asked for the next. To take it for one about the new connection would leave the client
/// with half of it. Ours to choose.
inline constexpr Duration kGoodbyeMayBeOld = std::chrono::seconds{2};
/// When such a goodbye counts after all, unless the client is heard of before. Ours to choose.
inline constexpr Duration kGoodbyeDelay = std::chrono::seconds{25};

/// Gap between two requests for access that ICMP "prohibited" errors of one resource may cause: doubles from the first
/// to the last value while the errors go on, and starts again after a quiet time. A traffic filter refuses with the
/// same error, so without it each refused packet would cost one authorization (section 3.8 step 7).
inline constexpr Duration kReauthoriseMinInterval = std::chrono::seconds{2};
inline constexpr Duration kReauthoriseMaxInterval = std::chrono::seconds{64};
inline constexpr Duration kReauthoriseQuietTime = std::chrono::seconds{128};

static_assert(kIntentInterval <= kReauthoriseMinInterval && kReauthoriseMinInterval < kReauthoriseMaxInterval &&
                  kReauthoriseMaxInterval < kReauthoriseQuietTime,
              "the gap can grow before it is forgotten");

/// A message of the portal that takes longer finds its connection cut. Ours to choose.
inline constexpr std::chrono::seconds kLatestMessage{120};
/// A gateway whose clock is wrong says so at most this often.
inline constexpr Duration kClockWarningInterval = std::chrono::minutes{5};

// How long a flow may be idle before what comes in for it is no answer any more: as long as behind a good NAT.

/// RFC 5508 REQ-2: 60 s or more.
inline constexpr Duration kEchoIdleTime = std::chrono::seconds{60};
/// RFC 4787 REQ-5: 5 min recommended. Also of protocols that we know nothing about.
inline constexpr Duration kDatagramIdleTime = std::chrono::minutes{5};
/// RFC 5382 REQ-5: 4 min or more while a connection is being opened or closed, and 2 h 4 min or more while it is
/// established: longer than TCP's own keep-alive.
inline constexpr Duration kTransitoryTcpIdleTime = std::chrono::minutes{4};
/// Also the longest that any flow may go on while the client itself is silent, however much comes in: what it was
/// opened for may have gone, and its port may serve something else.
inline constexpr Duration kEstablishedTcpIdleTime = std::chrono::hours{2} + std::chrono::minutes{4};
/// The idle time is noted so exactly, in favour of the flow. What is noted less often costs less.
inline constexpr Duration kFlowTimeResolution = std::chrono::seconds{1};

/// Flows that a client keeps: in all, and with one gateway. About 8 MB at the most.
inline constexpr std::size_t kClientFlows = 65'536;
inline constexpr std::size_t kClientFlowsPerGateway = 16'384;
/// And a gateway: in all, and with one client. About 32 MB at the most.
inline constexpr std::size_t kGatewayFlows = 262'144;
inline constexpr std::size_t kGatewayFlowsPerClient = 16'384;
/// With all clients of one actor: a quarter of the table.
inline constexpr std::size_t kGatewayFlowsPerActor = kGatewayFlows / 4;
/// Between clients: datagrams and ICMP (spec/newer-dialect.md section 12.3).
inline constexpr Duration kDeviceDatagramIdleTime = std::chrono::minutes{2};
/// Flows between a client and all others, that this client opened and that others did: in all, and with one.
inline constexpr std::size_t kDeviceFlows = 32'768;
inline constexpr std::size_t kDeviceFlowsPerPeer = 4096;
/// How fast another client may open flows to this one, and how many at once.
inline constexpr Duration kDeviceFlowInterval = std::chrono::milliseconds{5};
inline constexpr unsigned kDeviceFlowBurst = 512;
/// Answers of ours to packets of the host that go nowhere, which wait to be written to the TUN device.
inline constexpr std::size_t kMaxRefusalsToHost = 64;

/// How fast a client may open flows, and how many at once. What nobody answers is in the kernel's table of connections
/// for two minutes (Linux), and that table has room for 262,144 on most machines: a scan at this speed takes a quarter
/// of it. A person's programs open some dozens a second. A burst costs the kernel's counting (io/forwarding_rules.cpp)
/// some tenths of a second at the most.
inline constexpr Rate kGatewayFlowRate{.per_second = 500, .burst = 2048};
/// A flow that is silent for longer is over for the log of flows.
inline constexpr Duration kLoggedFlowIdleTime = std::chrono::minutes{2};
/// How far the clocks may drift apart before it looks at civil time anew.
inline constexpr Duration kLoggedClockTolerance = std::chrono::seconds{2};
/// Records of flows that wait for the control thread; further ones are counted and dropped. It is told once a second,
/// or when there are so many (spec/newer-dialect.md section 11.3).
inline constexpr std::size_t kQueuedFlowRecords = 10'000;
inline constexpr std::size_t kFlowRecordBatch = 1000;
/// How often flows are looked at that are being recorded.
inline constexpr Duration kFlowSweepInterval = std::chrono::seconds{1};
/// A client that is slowed down is mentioned at most this often.
inline constexpr Duration kFlowNoticeInterval = std::chrono::minutes{5};

/// When a device whose relays all stopped answering asks the portal for others: the first time after the first value
/// to twice as long, each further time after twice as long, up to the second. Ours to choose.
inline constexpr Duration kFirstRelayRecovery = std::chrono::seconds{1};
inline constexpr Duration kMaxRelayRecovery = std::chrono::minutes{5};
/// The longest that a request waits which a connection causes that cannot be made for want of relays.
inline constexpr Duration kMaxRelayRequestPause = std::chrono::minutes{1};
/// Relays that stay for so long were worth asking for: the next loss starts from the beginning.
inline constexpr Duration kRelaysProvenAfter = std::chrono::minutes{1};

/// Dropped packets that are told of in one report; further ones are only counted.
inline constexpr std::size_t kMaxDropsPerReport = 32;

}  // namespace culvert::tunnel
