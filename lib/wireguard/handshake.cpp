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

struct Initiator {
    PublicKey ephemeral;
    PublicKey key;
    SymmetricState state;
};

std::expected<Initiator, Error> open_initiator(const crypto::KeyPair& local, ByteSpan message) {
    SymmetricState state{local.public_key()};
    const auto ephemeral = read_ephemeral(message, kInitiationEphemeral, state);
    const auto shared = local.shared_secret(ephemeral);
    if (!shared) {
        return std::unexpected{Error::kBadTag};
    }
    const auto key = state.mix_key(shared->reveal());
    PublicKey initiator;
    if (!state.open(key, message.subspan(kInitiationStatic, kKeySize + kTagSize), initiator.bytes)) {
        return std::unexpected{Error::kBadTag};
    }
    return Initiator{ephemeral, initiator, state};
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

std::expected<ReceivedInitiation, Error> read_initiation(const Identities& identities, ByteSpan message) {
    auto initiator = open_initiator(identities.local, message);
    if (!initiator) {
        return std::unexpected{initiator.error()};
    }
    if (initiator->key != identities.peer) {
        return std::unexpected{Error::kWrongPeer};
    }
    ReceivedInitiation initiation{sender_index(message), initiator->ephemeral, {}, initiator->state};
    const auto key = initiation.state.mix_key(identities.static_shared.reveal());
    if (!initiation.state.open(key, message.subspan(kInitiationTimestamp, kTimestampSize + kTagSize),
                               initiation.timestamp.bytes)) {
        return std::unexpected{Error::kBadTag};
    }
    return initiation;
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

std::expected<PublicKey, Error> read_initiator(const crypto::KeyPair& local, ByteSpan message) {
    const auto initiator = open_initiator(local, message);
    if (!initiator) {
        return std::unexpected{initiator.error()};
    }
    return initiator->key;
}

}  // namespace culvert::wireguard
