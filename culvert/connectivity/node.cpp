#include "culvert/connectivity/node.h"

#include <utility>

#include "culvert/connectivity/node_state.h"

namespace culvert::connectivity {

std::string_view to_text(DecapsulateError::Kind kind) {
    using enum DecapsulateError::Kind;
    switch (kind) {
        case kTooLong:
            return "datagram is too long";
        case kUnknownRelay:
            return "not from a relay in use";
        case kUnknownChannel:
            return "channel is not bound";
        case kUnknownStun:
            return "STUN message for no connection";
        case kNotWireGuard:
            return "not a WireGuard packet";
        case kUnknownPeer:
            return "handshake of an unknown peer";
        case kUnknownIndex:
            return "unknown receiver index";
        case kHandshake:
            return "handshake refused";
        case kDecryption:
            return "data packet refused";
    }
    return "";
}

Node::Node(Role role, Rng rng, Instant now, WallTime wall_now)
    : state_{std::make_unique<State>(role, rng, now, wall_now)} {}
Node::~Node() = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;

const crypto::PublicKey& Node::public_key() const {
    return state_->public_key();
}

std::expected<Upserted, UpsertError> Node::upsert_connection(const ConnectionId& id, const crypto::PublicKey& peer,
                                                             const crypto::PresharedKey& preshared_key,
                                                             const Credentials& local, const Credentials& remote,
                                                             Instant now) {
    return state_->upsert(id, {peer, preshared_key, local, remote}, now);
}

void Node::remove_connection(const ConnectionId& id, Instant now) {
    state_->remove(id, now);
}

void Node::close_connection(const ConnectionId& id, ByteSpan goodbye_packet, Instant now) {
    state_->close(id, goodbye_packet, now);
}

void Node::close_all(ByteSpan goodbye_packet, Instant now) {
    state_->close_all(goodbye_packet, now);
}

void Node::reset(Instant now) {
    state_->reset(now);
}

void Node::update_relays(std::span<const RelayId> removed, std::span<const RelayServer> listed, Instant now) {
    state_->update_relays(removed, listed, now);
}

void Node::add_remote_candidate(const ConnectionId& id, std::string_view candidate, Instant now) {
    state_->add_remote_candidate(id, candidate, now);
}

void Node::remove_remote_candidate(const ConnectionId& id, std::string_view candidate, Instant now) {
    state_->remove_remote_candidate(id, candidate, now);
}

bool Node::has_connection(const ConnectionId& id) const {
    return state_->find(id) != nullptr;
}

bool Node::has_relays() const {
    return !state_->relays().empty();
}

std::expected<std::optional<Node::Decapsulated>, DecapsulateError> Node::decapsulate(const net::SocketAddress& local,
                                                                                     const net::SocketAddress& from,
                                                                                     MutableByteSpan datagram,
                                                                                     Instant now) {
    return state_->decapsulate(local, from, datagram, now);
}

void Node::encapsulate(const ConnectionId& id, packet::Segmenter& segments, net::TransmitQueue& out, Instant now) {
    state_->encapsulate(id, segments, out, now);
}

void Node::encapsulate(const ConnectionId& id, ByteSpan ip_packet, Instant now) {
    state_->encapsulate(id, ip_packet, now);
}

void Node::handle_timeout(Instant now) {
    state_->handle_timeout(now);
}

std::optional<Instant> Node::poll_timeout() {
    return state_->poll_timeout();
}

std::optional<net::Transmit> Node::poll_transmit() {
    return state_->poll_transmit();
}

std::optional<Event> Node::poll_event() {
    return state_->outbox().poll_event();
}

}  // namespace culvert::connectivity
