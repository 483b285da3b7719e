#include "tests/model/world/relay_abuser.h"

#include <algorithm>
#include <array>

#include "culvert/stun/constants.h"
#include "culvert/stun/integrity.h"
#include "culvert/stun/message_builder.h"
#include "culvert/turn/constants.h"
#include "culvert/turn/server/constants.h"
#include "tests/model/world/forged_packets.h"

namespace culvert::model {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;
using turn::kFirstChannel;

constexpr std::size_t kRecordedPerRelay = 128;
constexpr std::string_view kRealm = turn::kRelayRealm;
constexpr std::size_t kMaxGarbage = 200;
constexpr std::string_view kOwnV4 = "198.51.100.66";
constexpr std::string_view kOwnV6 = "2001:db8:66::66";

/// The request with what shows that it is this user's.
Bytes finish(stun::MessageBuilder& builder, std::string_view username, std::string_view nonce,
             const stun::LongTermKey& key) {
    return builder.text(AttributeType::kUsername, username)
        .text(AttributeType::kRealm, kRealm)
        .text(AttributeType::kNonce, nonce)
        .integrity(key.reveal())
        .build();
}

}  // namespace

void RelayAbuser::watch(const Observation& observation) {
    if (const auto* told = std::get_if<MessageToDevice>(&observation)) {
        const auto* to_client = std::get_if<portal_api::ToClient>(&told->message);
        if (const auto* init = to_client == nullptr ? nullptr : std::get_if<portal_api::ClientInit>(to_client)) {
            for (const auto& relay : init->relays) {
                credentials_.insert_or_assign(relay.addr, Credentials{relay.username, relay.password});
            }
        }
        return;
    }
    if (const auto* sent = std::get_if<DatagramSent>(&observation)) {
        learn_nonce(*sent);
        return;
    }
    const auto* received = std::get_if<DatagramReceived>(&observation);
    if (received == nullptr || received->is_attack || !std::holds_alternative<RelayNo>(received->host) ||
        received->payload.empty() || received->payload[0] != std::byte{}) {
        return;
    }
    const auto message = stun::Message::parse(received->payload);
    const auto username = message ? message->text(AttributeType::kUsername) : std::nullopt;
    const auto nonce = message ? message->text(AttributeType::kNonce) : std::nullopt;
    if (!username || !nonce) {
        return;
    }
    auto& requests = requests_[received->host];
    requests.push_back({received->from, to_bytes(received->payload), std::string{*username}, std::string{*nonce},
                        message->u32(AttributeType::kLifetime) == 0U});
    if (requests.size() > kRecordedPerRelay) {
        requests.pop_front();
    }
}

void RelayAbuser::learn_nonce(const DatagramSent& sent) {
    if (!std::holds_alternative<RelayNo>(sent.host) || (sent.to.ip != ip(kOwnV4) && sent.to.ip != ip(kOwnV6))) {
        return;
    }
    const auto message = stun::Message::parse(sent.payload);
    if (const auto nonce = message ? message->text(AttributeType::kNonce) : std::nullopt) {
        footholds_.insert_or_assign(sent.from, Foothold{sent.to, std::string{*nonce}});
    }
}

std::vector<RelayAbuser::Datagram> RelayAbuser::make(const AbuseRelay& abuse, const net::SocketAddress& relay) {
    const auto& requests = requests_[abuse.relay];
    const auto* recorded = requests.empty() ? nullptr : &requests[rng_.below(requests.size())];
    if (abuse.abuse == RelayAbuse::kAllocateFlood) {
        stun::MessageBuilder request{Class::kRequest, Method::kAllocate, stun::make_transaction_id(rng_)};
        return {{own_address(relay), request.requested_transport(stun::kTransportUdp).build()}};
    }
    if (abuse.abuse == RelayAbuse::kMalformed) {
        return {{own_address(relay), make_malformed(recorded)}};
    }
    if (recorded == nullptr) {
        return {};
    }
    switch (abuse.abuse) {
        case RelayAbuse::kForeignRefresh:
        case RelayAbuse::kForeignBind:
            return {{recorded->from, make_request(abuse, *recorded)}};
        case RelayAbuse::kForeignChannel: {
            Bytes frame;
            append_be(frame, static_cast<std::uint16_t>(kFirstChannel + rng_.below(16)));
            append_be(frame, std::uint16_t{64});
            append(frame, random_bytes(64));
            return {{own_address(relay), std::move(frame)}};
        }
        case RelayAbuse::kInternalPeer:
            return reach_inside(relay);
        case RelayAbuse::kRepeated: {
            const auto deletion = std::ranges::find_if(requests, &Request::deletes);
            const auto& repeated = deletion != requests.end() && rng_.below(2) == 0 ? *deletion : *recorded;
            return {{repeated.from, repeated.bytes}};
        }
        default:
            return {{own_address(relay), make_request(abuse, *recorded)}};
    }
}

/// Like one that a user would send, but for what the abuser cannot know.
Bytes RelayAbuser::make_request(const AbuseRelay& abuse, const Request& recorded) {
    const auto method = abuse.abuse == RelayAbuse::kForeignRefresh ? Method::kRefresh
                        : abuse.abuse == RelayAbuse::kForeignBind  ? Method::kChannelBind
                                                                   : Method::kAllocate;
    stun::MessageBuilder builder{Class::kRequest, method, stun::make_transaction_id(rng_)};
    if (method == Method::kRefresh) {
        builder.u32(AttributeType::kLifetime, 0);
    } else if (method == Method::kChannelBind) {
        builder.channel_number(static_cast<std::uint16_t>(kFirstChannel + rng_.below(16)))
            .address(AttributeType::kXorPeerAddress, {ip("198.51.100.66"), 666});
    } else {
        builder.requested_transport(stun::kTransportUdp);
    }
    const bool is_unknown = abuse.abuse == RelayAbuse::kUnknownUser;
    const bool is_stale = abuse.abuse == RelayAbuse::kStaleNonce;
    return builder.text(AttributeType::kUsername, is_unknown ? "2000000000:guess" : recorded.username)
        .text(AttributeType::kRealm, kRealm)
        .text(AttributeType::kNonce, is_stale ? "00000000-0000-4000-8000-000000000000" : recorded.nonce)
        .integrity(random_bytes(16))
        .build();
}

