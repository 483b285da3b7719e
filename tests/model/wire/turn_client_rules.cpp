#include "tests/model/wire/turn_client_rules.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "culvert/connectivity/constants.h"
#include "culvert/turn/constants.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;
using namespace stun_attribute;

// spec/connectivity.md 5.5 and 5.6.
constexpr std::array<Duration, 3> kRepetitions{turn::kFirstRetransmission, turn::kFirstRetransmission * 3 / 2,
                                               turn::kFirstRetransmission * 9 / 4};
/// A transmission that left late does not delay the next.
constexpr Duration kJitter = 20ms;
constexpr unsigned kTransmissions = 4;
constexpr Duration kKeepAlive = turn::kKeepAliveInterval;
using turn::kChannelCoolDown;
using turn::kChannelLifetime;
/// How late a timer may be: the tick of an exact driver, and of a late one.
constexpr Duration kSlack = 1s;
constexpr Duration kLateness = 5500ms;
constexpr std::size_t kMaxPending = 256;
/// A relay remembers for as long as an allocation and its channels live what its client forgot.
constexpr Duration kRelayRemembers = kChannelLifetime + kChannelCoolDown;
constexpr Duration kImpatience = turn::kProbeGiveUpAfter;
/// Since its last repetition a request has been given up by then (spec/connectivity.md section 5.3).
constexpr Duration kGivenUp = turn::kGiveUpAfter + 2s;

Duration slack(const Host& host) {
    return host.is_late ? kLateness : kSlack;
}

std::uint16_t channel_of(const StunMessage& message) {
    return static_cast<std::uint16_t>(message.number(kChannelNumber).value_or(0) >> 16);
}

bool is_deletion(const StunMessage& message) {
    return message.type() == stun_type::kRefresh && message.number(kLifetime) == 0U;
}

}  // namespace

std::uint32_t error_code(const StunMessage& message) {
    const auto value = message.find(kErrorCode);
    return value && value->size() >= 4 ? std::to_integer<std::uint32_t>((*value)[2] & std::byte{7}) * 100 +
                                             std::to_integer<std::uint32_t>((*value)[3])
                                       : 0;
}

TurnClientRules::Allocation& TurnClientRules::allocation(const Host& host, const net::SocketAddress& relay,
                                                         const RelayCredentials& credentials) {
    auto& allocation = allocations_[{host.device, relay}];
    if (allocation.run != host.run || allocation.software != host.software || allocation.since != credentials.since) {
        // The process was started, has a new key, or was told of a relay with other credentials.
        allocation = Allocation{.run = host.run, .software = host.software, .since = credentials.since};
    }
    return allocation;
}

// --- Sent ---

void TurnClientRules::handle_sent(Host& host, const net::SocketAddress& relay, const StunMessage& message,
                                  Instant now) {
    const auto complaint = judge(host, relay, message, now);
    findings_.judge("PRO-1", complaint, now, [&] {
        return host.name() + " to " + relay.to_string() + ", type " + std::to_string(message.type());
    });
}

Complaint TurnClientRules::judge(Host& host, const net::SocketAddress& relay, const StunMessage& message, Instant now) {
    const auto credentials = host.relays.find(relay);
    if (credentials == host.relays.end()) {
        return "STUN request to an address that is no relay of the sender's";
    }
    auto& state = allocation(host, relay, credentials->second);
    if (const auto complaint = judge_form(message, host.software); !complaint.empty()) {
        return complaint;
    }
    if (message.type() == stun_type::kBinding && has_given_up(state, host.local(now))) {
        state.is_given_up = true;
        state.series.clear();
    }
    const bool is_listed_anew = host.last_relay_list && *host.last_relay_list > state.nonce_learnt;
    if (message.type() == stun_type::kAllocate && !message.has(kNonce) && !state.nonce.empty() &&
        (is_listed_anew || state.is_given_up)) {
        // It had given the relay up, and was told of it again or tries it again.
        state = Allocation{.run = state.run,
                           .software = state.software,
                           .since = state.since,
                           .is_probed = state.is_probed,
                           .mapped = state.mapped,
                           .keepalive = state.keepalive};
    }
    if (message.type() != stun_type::kBinding) {
        const auto complaint = judge_credentials(host, message, credentials->second, state);
        if (!complaint.empty() && host.may_still_use(relay, now)) {
            findings_.tolerate(Excuse::kQueued);
            return {};
        }
        if (!complaint.empty()) {
            return complaint;
        }
    }
    const auto local = host.local(now);
    const bool is_extra_probe = message.type() != stun_type::kChannelBind && asks_anew(host, state, message);
    const auto order = judge_order(host, message, state, now);
    const auto schedule = judge_schedule(host, message, state, local);
    if (message.type() == stun_type::kBinding) {
        state.keepalive = local;
    } else if (message.type() == stun_type::kRefresh) {
        state.refreshed = local;
    }
    const Pending request{.id = message.transaction_id(),
                          .type = message.type(),
                          .has_nonce = message.has(kNonce),
                          .channel = channel_of(message),
                          .deletes = is_deletion(message),
                          .sent = local};
    if (request.type != stun_type::kBinding && !is_extra_probe) {
        // Signed anew when repeated; late answers to an earlier transmission are ignored (5.5).
        std::erase_if(state.pending, [&](const Pending& earlier) {
            return earlier.type == request.type && earlier.channel == request.channel &&
                   earlier.deletes == request.deletes;
        });
    }
    state.pending.push_back(request);
    if (state.pending.size() > kMaxPending) {
        state.pending.pop_front();
    }
    return !order.empty() ? order : schedule;
}

