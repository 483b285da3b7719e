#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"
#include "culvert/stun/integrity.h"
#include "tests/model/scenario/action.h"

namespace culvert::model {

/// What a hostile relay does to datagrams on their way to its clients and to their peers. It has what relays have: the
/// keys of its users, whose responses it can sign, and all that passes; but nothing that opens a tunnel.
class LyingRelay {
public:
    LyingRelay(std::string stamp_secret, Rng rng);

    void deceive(Deceit deceit, Instant until);

    /// A datagram of a client arrives.
    void watch(const net::SocketAddress& client, ByteSpan datagram);
    /// Whether the relay does something else instead of sending the datagram from this port.
    [[nodiscard]] bool twist(std::uint16_t port, const net::SocketAddress& to, ByteSpan payload, Instant now);

    struct Lie {
        std::uint16_t port = 0;
        net::SocketAddress to;
        Bytes payload;
    };
    [[nodiscard]] std::optional<Lie> poll_lie(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

private:
    void tell(Instant at, Lie lie);
    [[nodiscard]] bool twist_response(const net::SocketAddress& to, ByteSpan payload, Instant now);
    [[nodiscard]] std::optional<stun::LongTermKey> key_of(const net::SocketAddress& client) const;
    [[nodiscard]] Bytes make_forgery(ByteSpan model);
    [[nodiscard]] net::SocketAddress wrong_address(bool is_v4);
    [[nodiscard]] Lie redirect(std::uint16_t port, const net::SocketAddress& to, ByteSpan payload);

    std::string stamp_secret_;
    Rng rng_;
    Deceit deceit_ = Deceit::kDrop;
    Instant until_{};
    std::map<net::SocketAddress, std::string> usernames_;  ///< by client
    std::deque<Lie> seen_;
    std::multimap<Instant, Lie> lies_;
};

}  // namespace culvert::model
