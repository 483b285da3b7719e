#pragma once

#include <string>

#include "culvert/net/ecn.h"
#include "tests/model/wire/hosts.h"

namespace culvert::model::wire {

/// One leg between two peers as ICE sees it: the ends of a candidate pair, from one side.
struct Leg {
    /// The host's own socket; for a relayed leg, the relay's socket that it talks to.
    net::SocketAddress local;
    net::SocketAddress remote;
    bool is_relayed = false;

    friend auto operator<=>(const Leg&, const Leg&) = default;
};

/// A datagram between peers, out of its ChannelData if it was in one, as sent or received by `host`.
struct PeerDatagram {
    Host& host;
    Leg leg;
    net::Ecn ecn = net::Ecn::kNotEct;
    ByteSpan bytes;
    Instant now;
    bool is_attack = false;

    [[nodiscard]] std::string describe() const {
        return host.name() + (leg.is_relayed ? " through " : " from ") + leg.local.to_string() + " and " +
               leg.remote.to_string() + ", " + to_hex(bytes.first(std::min<std::size_t>(bytes.size(), 16)));
    }
};

}  // namespace culvert::model::wire