Complaint TurnClientRules::judge_form(const StunMessage& message, std::string_view software) {
    const auto has_order = [&] {
        switch (message.type()) {
            case stun_type::kBinding:
                return message.has_order({{kSoftware}});
            case stun_type::kAllocate:
                return message.has_order({{kRequestedTransport},
                                          {kAdditionalAddressFamily},
                                          {kSoftware},
                                          {kUsername},
                                          {kRealm},
                                          {kNonce, true},
                                          {kMessageIntegrity}});
            case stun_type::kRefresh:
                return message.has_order({{kRequestedTransport},
                                          {kAdditionalAddressFamily},
                                          {kSoftware},
                                          {kLifetime, true},
                                          {kUsername},
                                          {kRealm},
                                          {kNonce, true},
                                          {kMessageIntegrity}});
            case stun_type::kChannelBind:
                return message.has_order({{kXorPeerAddress},
                                          {kChannelNumber},
                                          {kSoftware},
                                          {kUsername},
                                          {kRealm},
                                          {kNonce, true},
                                          {kMessageIntegrity}});
            default:
                return false;
        }
    }();
    if (!has_order) {
        return "a request to a relay is of no known type, or its attributes are not in order";
    }
    if (message.text(kSoftware) != software) {
        return "SOFTWARE does not name the session of the sender's key";
    }
    constexpr std::uint32_t kUdp = 17U << 24;
    constexpr std::uint32_t kIpv6 = 2U << 24;
    if ((message.has(kRequestedTransport) && message.number(kRequestedTransport) != kUdp) ||
        (message.has(kAdditionalAddressFamily) && message.number(kAdditionalAddressFamily) != kIpv6)) {
        return "REQUESTED-TRANSPORT is not UDP or ADDITIONAL-ADDRESS-FAMILY not IPv6";
    }
    if (message.has(kLifetime) && message.number(kLifetime) != 0U) {
        return "LIFETIME other than 0 is requested";
    }
    return {};
}

/// Whether requests have gone unanswered for so long that the relay counts as lost.
bool TurnClientRules::has_given_up(const Allocation& allocation, Instant local) {
    return std::ranges::any_of(allocation.series, [&](const auto& entry) {
        return entry.second.is_open && local - entry.second.last >= connectivity::kFirstRelayRetry - kJitter;
    });
}

/// Whether a new list of relays makes the host ask, beside what it has asked already.
bool TurnClientRules::asks_anew(const Host& host, const Allocation& allocation, const StunMessage& message) {
    const auto series = allocation.series.find({message.type(), channel_of(message)});
    if (series == allocation.series.end()) {
        return false;
    }
    const auto last = series->second.last;
    // Who has moved asks at both of a relay's addresses at once, and at one again if the other does not answer.
    const auto patience = message.type() == stun_type::kBinding ? Duration{turn::kGiveUpAfter} : Duration{};
    return (host.last_relay_list && host.local(*host.last_relay_list) >= last) ||
           (host.changed_at && host.local(*host.changed_at) + patience >= last);
}

