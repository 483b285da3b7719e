// From a datagram to an IP packet (spec/connectivity.md sections 2.4 and 2.5).

#include <algorithm>

#include "culvert/connectivity/connection.h"
#include "culvert/connectivity/identity.h"
#include "culvert/connectivity/node.h"
#include "culvert/observability/log.h"
#include "culvert/packet/constants.h"
#include "culvert/stun/message.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/constants.h"

namespace culvert::connectivity {
namespace {

constexpr log::Logger kLog{"connectivity"};

using Kind = DecapsulateError::Kind;

std::unexpected<DecapsulateError> refuse(Kind kind, bool is_recently_disconnected = false) {
    return std::unexpected{DecapsulateError{kind, is_recently_disconnected, std::nullopt}};
}

bool is_wireguard_data(ByteSpan datagram) {
    return datagram.size() >= wireguard::kMinDataSize && load_le<std::uint32_t>(datagram) == 4;
}

bool may_be_stun(ByteSpan datagram) {
    return !datagram.empty() && std::to_integer<unsigned>(datagram[0]) < 4;
}

bool may_be_channel_data(ByteSpan datagram) {
    return !datagram.empty() && (std::to_integer<unsigned>(datagram[0]) & 0xc0) == 0x40;
}

/// Whether a message is one of those that agents exchange (section 4.3); anything else is not for them.
bool is_for_agents(const stun::Message& message) {
    using enum stun::AttributeType;
    if (message.method() != stun::Method::kBinding || !message.has_integrity()) {
        return false;
    }
    switch (message.cls()) {
        case stun::Class::kRequest: {
            const auto username = message.text(kUsername);
            const auto colon = username ? username->find(':') : std::string_view::npos;
            return colon != std::string_view::npos && colon + 1 < username->size() && message.has(kPriority);
        }
        case stun::Class::kSuccess:
            return message.has(kXorMappedAddress);
        case stun::Class::kError:
            return true;
        case stun::Class::kIndication:
            return false;
    }
    return false;
}

}  // namespace

Node::DecapsulateResult Node::decapsulate(net::SocketAddress local, net::SocketAddress from, MutableByteSpan datagram,
                                          Instant now) {
    if (datagram.size() > packet::kMaxTunnelDatagram) {
        return refuse(Kind::kTooLong);
    }
    if (from.port == turn::kRelayPort) [[unlikely]] {  // nothing else is taken for TURN (section 2.4)
        const auto goes_on = unwrap(local, from, datagram, now);
        if (!goes_on) {
            return std::unexpected{goes_on.error()};
        }
        if (!*goes_on) {
            return std::nullopt;
        }
    }
    // No data packet can be taken for STUN: where STUN has its length, WireGuard has zeros, and 20 bytes are too few.
    if (is_wireguard_data(datagram)) [[likely]] {
        return handle_data(datagram, now);
    }
    if (const auto message = stun::Message::parse(datagram); message && is_for_agents(*message)) {
        return handle_stun(local, from, *message, now);
    }
    return handle_handshake(local, from, datagram, now);
}

std::expected<bool, DecapsulateError> Node::unwrap(net::SocketAddress& local, net::SocketAddress& from,
                                                   MutableByteSpan& datagram, Instant now) {
    if (may_be_stun(datagram)) {
        const auto message = stun::Message::parse(datagram);
        if (!message) {
            return true;
        }
        auto* allocation = relays_.find_by_server(from);
        if (allocation == nullptr && is_for_agents(*message)) {
            return true;  // a peer with that port; agents tell theirs by key
        }
        if (allocation == nullptr) {
            kLog.debug("STUN message from no relay in use", log::field("from", from));
            return refuse(Kind::kUnknownRelay);
        }
        (void)allocation->handle_input(local, from, *message, now);
        return false;
    }
    if (!may_be_channel_data(datagram)) {
        return true;
    }
    const auto header = turn::decode_channel_data(datagram, turn::TrailingBytes::kRefuse);
    if (!header) {
        return true;
    }
    auto* allocation = relays_.find_by_server(from);
    if (allocation == nullptr) {
        kLog.debug("ChannelData from no relay in use", log::field("from", from));
        return refuse(Kind::kUnknownRelay);
    }
    const auto peer = allocation->receive_on_channel(from, header->channel);
    const auto relay_address = peer ? allocation->relay_address(peer->family()) : std::nullopt;
    if (!relay_address) {
        kLog.debug("ChannelData on a channel that is not bound", log::field("channel", header->channel));
        return refuse(Kind::kUnknownChannel);
    }
    local = *relay_address;
    from = *peer;
    datagram = datagram.subspan(turn::kChannelDataHeaderSize);
    return true;
}

Node::DecapsulateResult Node::handle_data(MutableByteSpan datagram, Instant now) {
    const auto index = wireguard::receiver_index(datagram) >> 8;
    auto* connection = indices_.find(index);
    if (connection == nullptr) [[unlikely]] {
        return refuse(Kind::kUnknownIndex, recently_disconnected_.contains(index, now));
    }
    return pass_to_tunnel(*connection, datagram, now);
}

Node::DecapsulateResult Node::handle_stun(const net::SocketAddress& local, const net::SocketAddress& from,
                                          const stun::Message& message, Instant now) {
    if (message.cls() == stun::Class::kRequest) {
        const auto username = *message.text(stun::AttributeType::kUsername);
        const auto [first, last] = by_ufrag_.equal_range(username.substr(0, username.find(':')));
        for (auto named = first; named != last; ++named) {
            if (pass_to_agent(*named->second, local, from, message, now)) {
                return std::nullopt;
            }
        }
    } else if (auto* connection = indices_.find(ice::Agent::tag_of(message.transaction_id()));
               connection != nullptr && pass_to_agent(*connection, local, from, message, now)) {
        return std::nullopt;
    }
    kLog.trace("STUN message for no connection", log::field("from", from));
    return refuse(Kind::kUnknownStun);
}

bool Node::pass_to_agent(Connection& connection, const net::SocketAddress& local, const net::SocketAddress& from,
                         const stun::Message& message, Instant now) {
    if (!connection.agent().handle_message(local, from, message, now)) {
        return false;
    }
    schedule_.touch(connection);
    return true;
}

Node::DecapsulateResult Node::handle_handshake(const net::SocketAddress& local, const net::SocketAddress& from,
                                               MutableByteSpan datagram, Instant now) {
    const auto kind = wireguard::classify(datagram);
    if (!kind) {
        return refuse(Kind::kNotWireGuard);
    }
    // First of all: an initiation names its sender only to whoever spends a Diffie-Hellman on it.
    if (const auto admitted = admit_handshake(local, from, datagram, now); !admitted) {
        return std::unexpected{admitted.error()};
    }
    if (*kind == wireguard::PacketKind::kInitiation) {
        return handle_initiation(local, from, datagram, now);
    }
    return handle_data(datagram, now);  // found by its receiver index as well
}

/// Asks the limiter about a handshake message (section 7.4). Under load a cookie goes back the way the message came:
/// whose it is, is not known yet.
std::expected<void, DecapsulateError> Node::admit_handshake(const net::SocketAddress& local,
                                                            const net::SocketAddress& from, ByteSpan datagram,
                                                            Instant now) {
    if (now - identity_->limiter_cleared_at >= kHandshakeWindow) {
        identity_->limiter_cleared_at = now;
        identity_->limiter.clear_window(now);
    }
    auto* const sender = peers_.find_by_path(local, from);
    auto* const budget = sender != nullptr ? &sender->handshake_budget : nullptr;
    const auto admitted = identity_->limiter.admit(datagram, from.ip, now, budget);
    if (admitted) {
        return {};
    }
    if (const auto& reply = admitted.error().cookie_reply) {
        outbox_.reply(local, from, *reply, now);
    }
    return std::unexpected{DecapsulateError{Kind::kHandshake, false, admitted.error().error}};
}

/// Not assigned by source address: peers may share one (section 2.5). Where several connections have the same peer key,
/// all of them would accept the message, but only the right one's answer, with the right preshared key, is of use to
/// the peer. So each that may be meant answers.
Node::DecapsulateResult Node::handle_initiation(const net::SocketAddress& local, const net::SocketAddress& from,
                                                ByteSpan datagram, Instant now) {
    const auto opened = wireguard::open_initiation(identity_->keys, datagram);
    crypto::wipe_stack();
    if (!opened) {
        return std::unexpected{DecapsulateError{Kind::kHandshake, false, opened.error()}};
    }
    auto result = DecapsulateResult{refuse(Kind::kUnknownPeer)};
    for (auto* connection : meant_by(opened->claimed_peer, local, from)) {
        const auto handled = connection->tunnel().handle_initiation(*opened, now);
        if (handled) {
            connection->flush_tunnel(outbox_, now);
            connection->note_handshake(outbox_);
            connection->note_peer_path(local, from, now);
            schedule_.touch(*connection);
            result = std::nullopt;
        } else if (!result) {
            result = std::unexpected{DecapsulateError{Kind::kHandshake, false, handled.error()}};
        }
    }
    if (!result && result.error().kind == Kind::kUnknownPeer) {
        result.error().is_recently_disconnected = recently_disconnected_.contains(opened->claimed_peer, now);
    }
    return result;
}

std::vector<Connection*> Node::meant_by(const crypto::PublicKey& peer, const net::SocketAddress& local,
                                        const net::SocketAddress& from) const {
    const auto same_key = peers_.find(peer);
    if (same_key.size() <= 1) {
        return {same_key.begin(),
                same_key.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(same_key.size(), 1))};
    }
    auto best = Connection::Fit::kNone;
    for (const auto* connection : same_key) {
        best = std::max(best, connection->fit(local, from));
    }
    std::vector<Connection*> meant;
    for (auto* connection : same_key) {
        if (meant.size() < kMaxAnswersToInitiation && connection->fit(local, from) == best) {
            meant.push_back(connection);
        }
    }
    return meant;
}

Node::DecapsulateResult Node::pass_to_tunnel(Connection& connection, MutableByteSpan datagram, Instant now) {
    const auto first = std::to_integer<unsigned>(datagram[0]);
    const bool is_handshake = first != static_cast<unsigned>(wireguard::PacketKind::kData);
    const auto result = connection.tunnel().handle_packet(datagram, now);
    connection.flush_tunnel(outbox_, now);
    if (!result) {
        return std::unexpected{
            DecapsulateError{is_handshake ? Kind::kHandshake : Kind::kDecryption, false, result.error()}};
    }
    schedule_.touch(connection);
    if (*result) {
        connection.note_activity(now);
        return Decapsulated{connection.id(), **result};
    }
    const bool is_cookie = first == static_cast<unsigned>(wireguard::PacketKind::kCookieReply);
    if (is_handshake && !is_cookie) {
        connection.note_handshake(outbox_);
    }
    return std::nullopt;
}

}  // namespace culvert::connectivity
