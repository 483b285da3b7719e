#pragma once

#include <chrono>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/crypto/keys.h"
#include "culvert/net/ecn.h"
#include "culvert/net/socket_address.h"
#include "culvert/observability/log.h"
#include "culvert/portal_api/frame.h"
#include "culvert/portal_channel/event.h"
#include "culvert/tunnel/client/client_state.h"
#include "culvert/tunnel/client/resource_view.h"
#include "culvert/tunnel/device/tun_config.h"
#include "culvert/tunnel/gateway/gateway_state.h"
#include "culvert/turn/server/allocation_table.h"
#include "tests/model/scenario/action.h"

/// What an omniscient observer sees of a running world, in order. Everything the reference model and the invariants
/// know of the system under test comes through here.
namespace culvert::model {

/// When every case begins, and what wall clocks show then. Not zero, so that an Instant{} taken for "now" by mistake is
/// in the past.
inline constexpr Instant kCaseBegin{std::chrono::hours{1}};
inline constexpr WallTime kWallAtBegin{std::chrono::milliseconds{1'763'000'000'000}};
[[nodiscard]] constexpr WallTime wall_time(Instant now) {
    return kWallAtBegin + std::chrono::floor<std::chrono::milliseconds>(now - kCaseBegin);
}

/// A step of the scenario is carried out now. `is_effective`: its precondition held.
struct ActionTaken {
    const Step& step;
    bool is_effective;
};
enum class ProcessState : std::uint8_t { kStopped, kRunning, kHung, kSuspended };
struct ProcessChanged {
    Process process;
    ProcessState state;
    /// Stopped without a goodbye.
    bool is_crash = false;
};
/// A new set of addresses and a new path to the Internet; also sent at the start for every host.
struct HostAttached {
    Device host;
    std::vector<net::IpAddress> addresses;  ///< the host's own
    const Access& access;
};
/// The host is behind another box than before.
struct NatReplaced {
    Device host;
    const NatBox& nat;
};
/// A fault begins, or is over. `name` is stable: "link", "direct", "relay", "family", "nat",
/// "portal", "allocation", "deceit" (which never ends: nobody knows what was believed).
struct FaultChanged {
    std::string_view name;
    Process process;
    bool is_active;
};

/// A datagram leaves a host's socket. Attackers' datagrams are not reported.
struct DatagramSent {
    Device host;
    net::SocketAddress from;  ///< the host's own address and port
    net::SocketAddress to;
    net::Ecn ecn;
    ByteSpan payload;
};
/// A datagram arrives at a host's socket, possibly from an attacker.
struct DatagramReceived {
    Device host;
    net::SocketAddress from;
    net::SocketAddress to;
    ByteSpan payload;
    bool is_attack;
    bool is_authentic = false;  ///< an attacker's that a relay must take for a user's own
};
/// What a running device, or a relay, shows of itself; nothing if it does not run.
using DeviceState = std::variant<std::monostate, tunnel::ClientState, tunnel::GatewayState, turn::ServerAllocations>;
/// The attacker's datagram that was received last has been dealt with. `local_now` is the host's own time.
struct AttackHandled {
    Device host;
    const DeviceState& before;
    const DeviceState& after;
    Instant local_now;
};

/// An IP packet that an application hands to a client's TUN, or a client's TUN to an application.
struct PacketSubmitted {
    ClientNo client;
    ByteSpan packet;
};
struct PacketDelivered {
    ClientNo client;
    ByteSpan packet;
};
/// An IP packet that leaves a gateway towards resources, or comes from there to the gateway's TUN.
struct PacketForwarded {
    GatewayNo gateway;
    ByteSpan packet;
};
struct PacketReturned {
    GatewayNo gateway;
    ByteSpan packet;
};
/// A hostile client puts an IP packet (or what it claims to be one) into its tunnel to `gateway`.
struct PacketForged {
    ClientNo client;
    GatewayNo gateway;
    ByteSpan packet;
};

/// A hostile gateway puts an IP packet (or what it claims to be one) into its tunnel to `client`.
struct PacketBetrayed {
    GatewayNo gateway;
    ClientNo client;
    ByteSpan packet;
};

/// An application's TCP transfer begins, and is over: every byte arrived in both directions (and was compared), or one
/// end gave up. One that neither completes nor fails before the case ends is not reported as over.
struct TransferStarted {
    const Transfer& transfer;
    net::SocketAddress client;
    net::SocketAddress server;
};
struct TransferEnded {
    const Transfer& transfer;
    net::SocketAddress client;
    net::SocketAddress server;
    bool is_complete;
};

/// A device's session with the portal: ids and keys as the portal knows them now.
struct SessionOpened {
    Device device;
    Uuid id;  ///< client, gateway or relay id
    crypto::PublicKey public_key;
};
struct SessionClosed {
    Device device;
    std::string reason;
};
/// A message of the portal reaches a device, and a message of a device reaches the portal.
struct MessageToDevice {
    Device device;
    const portal_api::ToDevice& message;
};
struct MessageToPortal {
    Device device;
    const portal_api::FromDevice& message;
};
/// A device gave up for good.
struct DeviceFailed {
    Device device;
    portal_channel::FatalCause cause;
};

/// A client's TUN interface was configured, and its list of resources changed.
struct InterfaceConfigured {
    Device device;
    const tunnel::TunConfig& config;
};
struct ResourcesListed {
    ClientNo client;
    const std::vector<tunnel::ResourceView>& resources;
};

struct LogLine {
    Process process;
    log::Level level;
    std::string_view target;
    std::string_view message;
    const std::vector<log::TextField>& fields;
};

/// Settle has run its course: compare states now.
struct Settled {};
/// What the devices that run show of themselves, once traffic has been tried after that, and once all clients have
/// left.
struct StatesShown {
    const std::map<Device, DeviceState>& states;
};

using Observation =
    std::variant<ActionTaken, ProcessChanged, HostAttached, NatReplaced, FaultChanged, DatagramSent, DatagramReceived,
                 AttackHandled, PacketSubmitted, PacketDelivered, PacketForwarded, PacketReturned, PacketForged,
                 PacketBetrayed, TransferStarted, TransferEnded, SessionOpened, SessionClosed, MessageToDevice,
                 MessageToPortal, DeviceFailed, InterfaceConfigured, ResourcesListed, LogLine, Settled, StatesShown>;

class Observer {
public:
    virtual ~Observer() = default;
    virtual void observe(const Observation& observation, Instant now) = 0;
};

}  // namespace culvert::model