/// A relay's nonce is good at all of its addresses.
bool TurnClientRules::is_newest_nonce(const Host& host, const RelayCredentials& credentials,
                                      const Allocation& allocation, std::string_view nonce) const {
    return nonce == allocation.nonce || std::ranges::any_of(host.relays, [&](const auto& entry) {
               const auto sibling = allocations_.find({host.device, entry.first});
               return entry.second.id == credentials.id && sibling != allocations_.end() &&
                      sibling->second.since == allocation.since && sibling->second.software == allocation.software &&
                      sibling->second.nonce == nonce;
           });
}

Complaint TurnClientRules::judge_credentials(const Host& host, const StunMessage& message,
                                             const RelayCredentials& credentials, const Allocation& allocation) const {
    if (message.text(kUsername) != credentials.username || message.text(kRealm) != "firezone") {
        return "USERNAME or REALM is not what the portal gave out";
    }
    if (!is_newest_nonce(host, credentials, allocation, message.text(kNonce))) {
        return "NONCE is not the newest one of this relay";
    }
    return message.has_integrity(credentials.key) ? Complaint{} : "MESSAGE-INTEGRITY of a request to a relay is wrong";
}

Complaint TurnClientRules::judge_order(const Host& host, const StunMessage& message, Allocation& allocation,
                                       Instant now) {
    const auto local = host.local(now);
    // At most two rounds of authentication.
    findings_.judge("RES-2",
                    allocation.is_refused && message.type() != stun_type::kBinding
                        ? "a request with credentials that the relay refused"
                        : Complaint{},
                    now, [&] { return host.name(); });
    const bool is_alive = allocation.is_allocated && local < allocation.allocated + allocation.lifetime + slack(host);
    switch (message.type()) {
        case stun_type::kAllocate:
            if (!allocation.is_probed) {
                return "ALLOCATE before the relay answered a BINDING";
            }
            if (is_alive && hosts_.calm().disturbed_at(host.device) < allocation.refreshed) {
                return "ALLOCATE although there is an allocation";
            }
            allocation.is_allocated = false;
            allocation.channels.clear();
            return {};
        case stun_type::kRefresh:
            if (is_deletion(message)) {
                return allocation.must_delete ? Complaint{} : "an allocation is deleted that nothing is wrong with";
            }
            return is_alive ? Complaint{} : "REFRESH without an allocation";
        case stun_type::kChannelBind:
            return is_alive ? judge_channel(message, allocation, local) : "CHANNEL-BIND before there is an allocation";
        default:
            return {};
    }
}

Complaint TurnClientRules::judge_channel(const StunMessage& message, Allocation& allocation, Instant local) {
    const auto number = message.number(kChannelNumber);
    const auto peer = message.xor_address(kXorPeerAddress);
    if (!number || !peer || (*number & 0xFFFF) != 0 || *number >> 16 < turn::kFirstChannel ||
        *number >> 16 > turn::kLastChannel) {
        return "CHANNEL-NUMBER or XOR-PEER-ADDRESS is malformed or out of range";
    }
    if (std::ranges::none_of(allocation.relayed, [&](const auto& own) { return own.family() == peer->family(); })) {
        return "CHANNEL-BIND to a peer of a family that the allocation lacks";
    }
    const auto channel = static_cast<std::uint16_t>(*number >> 16);
    const auto held = [&](const Channel& c) { return local - c.bound < kChannelLifetime + kChannelCoolDown; };
    for (const auto& [other, known] : allocation.channels) {
        if (held(known) && (other == channel) != (known.peer == *peer)) {
            return "CHANNEL-BIND of a channel or peer that is bound otherwise";
        }
    }
    if (const auto known = allocation.channels.find(channel);
        known != allocation.channels.end() && known->second.peer == *peer) {
        const auto age = local - known->second.bound;
        if (age >= kChannelLifetime) {
            findings_.count("wire: channel bound anew after it expired");
        } else if (age >= kChannelLifetime / 2) {
            findings_.count("wire: channel renewed");
        }
    }
    allocation.channels.insert_or_assign(channel, Channel{*peer, local});
    return {};
}