Bytes RelayAbuser::make_malformed(const Request* recorded) {
    auto bytes = recorded != nullptr ? recorded->bytes : random_bytes(1 + rng_.below(kMaxGarbage));
    switch (rng_.below(4)) {
        case 0:
            bytes.resize(1 + rng_.below(bytes.size()));
            break;
        case 1:
            append(bytes, random_bytes(1 + rng_.below(kMaxGarbage)));
            break;
        case 2:
            // A length that is not the attribute's, or not the message's.
            bytes[rng_.below(bytes.size())] = std::byte{0xff};
            break;
        default:
            for (unsigned i = 0; i < 8; ++i) {
                bytes[rng_.below(bytes.size())] ^= static_cast<std::byte>(1U + rng_.below(255));
            }
    }
    return bytes;
}

/// Gets an allocation as any user may, and has the relay send to services that are not for everybody.
std::vector<RelayAbuser::Datagram> RelayAbuser::reach_inside(const net::SocketAddress& relay) {
    const auto credentials = credentials_.find(relay);
    if (credentials == credentials_.end()) {
        return {};
    }
    const auto foothold = footholds_.find(relay);
    if (foothold == footholds_.end()) {
        // Without a nonce for an address of one's own nothing else is worth asking; the next attempt has it.
        stun::MessageBuilder request{Class::kRequest, Method::kAllocate, stun::make_transaction_id(rng_)};
        return {{own_address(relay), request.requested_transport(stun::kTransportUdp).build()}};
    }
    constexpr std::array<std::string_view, 4> kV4 = {"127.0.0.1", "169.254.169.254", "10.0.0.1", "224.0.0.1"};
    constexpr std::array<std::string_view, 4> kV6 = {"::1", "fe80::1", "fd00::1", "ff02::1"};
    const auto& [username, password] = credentials->second;
    const auto key = stun::long_term_key(username, kRealm, password);
    const auto from = foothold->second.address;
    const auto nonce = foothold->second.nonce;
    footholds_.erase(foothold);
    std::vector<Datagram> datagrams;
    const auto request = [&](Method method, const auto& add) {
        stun::MessageBuilder builder{Class::kRequest, method, stun::make_transaction_id(rng_)};
        add(builder);
        datagrams.push_back({from, finish(builder, username, nonce, key), true});
    };
    request(Method::kAllocate, [&](stun::MessageBuilder& builder) {
        builder.requested_transport(stun::kTransportUdp)
            .address_family(AttributeType::kRequestedAddressFamily, relay.family());
    });
    for (std::uint16_t i = 0; i < kV4.size(); ++i) {
        const auto channel = static_cast<std::uint16_t>(kFirstChannel + i);
        request(Method::kChannelBind, [&](stun::MessageBuilder& builder) {
            builder.channel_number(channel).address(AttributeType::kXorPeerAddress,
                                                    {ip(relay.is_v4() ? kV4[i] : kV6[i]), 22});
        });
        Bytes frame;
        append_be(frame, channel);
        append_be(frame, std::uint16_t{32});
        append(frame, random_bytes(32));
        datagrams.push_back({from, std::move(frame)});
    }
    return datagrams;
}

std::vector<RelayAbuser::Datagram> RelayAbuser::take_everything(const net::SocketAddress& relay, const Admit& admit) {
    constexpr unsigned kPerDevice = 16;
    constexpr std::uint16_t kChannels = 4;
    const auto from = own_address(relay);
    const auto salt = "greedy" + std::to_string(greedy_allocations_++ / kPerDevice);
    const auto [username, password, nonce] = admit(salt, from);
    const auto key = stun::long_term_key(username, kRealm, password);
    std::vector<Datagram> datagrams;
    const auto request = [&](Method method, const auto& add) {
        stun::MessageBuilder builder{Class::kRequest, method, stun::make_transaction_id(rng_)};
        add(builder);
        datagrams.push_back({from, finish(builder, username, nonce, key), true});
    };
    request(Method::kAllocate, [&](stun::MessageBuilder& builder) {
        builder.requested_transport(stun::kTransportUdp)
            .address_family(AttributeType::kRequestedAddressFamily, relay.family());
    });
    for (std::uint16_t i = 0; i < kChannels; ++i) {
        const net::SocketAddress peer{from.ip, static_cast<std::uint16_t>(1000 + i)};
        request(Method::kCreatePermission,
                [&](stun::MessageBuilder& builder) { builder.address(AttributeType::kXorPeerAddress, peer); });
        request(Method::kChannelBind, [&](stun::MessageBuilder& builder) {
            builder.channel_number(static_cast<std::uint16_t>(kFirstChannel + i))
                .address(AttributeType::kXorPeerAddress, peer);
        });
    }
    return datagrams;
}

/// Another port each time.
net::SocketAddress RelayAbuser::own_address(const net::SocketAddress& relay) {
    return {ip(relay.is_v4() ? kOwnV4 : kOwnV6), next_port_++};
}

Bytes RelayAbuser::random_bytes(std::size_t length) {
    Bytes bytes(length);
    rng_.fill(bytes);
    return bytes;
}

}  // namespace culvert::model
