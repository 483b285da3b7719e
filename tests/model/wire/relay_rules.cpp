#include "tests/model/wire/relay_rules.h"

#include <algorithm>
#include <array>
#include <functional>

#include "culvert/turn/constants.h"
#include "culvert/turn/server/constants.h"
#include "tests/model/wire/turn_client_rules.h"

namespace culvert::model::wire {
namespace {

constexpr std::uint16_t kCreatePermission = 0x0008;

using namespace stun_attribute;

/// From the end of a relay's run until the portal has learnt of it and stops to hand out its credentials.
constexpr Duration kPortalNotices = std::chrono::seconds{2};
constexpr auto kListenPort = turn::kRelayPort;
constexpr auto kFirstAllocationPort = turn::kDefaultLowestPort;
constexpr auto kAllocationLifetime = turn::kDefaultAllocationLifetime;
constexpr auto kDefaultLifetime = static_cast<std::uint32_t>(kAllocationLifetime.count());
/// How much later than promised a relay may forget an allocation.
constexpr Duration kForgets = std::chrono::seconds{10};
/// What a relay that hangs still has in its buffers.
constexpr std::size_t kMaxWaiting = 8192;

/// Tells datagrams of one case apart; not cryptographic.
std::uint64_t fingerprint(ByteSpan bytes) {
    std::uint64_t state = 0x9E3779B97F4A7C15 ^ bytes.size();
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        state = (state ^ load_le<std::uint64_t>(bytes)) * 0xFF51AFD7ED558CCD;
        state ^= state >> 32;
    }
    for (const auto byte : bytes) {
        state = (state ^ std::to_integer<std::uint64_t>(byte)) * 0xFF51AFD7ED558CCD;
    }
    return state;
}

std::string_view reason_of(std::uint32_t code) {
    switch (code) {
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 437:
            return "Allocation Mismatch";
        case 438:
            return "Stale Nonce";
        case 440:
            return "Address Family not Supported";
        case 441:
            return "Wrong Credentials";
        case 443:
            return "Peer Address Family Mismatch";
        case 486:
            return "Allocation Quota Reached";
        case 500:
            return "Server Error";
        case 508:
            return "Insufficient Capacity";
        default:
            return {};
    }
}

/// The user behind a name that begins with when it expires.
std::string_view user_of(std::string_view username) {
    const auto colon = username.find(':');
    return colon == std::string_view::npos ? username : username.substr(colon + 1);
}

/// Where no relay may send, whatever its users ask for.
bool is_nobodys(const net::IpAddress& address) {
    const auto bytes = address.bytes();
    const auto first = std::to_integer<unsigned>(bytes[0]);
    if (address.is_v4()) {
        return first == 0 || first == 127 || first >= 224 || address.is_link_local();
    }
    return first == 0 || first == 0xff || address.is_link_local();
}

bool is_nonce(std::string_view text) {
    if (text.size() != 36) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        const bool is_digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (is_hyphen ? text[i] != '-' : !is_digit) {
            return false;
        }
    }
    return true;
}

Complaint judge_error(const StunMessage& message, const StunMessage::Slot& integrity) {
    const auto code = error_code(message);
    const auto reason = message.text(kErrorCode);
    if (reason.size() < 4 || reason_of(code).empty() || reason.substr(4) != reason_of(code)) {
        return "an error of a relay has an unknown code or the wrong reason";
    }
    if (code != 401 && code != 438) {
        return message.has_order({{kSoftware}, {kErrorCode}, integrity}) ? Complaint{}
                                                                         : "attributes of an error are not in order";
    }
    if (!message.has_order({{kSoftware}, {kErrorCode}, {kRealm}, {kNonce}, integrity})) {
        return "attributes of a 401 or 438 are not in order";
    }
    return message.text(kRealm) == "firezone" && is_nonce(message.text(kNonce))
               ? Complaint{}
               : "REALM or NONCE of a 401 or 438 is not of its form";
}

}  // namespace

RelayRules::State& RelayRules::state(const Host& relay) {
    auto& state = states_[relay.device];
    if (state.run != relay.run) {
        state = State{.run = relay.run};
    }
    return state;
}

