#pragma once

#include <string_view>

#include "culvert/base/rng.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/packet/coalescer.h"
#include "tests/model/world/observation.h"

namespace culvert::model {

/// What the simulated processes may do to the world around them. Times are the world's.
class Environment {
public:
    virtual ~Environment() = default;

    virtual void observe(const Observation& observation) = 0;
    /// A datagram leaves the host. `source` unset: the host's first address of the family.
    virtual void send(const Device& host, const std::optional<net::IpAddress>& source, std::uint16_t port,
                      const net::SocketAddress& to, net::Ecn ecn, ByteSpan payload) = 0;
    /// The same for what its host would not send if it kept the rules: an attack, like one from elsewhere.
    virtual void send_forged(const Device& host, std::uint16_t port, const net::SocketAddress& to,
                             ByteSpan payload) = 0;
    /// A packet leaves a client's TUN for an application, or a gateway's TUN for a resource.
    virtual void deliver(ClientNo client, ByteSpan packet) = 0;
    virtual void forward(GatewayNo gateway, ByteSpan packet) = 0;

    [[nodiscard]] virtual Instant now() const = 0;
    /// By the portal's clock, and by a host's own.
    [[nodiscard]] virtual WallTime wall_now() const = 0;
    [[nodiscard]] virtual WallTime wall_now(const Device& host) const = 0;
    /// Independent for every name.
    [[nodiscard]] virtual Rng rng(std::string_view name) const = 0;

    /// Who writes the log lines from now on.
    void set_speaker(const Process& process) { speaker_ = process; }
    [[nodiscard]] const Process& speaker() const { return speaker_; }

    // Scratch space that processes share, because they never run at the same time. Empty between calls.
    net::TransmitQueue& queue() { return scratch().queue; }
    packet::Coalescer& coalescer() { return scratch().coalescer; }

private:
    struct Scratch {
        net::TransmitQueue queue;
        packet::Coalescer coalescer;
    };
    /// Kept across worlds: it is large.
    static Scratch& scratch();

    Process speaker_;
};

}  // namespace culvert::model
