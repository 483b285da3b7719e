#include "tests/model/world/attacker.h"

#include "culvert/base/overloaded.h"
#include "culvert/stun/message_builder.h"
#include "culvert/wireguard/handshake.h"
#include "culvert/wireguard/mac.h"
#include "culvert/wireguard/message.h"

namespace culvert::model {
namespace {

constexpr std::size_t kRecordedPerDevice = 32;
constexpr std::size_t kMaxGarbage = 1400;

}  // namespace

void Attacker::watch(const Observation& observation) {
    if (const auto* session = std::get_if<SessionOpened>(&observation)) {
        keys_.insert_or_assign(session->device, session->public_key);
    } else if (const auto* received = std::get_if<DatagramReceived>(&observation); received && !received->is_attack) {
        auto& recorded = recorded_[received->host];
        recorded.push_back({received->from, to_bytes(received->payload)});
        if (recorded.size() > kRecordedPerDevice) {
            recorded.pop_front();
        }
    }
}

Attacker::Forged Attacker::make(const Attack& attack) {
    const auto& recorded = recorded_[attack.target];
    const auto* chosen = recorded.empty() ? nullptr : &recorded[rng_.below(recorded.size())];
    const bool is_replay = attack.spoof == Spoof::kReplay || attack.spoof == Spoof::kTruncated;
    Forged forged{std::nullopt, make_payload(attack, chosen)};
    if (chosen != nullptr && (attack.forges_source || is_replay)) {
        forged.from = chosen->from;
    }
    return forged;
}

Bytes Attacker::random_bytes(std::size_t length) {
    Bytes bytes(length);
    rng_.fill(bytes);
    return bytes;
}

Bytes Attacker::make_payload(const Attack& attack, const Recorded* recorded) {
    using stun::AttributeType;
    const auto id = stun::make_transaction_id(rng_);
    switch (attack.spoof) {
        case Spoof::kGarbage:
            return random_bytes(rng_.below(kMaxGarbage));
        case Spoof::kStunBinding:
            return stun::MessageBuilder{stun::Class::kRequest, stun::Method::kBinding, id}
                .text(AttributeType::kUsername, to_hex(random_bytes(2)) + ":" + to_hex(random_bytes(2)))
                .u32(AttributeType::kPriority, rng_.next_u32())
                .u64(AttributeType::kIceControlling, rng_.next_u64())
                .flag(AttributeType::kUseCandidate)
                .integrity(random_bytes(16))
                .fingerprint()
                .build();
        case Spoof::kStunResponse:
            return stun::MessageBuilder{stun::Class::kSuccess, stun::Method::kBinding, id}
                .address(AttributeType::kXorMappedAddress, {*net::IpAddress::parse("198.51.100.66"), 666})
                .integrity(random_bytes(16))
                .fingerprint()
                .build();
        case Spoof::kTurnAllocate:
            return stun::MessageBuilder{stun::Class::kRequest, stun::Method::kAllocate, id}
                .requested_transport(17)
                .text(AttributeType::kUsername, "2000000000:guess")
                .text(AttributeType::kRealm, "firezone")
                .text(AttributeType::kNonce, "00000000-0000-4000-8000-000000000000")
                .integrity(random_bytes(16))
                .build();
        case Spoof::kChannelData: {
            Bytes frame;
            append_be(frame, static_cast<std::uint16_t>(0x4000 + rng_.below(16)));
            append_be(frame, std::uint16_t{64});
            append(frame, random_bytes(64));
            return frame;
        }
        case Spoof::kBadMacInit:
            return make_initiation(attack, false);
        case Spoof::kUnknownKeyInit:
            return make_initiation(attack, true);
        case Spoof::kDataGuess: {
            auto packet = random_bytes(16 + 32 + 16);
            store_le(MutableByteSpan{packet}, std::uint32_t{4});
            store_le(MutableByteSpan{packet}.subspan(8), rng_.below(1000));
            if (recorded != nullptr && recorded->payload.size() >= 8 && rng_.below(2) == 0) {
                // An index that is in use.
                std::copy_n(recorded->payload.begin() + 4, 4, packet.begin() + 4);
            }
            return packet;
        }
        case Spoof::kReplay:
            return recorded != nullptr ? recorded->payload : random_bytes(100);
        case Spoof::kTruncated: {
            auto payload = recorded != nullptr ? recorded->payload : random_bytes(100);
            payload.resize(rng_.below(payload.size() + 1));
            return payload;
        }
    }
    return {};
}

Bytes Attacker::make_initiation(const Attack& attack, bool has_good_mac) {
    const auto key = keys_.find(attack.target);
    if (key == keys_.end()) {
        return random_bytes(wireguard::kInitiationSize);
    }
    const auto own = crypto::KeyPair::generate(rng_);
    const auto shared = own.shared_secret(key->second);
    if (!shared) {
        return random_bytes(wireguard::kInitiationSize);
    }
    const wireguard::Identities identities{own, key->second, {}, *shared};
    auto message = wireguard::write_initiation(identities, rng_.next_u32(), {}, rng_).first;
    if (has_good_mac) {
        wireguard::MacWriter{key->second}.write(message, Instant{});
    }
    return message;
}

}  // namespace culvert::model