Complaint TurnClientRules::judge_schedule(const Host& host, const StunMessage& message, Allocation& allocation,
                                          Instant local) {
    auto& series = allocation.series[{message.type(), channel_of(message)}];
    const auto id = message.transaction_id();
    const auto pause = local - series.last;
    Complaint complaint;
    if (!series.is_open || asks_anew(host, allocation, message) || series.transmissions >= kTransmissions) {
        series = {.last = local, .transmissions = 1, .is_open = true, .id = id};
        return complaint;
    }
    if (pause + kJitter < kRepetitions[series.transmissions - 1]) {
        complaint = "a request to a relay is repeated too early";
    } else if (pause < kRepetitions.back() + slack(host) && message.type() == stun_type::kBinding && id != series.id) {
        complaint = "a repeated BINDING is not identical";
    } else if (message.type() != stun_type::kBinding && id == series.id) {
        complaint = "a repeated request to a relay has its old transaction id";
    }
    series.last = local;
    series.id = id;
    ++series.transmissions;
    return complaint;
}

std::expected<net::SocketAddress, Complaint> TurnClientRules::find_peer(Host& host, const net::SocketAddress& relay,
                                                                        std::uint16_t channel, Instant now) {
    const auto credentials = host.relays.find(relay);
    if (credentials == host.relays.end()) {
        return std::unexpected{"ChannelData to an address that is no relay of the sender's"};
    }
    const auto& state = allocation(host, relay, credentials->second);
    const auto found = state.channels.find(channel);
    if (found == state.channels.end()) {
        return std::unexpected{"ChannelData on a channel that was not bound"};
    }
    if (host.local(now) - found->second.bound > kChannelLifetime + slack(host)) {
        return std::unexpected{"ChannelData on a channel that has expired"};
    }
    return found->second.peer;
}

// --- Received ---

void TurnClientRules::handle_received(Host& host, const net::SocketAddress& relay, const StunMessage& message,
                                      Instant now) {
    const auto credentials = host.relays.find(relay);
    if (credentials == host.relays.end()) {
        return;
    }
    auto& state = allocation(host, relay, credentials->second);
    const auto id = message.transaction_id();
    const auto request = std::ranges::find(state.pending, id, &Pending::id);
    if (request == state.pending.end() || message.method() != request->type ||
        (request->type != stun_type::kBinding && !message.has_integrity(credentials->second.key))) {
        return;
    }
    const auto answered = *request;
    state.pending.erase(request);
    if (host.local(now) - answered.sent > kGivenUp + slack(host)) {
        return;  // by a relay that hung, for example: it answers nothing any more
    }
    state.series[{answered.type, answered.channel}].is_open = false;
    if (message.message_class() == stun_type::kSuccess) {
        handle_success(host, answered, message, state, host.local(now));
    } else {
        const auto code = error_code(message);
        judge_error(host, relay, answered, credentials->second, code, now);
        handle_error(answered, code, message, state, now);
    }
}

void TurnClientRules::handle_success(const Host& host, const Pending& request, const StunMessage& message,
                                     Allocation& allocation, Instant local) {
    switch (request.type) {
        case stun_type::kBinding:
            allocation.is_probed = true;
            if (const auto mapped = message.xor_address(kXorMappedAddress)) {
                ++mapped_[{host.device, *mapped}];
                allocation.mapped = mapped;
            }
            findings_.count("wire: relay probed");
            break;
        case stun_type::kAllocate:
            allocation.is_allocated = true;
            allocation.created = local;
            allocation.allocated = local;
            allocation.refreshed = local;
            allocation.lifetime = std::chrono::seconds{message.number(kLifetime).value_or(0)};
            allocation.channels.clear();
            allocation.relayed.clear();
            for (const auto& attribute : message.attributes()) {
                if (attribute.type == kXorRelayedAddress) {
                    if (const auto address = message.decode_xor_address(attribute.value)) {
                        allocation.relayed.push_back(*address);
                        ++relayed_[{host.device, *address}];
                    }
                }
            }
            findings_.count("wire: allocation");
            break;
        case stun_type::kRefresh:
            if (request.deletes) {
                allocation.must_delete = false;
                allocation.is_allocated = false;
                allocation.channels.clear();
            } else {
                allocation.allocated = local;
                findings_.count("wire: allocation refreshed");
            }
            break;
        case stun_type::kChannelBind:
            if (const auto channel = allocation.channels.find(request.channel); channel != allocation.channels.end()) {
                channel->second.bound = local;
            }
            findings_.count("wire: channel bound");
            break;
        default:
            break;
    }
}

