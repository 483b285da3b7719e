#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"
#include "tests/model/names/names.h"

namespace culvert::model::names {

/// A packet of an application to a name, as it was sent, or to the Internet.
struct Sent {
    unsigned peer = 0;
    unsigned name = 0;
    std::uint8_t protocol = 0;
    net::IpAddress source;
    net::IpAddress proxy;
    std::uint16_t source_value = 0;  ///< port, or identifier of an echo
    std::uint16_t destination_value = 0;
};

/// Judges what leaves a gateway for hosts, and what comes out of the tunnel for
/// applications (NAM-1 to NAM-4, NAM-6). Knows which packets were sent and what
/// the portal said, nothing of how the gateway keeps its names.
class NamesJudge {
public:
    using OwnAddresses = std::array<net::IpAddress, 2>;

    explicit NamesJudge(const std::array<OwnAddresses, kPeers>& own) : own_{own} {}

    // What happens.
    void allow(unsigned peer) { is_allowed_.at(peer) = true; }
    void revoke(unsigned peer) {
        is_allowed_.at(peer) = false;
        if (peer == kHostile) {
            asked_.at(peer).fill(false);  // the other one tells the gateway again by itself
        }
    }
    /// Another gateway in the place of the one before, which knows of none of its flows.
    void restart_gateway() {
        flows_.clear();
        answers_.clear();
    }
    void ask(unsigned peer, unsigned name) { asked_.at(peer).at(name) = true; }
    /// The client's resolver told an application that the name is at these
    /// addresses.
    void answer(unsigned name, const std::vector<net::IpAddress>& proxies, Instant now);
    /// Whether the client's Internet resource is there and wanted.
    void set_internet(bool is_on) { is_internet_on_ = is_on; }
    /// Everything that the name was ever said to be at.
    [[nodiscard]] std::vector<net::IpAddress> proxies_of_client(unsigned name) const;
    void check(bool holds, std::string_view rule, std::string_view what, Instant now);
    void send(std::uint64_t number, const Sent& packet) { sent_.emplace(number, packet); }

    // What is judged.

    /// A packet left the gateway. Its answer, as the host would send it; nullopt
    /// if it was none of ours.
    std::optional<Bytes> handle_forwarded(ByteSpan packet, Instant now);
    /// A packet came out of the tunnel at `peer`, other than a control packet.
    void handle_delivered(unsigned peer, ByteSpan packet, Instant now);
    /// What a network may still deliver once more: answers are on their way for no longer than a flow lasts.
    [[nodiscard]] std::vector<Bytes> repeatable_answers(Instant now) const;

    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
    [[nodiscard]] unsigned forwarded() const { return forwarded_; }
    [[nodiscard]] unsigned delivered() const { return delivered_; }

private:
    /// What a host tells flows apart by: protocol, and both ends as it sees them.
    using Flow = std::tuple<std::uint8_t, net::IpAddress, std::uint16_t, net::IpAddress, std::uint16_t>;
    struct Use {
        Sent first;
        Instant at;
    };

    std::array<OwnAddresses, kPeers> own_;
    std::map<net::IpAddress, unsigned> proxies_;
    bool is_internet_on_ = false;
    std::array<bool, kPeers> is_allowed_{};
    std::array<std::array<bool, kNames>, kPeers> asked_{};
    std::map<std::uint64_t, Sent> sent_;
    std::map<std::uint64_t, unsigned> times_forwarded_;
    std::map<Flow, Use> flows_;
    struct Answer {
        Bytes packet;
        Instant at;
    };
    std::vector<Answer> answers_;
    std::vector<std::string> violations_;
    unsigned forwarded_ = 0;
    unsigned delivered_ = 0;
};

}  // namespace culvert::model::names