void RelayRules::handle_received(Host& relay, const net::SocketAddress& from, const net::SocketAddress& to,
                                 ByteSpan datagram, bool) {
    auto& known = state(relay);
    const auto carry = [&](ByteSpan payload) {
        known.cargo.push_back({fingerprint(payload), payload.size()});
        if (known.cargo.size() > kMaxWaiting) {
            known.cargo.pop_front();
        }
    };
    if (to.port != kListenPort) {
        carry(datagram);
        return;
    }
    if (StunMessage::looks_like(datagram)) {
        Request request{.from = from, .type = load_be<std::uint16_t>(datagram)};
        std::ranges::copy(datagram.subspan(8, request.id.size()), request.id.begin());
        if (const auto message = StunMessage::decode(datagram)) {
            request.has_username = message->has(kUsername);
            request.username = std::string{message->text(kUsername)};
            request.deletes = message->number(kLifetime) == 0U;
        }
        if (request.has_username) {
            // From another address its nonce does not count, so it has done nothing.
            const auto print = fingerprint(datagram) ^ std::hash<net::SocketAddress>{}(from);
            request.is_repeated = std::ranges::find(known.seen, print) != known.seen.end();
            known.seen.push_back(print);
            if (known.seen.size() > kMaxWaiting) {
                known.seen.pop_front();
            }
        }
        known.requests.push_back(std::move(request));
        if (known.requests.size() > kMaxWaiting) {
            known.requests.pop_front();
        }
    } else if (datagram.size() >= 4) {
        const std::size_t length = load_be<std::uint16_t>(datagram.subspan(2));
        carry(datagram.subspan(4, std::min(length, datagram.size() - 4)));
    }
}

void RelayRules::handle_sent(Host& relay, const net::SocketAddress& from, const net::SocketAddress& to,
                             ByteSpan datagram, Instant now) {
    auto& known = state(relay);
    const auto complaint = [&]() -> Complaint {
        if (from.port != kListenPort) {
            if (!known.ports.contains(from.port)) {
                return "a relay sends from a port that no allocation has";
            }
            findings_.count("wire: relayed to peer");
            if (is_nobodys(to.ip) || (relay.has_address(to.ip) && to.port == kListenPort)) {
                return "a relay sends where no user may send";
            }
            return judge_cargo(known, datagram);
        }
        if (StunMessage::looks_like(datagram)) {
            return judge_answer(relay, known, to, datagram, now);
        }
        if (datagram.size() < 4 || datagram[0] < std::byte{0x40} || datagram[0] > std::byte{0x4F}) {
            return "a relay sends neither STUN nor ChannelData";
        }
        if (load_be<std::uint16_t>(datagram.subspan(2)) != datagram.size() - 4) {
            return "the length of ChannelData is not that of the datagram";
        }
        findings_.count("wire: relayed to client");
        return judge_cargo(known, datagram.subspan(4));
    }();
    findings_.judge("PRO-1", complaint, now, [&] {
        return relay.name() + " " + from.to_string() + " -> " + to.to_string() + ", " +
               to_hex(datagram.first(std::min<std::size_t>(datagram.size(), 40)));
    });
}

Complaint RelayRules::judge_cargo(State& state, ByteSpan payload) {
    const auto print = fingerprint(payload);
    const auto found = std::ranges::find_if(
        state.cargo, [&](const Cargo& cargo) { return cargo.fingerprint == print && cargo.size == payload.size(); });
    if (found == state.cargo.end()) {
        return "a relay forwards what it did not receive, or forwards it twice";
    }
    state.cargo.erase(found);
    return {};
}

Complaint RelayRules::judge_answer(Host& relay, State& state, const net::SocketAddress& to, ByteSpan datagram,
                                   Instant now) {
    const auto message = StunMessage::decode(datagram);
    if (!message) {
        return message.error();
    }
    if (message->message_class() != stun_type::kSuccess && message->message_class() != stun_type::kError) {
        return "a relay sends STUN that is no response";
    }
    const auto id = message->transaction_id();
    const auto found = std::ranges::find_if(state.requests, [&](const Request& request) {
        return request.id == id && request.from == to && request.type == message->method();
    });
    if (found == state.requests.end()) {
        return "a relay answers what nobody asked, or answers twice";
    }
    const auto request = std::move(*found);
    state.requests.erase(found);
    if (const auto complaint = judge_form(*message, request, to); !complaint.empty()) {
        return complaint;
    }
    if (const auto complaint = judge_memory(relay, state, *message, request, now); !complaint.empty()) {
        return complaint;
    }
    if (message->type() == (stun_type::kAllocate | stun_type::kSuccess)) {
        if (const auto complaint = judge_allocation(relay, state, *message); !complaint.empty()) {
            return complaint;
        }
    }
    return judge_integrity(relay, *message, request, now);
}

