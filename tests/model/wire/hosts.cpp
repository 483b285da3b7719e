#include "tests/model/wire/hosts.h"

#include <algorithm>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/crypto/hash.h"
#include "culvert/turn/constants.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;

/// How long a datagram may wait in the queues of an event loop and its sockets. Without them, what was written before
/// the news leaves in the same instant.
constexpr Duration kQueued = 50ms;

/// Whether the box forgets mappings that are refreshed as often as that.
bool is_impatient(const NatBox& nat) {
    return nat.idle_timeout <= turn::kKeepAliveInterval + 1s;
}

std::string upper_hex(ByteSpan bytes) {
    auto text = to_hex(bytes);
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
    return text;
}

}  // namespace

bool Host::has_address(const net::IpAddress& address) const {
    return std::ranges::find(addresses, address) != addresses.end();
}

bool Host::may_still_use(const net::SocketAddress& relay, Instant now) const {
    const auto former = former_relays.find(relay);
    return former != former_relays.end() && now <= former->second + (has_queues ? kQueued : 0s);
}

bool Host::may_still_use(std::string_view username, Instant now) const {
    const auto former = former_usernames.find(username);
    return former != former_usernames.end() && now <= former->second + (has_queues ? kQueued : 0s);
}

const Grant* Host::find_grant(const Uuid& peer) const {
    const auto found = std::ranges::find_if(grants, [&](const auto& entry) { return entry.second.peer == peer; });
    return found == grants.end() ? nullptr : &found->second;
}

Hosts::Hosts(const Setup& setup) : calm_{setup} {
    const auto add = [this](Device device) -> Host& {
        auto& host = hosts_[device];
        host.device = device;
        return host;
    };
    std::uint8_t number = 0;
    for (const auto& client : setup.clients) {
        auto& host = add(ClientNo{++number});
        host.is_late = client.driver == Driver::kLate;
        host.is_hostile = client.is_hostile;
        host.has_queues = client.driver == Driver::kEventLoop;
    }
    number = 0;
    for (const auto& gateway : setup.gateways) {
        auto& host = add(GatewayNo{++number});
        host.is_late = gateway.driver == Driver::kLate;
        host.has_queues = gateway.driver == Driver::kEventLoop;
        host.is_hostile = gateway.is_hostile;
    }
    number = 0;
    for (const auto& relay : setup.relays) {
        add(RelayNo{++number}).has_few_ports = relay.ports < RelaySetup{}.ports;
    }
}

template <typename Visit>
void Hosts::for_neighbours(const Host& host, const Visit& visit) {
    for (auto& [device, other] : hosts_) {
        if (host.lan != 0 && other.lan == host.lan && device != host.device) {
            visit(other);
        }
    }
}

Host* Hosts::find_id(const Uuid& id) {
    const auto found = devices_.find(id);
    return found == devices_.end() ? nullptr : &hosts_.at(found->second);
}

bool Hosts::may_be_full(const net::SocketAddress& relay) const {
    return std::ranges::any_of(hosts_, [&](const auto& entry) {
        const auto& host = entry.second;
        return host.has_few_ports && std::ranges::find(host.addresses, relay.ip) != host.addresses.end();
    });
}

void Hosts::observe(const Observation& observation, Instant now) {
    calm_.observe(observation, now);
    std::visit(overloaded{[&](const ProcessChanged& change) { handle(change, now); },
                          [&](const HostAttached& attached) { handle(attached, now); },
                          [&](const NatReplaced& replaced) { handle(replaced); },
                          [&](const SessionOpened& session) { handle(session, now); },
                          [&](const MessageToDevice& message) { handle(message, now); },
                          [&](const ActionTaken& action) {
                              const auto* revoke = std::get_if<RevokeToken>(&action.step.action);
                              if (revoke != nullptr && action.is_effective) {
                                  hosts_.at(revoke->device).is_revoked = true;
                              }
                          },
                          ignores<FaultChanged, DatagramSent, DatagramReceived, PacketSubmitted, PacketDelivered,
                                  PacketForwarded, PacketReturned, AttackHandled, PacketForged, PacketBetrayed,
                                  TransferStarted, TransferEnded, SessionClosed, MessageToPortal, DeviceFailed,
                                  InterfaceConfigured, ResourcesListed, LogLine, Settled, StatesShown>},
               observation);
}

void Hosts::handle(const ProcessChanged& change, Instant now) {
    const auto device = as_device(change.process);
    if (!device) {
        return;
    }
    auto& host = hosts_.at(*device);
    if (host.asleep_since) {
        host.slept += now - *host.asleep_since;
        host.asleep_since.reset();
    }
    switch (change.state) {
        case ProcessState::kRunning:
            if (host.state != ProcessState::kStopped) {
                host.changed_at = now;
            } else {
                host.changed_at.reset();
                ++host.run;
                host.slept = {};
                host.session_opened.reset();
                host.public_key.reset();
                host.grants.clear();
                host.relays.clear();
            }
            break;
        case ProcessState::kSuspended:
            host.asleep_since = now;
            break;
        case ProcessState::kStopped:
        case ProcessState::kHung:
            break;
    }
    host.state = change.state;
}

