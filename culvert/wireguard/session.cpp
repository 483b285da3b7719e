#include "culvert/wireguard/session.h"

#include <cassert>

#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/message.h"

namespace culvert::wireguard {

Session::Session(HandshakeRole role, std::uint32_t local_index, std::uint32_t peer_index,
                 const TransportSecrets& secrets, Instant now)
    : role_{role},
      confirmed_{role == HandshakeRole::kInitiator},
      local_index_{local_index},
      peer_index_{peer_index},
      established_at_{now},
      stops_sending_at_{now + (role == HandshakeRole::kInitiator ? kInitiatorStopsSending : kRejectAfterTime)},
      sending_{secrets.sending},
      receiving_{secrets.receiving} {}

void Session::seal(ByteSpan plaintext, MutableByteSpan out) {
    assert(out.size() == plaintext.size() + kDataOverhead);
    const auto counter = next_counter_++;
    sending_.seal(counter, plaintext, out.subspan(kDataHeaderSize));
    store_le(out, static_cast<std::uint32_t>(PacketKind::kData));
    store_le(out.subspan(4), peer_index_);
    store_le(out.subspan(kDataCounter), counter);
}

std::expected<MutableByteSpan, Error> Session::open(MutableByteSpan datagram) {
    const auto counter = load_le<std::uint64_t>(datagram.subspan(kDataCounter));
    if (counter >= kRejectAfterMessages || !window_.test(counter)) {
        return std::unexpected{Error::kReplayed};
    }
    const auto sealed = datagram.subspan(kDataHeaderSize);
    if (!receiving_.open(counter, sealed)) {
        return std::unexpected{Error::kBadTag};
    }
    window_.accept(counter);
    return sealed.first(sealed.size() - crypto::kTagSize);
}

bool Session::can_send(Instant now) const {
    return now < stops_sending_at_ && next_counter_ < kRejectAfterMessages;
}

Instant Session::expires_at() const {
    return established_at_ + kRejectAfterTime;
}

}  // namespace culvert::wireguard