void TurnClientRules::handle_error(const Pending& request, std::uint32_t code, const StunMessage& message,
                                   Allocation& allocation, Instant now) {
    if (code == 438 || (code == 401 && !request.has_nonce)) {
        allocation.nonce = std::string{message.text(kNonce)};
        allocation.nonce_learnt = now;
        return;
    }
    if (code == 401) {
        allocation.is_refused = true;
    }
    if (code == 401 || code == 437 || (code == 441 && request.type != stun_type::kAllocate && !request.deletes)) {
        // What is invalidated takes all outstanding requests with it (5.4). A BINDING may be a newer one, if the error
        // answers a request that the host had given up: it is no answer to anything then, and invalidates nothing.
        allocation.is_allocated = false;
        allocation.channels.clear();
        std::erase_if(allocation.pending, [](const Pending& each) { return each.type != stun_type::kBinding; });
        allocation.series.clear();
        allocation.must_delete = code == 437 && request.type == stun_type::kAllocate;
    } else if (request.type == stun_type::kChannelBind) {
        allocation.channels.erase(request.channel);
    }
}

/// The user name of a relay begins with when it expires (spec/relay.md section 3.1).
bool TurnClientRules::has_expired(const RelayCredentials& credentials, Instant now) {
    std::int64_t expiry = 0;
    const auto& name = credentials.username;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), expiry);
    return error == std::errc{} && wall_time(now) >= WallTime{std::chrono::seconds{expiry}};
}

void TurnClientRules::judge_error(const Host& host, const net::SocketAddress& relay, const Pending& request,
                                  const RelayCredentials& credentials, std::uint32_t code, Instant now) {
    Complaint complaint;
    if (code == 438 || (code == 401 && !request.has_nonce)) {
        findings_.count("wire: relay asks for authentication");
    } else if (code == 508 && request.type == stun_type::kAllocate && hosts_.may_be_full(relay)) {
        findings_.count("relay full");
    } else if (code == 401 && (host.is_revoked || has_expired(credentials, now))) {
        findings_.count("wire: a relay refuses who may not use it any more");
    } else if (code == 437 && request.type == stun_type::kAllocate) {
        findings_.count("wire: a relay still has an earlier allocation");  // RelayRules judge whether it has
    } else if (code == 403 && request.type == stun_type::kChannelBind) {
        findings_.count("wire: a relay forbids a peer");
    } else if (hosts_.calm().disturbed_at(host.device) >= now - kRelayRemembers ||
               (code == 437 && (host.has_impatient_nat || host.is_late || host.latency * 2 >= kImpatience / 2))) {
        findings_.tolerate(Excuse::kForgottenHost);
    } else {
        complaint = "a relay answers a request with an error";
    }
    findings_.judge("PRO-1", complaint, now, [&] {
        return host.name() + ", type " + std::to_string(request.type) + ", error " + std::to_string(code);
    });
}

// --- Facts ---

bool TurnClientRules::was_relayed(const Host& host, const net::SocketAddress& address) const {
    return relayed_.contains({host.device, address});
}

bool TurnClientRules::was_mapped(const Host& host, const net::SocketAddress& address) const {
    return mapped_.contains({host.device, address});
}

unsigned TurnClientRules::allocations_of(const Host& host, const net::SocketAddress& address) const {
    const auto found = relayed_.find({host.device, address});
    return found == relayed_.end() ? 0 : found->second;
}

void TurnClientRules::finish(Instant now) {
    for (const auto& [key, state] : allocations_) {
        const auto& host = hosts_.at(key.first);
        const auto local = host.local(now);
        const bool is_alive = state.is_allocated && local < state.allocated + state.lifetime;
        if (!is_alive || host.state != ProcessState::kRunning || state.run != host.run ||
            state.software != host.software || hosts_.calm().disturbed_at(host.device) >= state.created + host.slept ||
            !host.relays.contains(key.second)) {
            continue;
        }
        findings_.judge("PRO-1",
                        state.keepalive && local - std::max(*state.keepalive, state.created) <= kKeepAlive + slack(host)
                            ? Complaint{}
                            : "no BINDING keeps an allocation alive",
                        now, [&] { return host.name() + " at " + key.second.to_string(); });
        findings_.judge("PRO-1",
                        local - std::max(state.allocated, state.refreshed) <= state.lifetime / 2 + slack(host)
                            ? Complaint{}
                            : "an allocation is not refreshed at half its lifetime",
                        now, [&] { return host.name() + " at " + key.second.to_string(); });
    }
}

}  // namespace culvert::model::wire
