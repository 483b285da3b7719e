#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "culvert/base/rng.h"
#include "culvert/stun/message.h"
#include "tests/model/scenario/action.h"
#include "tests/model/world/observation.h"
#include "tests/model/world/relay_process.h"

namespace culvert::model {

/// Somebody who wants more of relays than they are due: without an account, with what a friend on the path recorded, or
/// as a user with credentials like any other.
class RelayAbuser {
public:
    explicit RelayAbuser(const Rng& rng) : rng_{rng} {}

    /// Learns requests that reach relays, and the credentials of one user of each.
    void watch(const Observation& observation);

    struct Datagram {
        net::SocketAddress from;
        Bytes payload;
        /// Whether a relay must take it for a user's own.
        bool is_authentic = false;
    };
    /// The datagrams of one attempt, in order. Empty if it knows too little for it.
    [[nodiscard]] std::vector<Datagram> make(const AbuseRelay& abuse, const net::SocketAddress& relay);

    /// What one more allocation takes, as one of somebody's many devices: its port, permissions and channels. `admit`
    /// tells what portal and relay would tell the device with that salt at that address.
    using Admit = std::function<RelayProcess::Admission(std::string_view salt, const net::SocketAddress& client)>;
    [[nodiscard]] std::vector<Datagram> take_everything(const net::SocketAddress& relay, const Admit& admit);

private:
    /// An authentic request.
    struct Request {
        net::SocketAddress from;
        Bytes bytes;
        std::string username;
        std::string nonce;
        bool deletes = false;
    };
    struct Credentials {
        std::string username;
        std::string password;
    };

    [[nodiscard]] Bytes make_request(const AbuseRelay& abuse, const Request& recorded);
    [[nodiscard]] Bytes make_malformed(const Request* recorded);
    [[nodiscard]] std::vector<Datagram> reach_inside(const net::SocketAddress& relay);
    void learn_nonce(const DatagramSent& sent);
    [[nodiscard]] net::SocketAddress own_address(const net::SocketAddress& relay);
    [[nodiscard]] Bytes random_bytes(std::size_t length);

    Rng rng_;
    std::map<Device, std::deque<Request>> requests_;
    std::map<net::SocketAddress, Credentials> credentials_;
    /// The abuser's address that a relay has challenged last, and the nonce that counts there.
    struct Foothold {
        net::SocketAddress address;
        std::string nonce;
    };
    std::map<net::SocketAddress, Foothold> footholds_;
    std::uint16_t next_port_ = 7000;
    unsigned greedy_allocations_ = 0;
};

}  // namespace culvert::model
