#include "culvert/wireguard/handshake.h"

#include <algorithm>

#include "culvert/crypto/aead.h"
#include "culvert/wireguard/message.h"

namespace culvert::wireguard {
namespace {

using crypto::kTagSize;
using crypto::PublicKey;

constexpr std::size_t kKeySize = 32;
constexpr std::size_t kTimestampSize = 12;

PublicKey key_at(ByteSpan message, std::size_t offset) {
    PublicKey key;
    std::ranges::copy(message.subspan(offset, kKeySize), key.bytes.begin());
    return key;
}

Bytes make_message(PacketKind kind, std::size_t size, std::uint32_t sender) {
    Bytes message(size);
    store_le(MutableByteSpan{message}, static_cast<std::uint32_t>(kind));
    store_le(MutableByteSpan{message}.subspan(4), sender);
    return message;
}

void write_ephemeral(MutableByteSpan message, std::size_t offset, const PublicKey& ephemeral, SymmetricState& state) {
    std::ranges::copy(ephemeral.bytes, message.begin() + static_cast<std::ptrdiff_t>(offset));
    state.mix_chain(ephemeral.bytes);
    state.mix_hash(ephemeral.bytes);
}

PublicKey read_ephemeral(ByteSpan message, std::size_t offset, SymmetricState& state) {
    const auto ephemeral = key_at(message, offset);
    state.mix_chain(ephemeral.bytes);
    state.mix_hash(ephemeral.bytes);
    return ephemeral;
}

}  // namespace

std::pair<Bytes, OutstandingInitiation> write_initiation(const Identities& identities, std::uint32_t index,
                                                         const Tai64n& timestamp, Rng& rng) {
    auto bytes = make_message(PacketKind::kInitiation, kInitiationSize, index);
    const MutableByteSpan message{bytes};
    OutstandingInitiation initiation{index, crypto::KeyPair::generate(rng), SymmetricState{identities.peer}};
    auto& state = initiation.state;

    write_ephemeral(message, kInitiationEphemeral, initiation.ephemeral.public_key(), state);
    const auto ephemeral_static = initiation.ephemeral.shared_secret(identities.peer).value();
    auto key = state.mix_key(ephemeral_static.reveal());
    state.seal(key, identities.local.public_key().bytes, message.subspan(kInitiationStatic, kKeySize + kTagSize));
    key = state.mix_key(identities.static_shared.reveal());
    state.seal(key, timestamp.bytes, message.subspan(kInitiationTimestamp, kTimestampSize + kTagSize));
    return {std::move(bytes), std::move(initiation)};
}

std::expected<OpenedInitiation, Error> open_initiation(const crypto::KeyPair& local, ByteSpan message) {
    OpenedInitiation initiation{sender_index(message), {}, {}, {}, SymmetricState{local.public_key()}};
    auto& state = initiation.state;
    initiation.peer_ephemeral = read_ephemeral(message, kInitiationEphemeral, state);
    const auto shared = local.shared_secret(initiation.peer_ephemeral);
    if (!shared) {
        return std::unexpected{Error::kBadTag};
    }
    const auto key = state.mix_key(shared->reveal());
    if (!state.open(key, message.subspan(kInitiationStatic, kKeySize + kTagSize), initiation.claimed_peer.bytes)) {
        return std::unexpected{Error::kBadTag};
    }
    std::ranges::copy(message.subspan(kInitiationTimestamp, initiation.sealed_timestamp.size()),
                      initiation.sealed_timestamp.begin());
    return initiation;
}

std::expected<ReceivedInitiation, Error> read_initiation(const Identities& identities,
                                                         const OpenedInitiation& initiation) {
    if (initiation.claimed_peer != identities.peer) {
        return std::unexpected{Error::kWrongPeer};
    }
    ReceivedInitiation received{initiation.peer_index, initiation.peer_ephemeral, {}, initiation.state};
    const auto key = received.state.mix_key(identities.static_shared.reveal());
    if (!received.state.open(key, initiation.sealed_timestamp, received.timestamp.bytes)) {
        return std::unexpected{Error::kBadTag};
    }
    return received;
}

std::expected<std::pair<Bytes, TransportSecrets>, Error> write_response(const Identities& identities,
                                                                        ReceivedInitiation initiation,
                                                                        std::uint32_t index, Rng& rng) {
    auto bytes = make_message(PacketKind::kResponse, kResponseSize, index);
    const MutableByteSpan message{bytes};
    store_le(message.subspan(8), initiation.peer_index);
    const auto ephemeral = crypto::KeyPair::generate(rng);
    const auto ephemeral_ephemeral = ephemeral.shared_secret(initiation.peer_ephemeral);
    const auto ephemeral_static = ephemeral.shared_secret(identities.peer);
    if (!ephemeral_ephemeral || !ephemeral_static) {
        return std::unexpected{Error::kBadTag};
    }
    auto& state = initiation.state;

    write_ephemeral(message, kResponseEphemeral, ephemeral.public_key(), state);
    state.mix_chain(ephemeral_ephemeral->reveal());
    state.mix_chain(ephemeral_static->reveal());
    const auto key = state.mix_key_and_hash(identities.preshared);
    state.seal(key, {}, message.subspan(kResponseNothing, kTagSize));
    const auto [initiators, responders] = state.split();
    return std::pair{std::move(bytes), TransportSecrets{.sending = responders, .receiving = initiators}};
}

std::expected<TransportSecrets, Error> read_response(const Identities& identities,
                                                     const OutstandingInitiation& initiation, ByteSpan message) {
    auto state = initiation.state;
    const auto peer_ephemeral = read_ephemeral(message, kResponseEphemeral, state);
    const auto ephemeral_ephemeral = initiation.ephemeral.shared_secret(peer_ephemeral);
    const auto static_ephemeral = identities.local.shared_secret(peer_ephemeral);
    if (!ephemeral_ephemeral || !static_ephemeral) {
        return std::unexpected{Error::kBadTag};
    }
    state.mix_chain(ephemeral_ephemeral->reveal());
    state.mix_chain(static_ephemeral->reveal());
    const auto key = state.mix_key_and_hash(identities.preshared);
    if (!state.open(key, message.subspan(kResponseNothing, kTagSize), {})) {
        return std::unexpected{Error::kBadTag};
    }
    const auto [initiators, responders] = state.split();
    return TransportSecrets{.sending = initiators, .receiving = responders};
}

}  // namespace culvert::wireguard
