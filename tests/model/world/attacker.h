#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/crypto/keys.h"
#include "tests/model/scenario/action.h"
#include "tests/model/world/observation.h"

namespace culvert::model {

/// Somebody on the Internet with an unlimited supply of datagrams. Knows public keys, and what a friend on the path
/// recorded; knows no secret.
class Attacker {
public:
    explicit Attacker(const Rng& rng) : rng_{rng} {}

    /// What it learns: public keys, and datagrams on their way to each device.
    void watch(const Observation& observation);

    struct Forged {
        /// Whose address it claims to come from; unset: an address of the attacker's own.
        std::optional<net::SocketAddress> from;
        Bytes payload;
    };
    /// The next datagram of an attack.
    [[nodiscard]] Forged make(const Attack& attack);

private:
    struct Recorded {
        net::SocketAddress from;
        Bytes payload;
    };

    [[nodiscard]] Bytes make_payload(const Attack& attack, const Recorded* recorded);
    [[nodiscard]] Bytes random_bytes(std::size_t length);
    [[nodiscard]] Bytes make_initiation(const Attack& attack, bool has_good_mac);

    Rng rng_;
    std::map<Device, crypto::PublicKey> keys_;
    std::map<Device, std::deque<Recorded>> recorded_;
};

}  // namespace culvert::model