void Hosts::handle(const HostAttached& attached, Instant now) {
    auto& host = hosts_.at(attached.host);
    if (!host.addresses.empty()) {
        host.changed_at = now;
    }
    host.former_addresses.insert(host.addresses.begin(), host.addresses.end());
    host.addresses = attached.addresses;
    host.port = attached.access.port;
    host.lan = attached.access.lan;
    host.latency = attached.access.latency;
    const bool forgets = attached.access.nat && is_impatient(*attached.access.nat);
    host.has_impatient_nat = forgets;
    for_neighbours(host, [&](Host& neighbour) {
        // The LAN's NAT is that of one of its hosts.
        neighbour.has_impatient_nat = neighbour.has_impatient_nat || forgets;
        host.has_impatient_nat = host.has_impatient_nat || neighbour.has_impatient_nat;
    });
}

/// Everybody behind the box is told of it.
void Hosts::handle(const NatReplaced& replaced) {
    hosts_.at(replaced.host).has_impatient_nat = is_impatient(replaced.nat);
}

void Hosts::handle(const SessionOpened& session, Instant now) {
    auto& host = hosts_.at(session.device);
    host.session_opened = now;
    host.id = session.id;
    devices_.insert_or_assign(session.id, session.device);
    host.public_key = session.public_key;
    host.software = "snownet; session=" + upper_hex(crypto::sha256({as_bytes("SESSION-ID"), session.public_key.bytes}));
}

void Hosts::use_relays(Host& host, const std::vector<portal_api::Relay>& relays, Instant now) {
    host.last_relay_list = now;
    for (const auto& relay : relays) {
        auto& known = host.relays[relay.addr];
        if (known.username == relay.username && known.password == relay.password) {
            continue;
        }
        if (known.since != Instant{}) {
            host.former_relays.insert_or_assign(relay.addr, now);
        }
        known = {relay.id, relay.username, relay.password, now,
                 crypto::md5({as_bytes(relay.username), as_bytes(":firezone:"), as_bytes(relay.password)})};
    }
}

void Hosts::grant(Host& host, Grant grant, const crypto::PublicKey& peer_key, Instant now) {
    grant.mac1_key = crypto::blake2s({as_bytes("mac1----"), peer_key.bytes});
    grant.since = now;
    grant.renewed = now;
    const auto username = grant.remote.username + ":" + grant.local.username;
    const auto known = host.grants.find(username);
    if (known != host.grants.end() && known->second.peer == grant.peer && known->second.local == grant.local &&
        known->second.remote == grant.remote && known->second.preshared_key == grant.preshared_key) {
        known->second.renewed = now;
        return;
    }
    host.ufrags.insert(grant.local.username);
    std::erase_if(host.grants, [&](const auto& entry) {
        if (entry.second.peer != grant.peer) {
            return false;
        }
        host.former_usernames.insert_or_assign(entry.first, now);
        return true;
    });
    host.grants.insert_or_assign(username, std::move(grant));
}

void Hosts::handle(const MessageToDevice& message, Instant now) {
    auto& host = hosts_.at(message.device);
    const auto handle_presence = [&](const portal_api::RelaysPresence& presence) {
        std::erase_if(host.relays, [&](const auto& entry) {
            if (std::ranges::find(presence.disconnected_ids, entry.second.id) == presence.disconnected_ids.end()) {
                return false;
            }
            host.former_relays.insert_or_assign(entry.first, now);
            return true;
        });
        use_relays(host, presence.connected, now);
    };
    const auto handle_client = overloaded{
        [&](const portal_api::ClientInit& init) { use_relays(host, init.relays, now); },
        [&](const portal_api::RelaysPresence& presence) { handle_presence(presence); },
        [&](const portal_api::FlowCreated& flow) {
            grant(host,
                  {.peer = flow.gateway_id.uuid(),
                   .is_client = true,
                   .local = flow.client_ice_credentials,
                   .remote = flow.gateway_ice_credentials,
                   .preshared_key = flow.preshared_key},
                  flow.gateway_public_key, now);
        },
        ignores<portal_api::ConfigChanged, portal_api::ResourceCreatedOrUpdated, portal_api::ResourceDeleted,
                portal_api::FlowCreationFailed, portal_api::GatewayIceCandidates,
                portal_api::InvalidateGatewayIceCandidates, portal_api::RejectAccess, portal_api::ClientIceCandidates,
                portal_api::InvalidateClientIceCandidates, portal_api::DevicePoolCreatedOrUpdated,
                portal_api::DeviceAccessAuthorized, portal_api::DeviceAccessDenied, portal_api::ClientIceCandidateError,
                portal_api::ResourceFiltersUpdated>};
    const auto handle_gateway = overloaded{
        [&](const portal_api::GatewayInit& init) { use_relays(host, init.relays, now); },
        [&](const portal_api::RelaysPresence& presence) { handle_presence(presence); },
        [&](const portal_api::AuthorizeFlow& flow) {
            grant(host,
                  {.peer = flow.client.id.uuid(),
                   .is_client = false,
                   .local = flow.gateway_ice_credentials,
                   .remote = flow.client_ice_credentials,
                   .preshared_key = flow.client.preshared_key},
                  flow.client.public_key, now);
        },
        ignores<portal_api::AccessAuthorizationExpiryUpdated, portal_api::RejectAccess, portal_api::ResourceUpdated,
                portal_api::ClientIceCandidates, portal_api::InvalidateClientIceCandidates>};
    std::visit(overloaded{[&](const portal_api::ToClient& to) { std::visit(handle_client, to); },
                          [&](const portal_api::ToGateway& to) { std::visit(handle_gateway, to); },
                          [](const portal_api::ToRelay&) {}},
               message.message);
}

}  // namespace culvert::model::wire