Complaint RelayRules::judge_form(const StunMessage& message, const Request& request, const net::SocketAddress& to) {
    if (!message.text(kSoftware).starts_with("firezone-relay; rev=")) {
        return "SOFTWARE of a relay is not of its form";
    }
    const StunMessage::Slot integrity{kMessageIntegrity, !request.has_username};
    if (message.message_class() == stun_type::kError) {
        // Errors of decoding are never signed (3.6).
        const auto code = error_code(message);
        return judge_error(message, {kMessageIntegrity, !request.has_username || code == 400 || code == 500});
    }
    const bool has_order = [&] {
        switch (request.type) {
            case stun_type::kBinding:
                return message.has_order({{kSoftware}, {kXorMappedAddress}});
            case stun_type::kAllocate:
                return message.has_order({{kSoftware},
                                          {kXorRelayedAddress},
                                          {kXorRelayedAddress, true},
                                          {kXorMappedAddress},
                                          {kLifetime},
                                          integrity});
            case stun_type::kRefresh:
                return message.has_order({{kSoftware}, {kLifetime}, integrity});
            default:
                return message.has_order({{kSoftware}, integrity});
        }
    }();
    if (!has_order) {
        return "attributes of a relay's success are not those of the specification, in order";
    }
    if (message.has(kXorMappedAddress) && message.xor_address(kXorMappedAddress) != to) {
        return "XOR-MAPPED-ADDRESS of a relay's answer is not where it is sent to";
    }
    if (message.has(kLifetime) && message.number(kLifetime) != (request.deletes ? 0U : kDefaultLifetime)) {
        return "LIFETIME of a relay's answer is not what was asked for";
    }
    return {};
}

Complaint RelayRules::judge_allocation(const Host& relay, State& state, const StunMessage& message) {
    std::optional<std::uint16_t> port;
    for (const auto& attribute : message.attributes()) {
        if (attribute.type != kXorRelayedAddress) {
            continue;
        }
        const auto address = message.decode_xor_address(attribute.value);
        if (!address || !relay.has_address(address->ip) || address->port < kFirstAllocationPort) {
            return "XOR-RELAYED-ADDRESS is not an address of the relay in its port range";
        }
        if (port && (*port != address->port || address->is_v4())) {
            return "an allocation has two ports, or IPv4 after IPv6";
        }
        port = address->port;
        state.ports.insert(address->port);
    }
    return {};
}

Complaint RelayRules::judge_memory(const Host& relay, State& state, const StunMessage& message, const Request& request,
                                   Instant now) {
    if (request.type == stun_type::kBinding || request.type == kCreatePermission) {
        return {};  // permissions come with channels alone: whoever asks for one is told yes (spec/relay.md section 5)
    }
    if (request.is_repeated) {
        return {};  // it was answered for what it did the first time
    }
    const auto local = relay.local(now);
    const auto known = state.allocations.find(request.from);
    const auto owner = state.owners.find(request.from);
    const bool is_anothers = owner != state.owners.end() && owner->second != user_of(request.username);
    const bool has_allocation = known != state.allocations.end() && local < known->second;
    const bool may_have_allocation = known != state.allocations.end() && local < known->second + kForgets;
    const bool wants_allocation = request.type == stun_type::kAllocate;
    if (message.message_class() == stun_type::kError) {
        if (error_code(message) == 441) {
            return !wants_allocation && may_have_allocation && is_anothers
                       ? Complaint{}
                       : "441 to a user whose allocation it is, or where there is none";
        }
        if (error_code(message) != 437) {
            return {};
        }
        return (wants_allocation ? may_have_allocation : !has_allocation || is_anothers)
                   ? Complaint{}
                   : "437 contradicts what the relay answered before";
    }
    if (wants_allocation ? has_allocation && !is_anothers : !may_have_allocation || is_anothers) {
        return "success contradicts what the relay answered before";
    }
    if (request.deletes) {
        state.allocations.erase(request.from);
    } else if (request.type != stun_type::kChannelBind) {
        state.allocations.insert_or_assign(request.from, local + kAllocationLifetime);
        if (wants_allocation) {
            state.owners.insert_or_assign(request.from, std::string{user_of(request.username)});
        }
    }
    return {};
}

Complaint RelayRules::judge_integrity(const Host& relay, const StunMessage& message, const Request& request, Instant) {
    if (!message.has(kMessageIntegrity)) {
        return {};
    }
    // Whoever holds these credentials; those of a relay's earlier run cannot be verified, its secret is gone.
    for (const auto& [device, host] : hosts_.all()) {
        for (const auto& [address, credentials] : host.relays) {
            if (credentials.username == request.username && relay.has_address(address.ip)) {
                // The portal may hand them out for a moment after the relay has started anew.
                const auto& opened = relay.session_opened;
                const bool is_current = relay.run == 1 || (opened && credentials.since > *opened + kPortalNotices);
                return !is_current || message.has_integrity(credentials.key)
                           ? Complaint{}
                           : "MESSAGE-INTEGRITY of a relay's response is wrong";
            }
        }
    }
    return {};
}

}  // namespace culvert::model::wire
