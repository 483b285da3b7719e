#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/dns/name.h"
#include "culvert/net/ip_address.h"
#include "culvert/tunnel/p2p/messages.h"
#include "culvert/tunnel/packet_buffer.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The client's side of setting up names: for each gateway and name of a resource, whether the gateway knows what the
/// name's proxy IPs stand for (spec/tunnel.md section 4.4). Until it does, packets to them wait here.
///
/// While a name that works is only confirmed again, its packets go on; a buffer of a few packets would break a running
/// transfer. A name that the gateway refused is asked for again only if an application asks for its address again.
///
/// Sans-IO (base/sans_io.h). What it hands out are packets for gateways, control packets among them.
class NameSetups {
public:
    /// A name, and the proxy IPs that it has been given.
    struct Assignment {
        dns::Name domain;
        ResourceId resource;
        std::vector<net::IpAddress> proxy_ips;
    };
    struct Output {
        GatewayId gateway;
        Bytes packet;

        friend bool operator==(const Output&, const Output&) = default;
    };
    enum class Outcome : std::uint8_t { kPass, kBuffered, kDropped };

    /// Makes sure that the gateway knows the name, or was told a moment ago. `packets` go to it and have waited for the
    /// gateway; they wait on, or come out again.
    void update(const GatewayId& gateway, const Assignment& assignment, std::vector<Bytes> packets, Instant now);

    /// What gateways have been told of: a name, and the resource that it is reached through.
    struct NameOf {
        const ResourceId& resource;
        const dns::Name& domain;
    };
    /// An application asked for the name: the next update() tells the gateway of it again if it knows it or refused it.
    /// Whether packets to it will wait that did not.
    [[nodiscard]] bool recreate(const GatewayId& gateway, const NameOf& name);
    /// The same for all names of the resource: access to it was granted anew, and what the gateway knew may be gone.
    void recreate(const ResourceId& resource);

    /// Whether the gateway was told of the name, whatever it said.
    [[nodiscard]] bool is_told(const GatewayId& gateway, const NameOf& name) const;
    /// Whether packets to the name wait for the gateway's answer: hand them to handle_outgoing().
    [[nodiscard]] bool holds(const GatewayId& gateway, const NameOf& name) const;
    /// A packet to a proxy IP of the name. kPass: send it yourself.
    [[nodiscard]] Outcome handle_outgoing(const GatewayId& gateway, const NameOf& name, ByteSpan packet, Instant now);
    /// What a gateway says about a name; of one that it was not told, nothing.
    void handle_status(const GatewayId& gateway, const p2p::DomainStatus& status);

    /// What waits for them is lost.
    void forget_gateway(const GatewayId& gateway);
    void forget_resource(const ResourceId& resource);
    void clear();

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Output> poll_output();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    /// Packets that wait, in all.
    [[nodiscard]] std::size_t buffered() const { return buffered_; }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    enum class State : std::uint8_t {
        kPending,     ///< Told, and not answered.
        kRecreating,  ///< To be told again.
        kConfirmed,
        kFailed
    };
    struct Key {
        GatewayId gateway;
        ResourceId resource;
        dns::Name domain;

        friend std::weak_ordering operator<=>(const Key&, const Key&) = default;
    };
    struct Setup {
        Bytes message;  ///< The AssignedIps packet.
        State state = State::kPending;
        bool should_buffer = true;
        PacketBuffer packets{1};
        Instant sent_at;
        unsigned repeats_left = 0;
        std::optional<Instant> repeats_at;  ///< Its place in `repeats_`.
    };
    using Setups = std::map<Key, Setup>;

    static bool recreate(Setup& setup);
    void pass_on(const GatewayId& gateway, std::vector<Bytes> packets);
    void begin(Setups::iterator setup, std::vector<Bytes> packets, Instant now);
    void send(Setups::iterator setup, Instant now);
    void send_if_old(Setups::iterator setup, Instant now);
    [[nodiscard]] bool buffer(Setups::iterator setup, ByteSpan packet);
    void empty_buffer(Setup& setup);
    void schedule(Setups::iterator setup, std::optional<Instant> at);
    Setups::iterator erase(Setups::iterator setup);

    Setups setups_;
    std::set<std::pair<Instant, Key>> repeats_;
    std::deque<Output> outputs_;
    std::size_t buffered_ = 0;
};

}  // namespace culvert::tunnel
