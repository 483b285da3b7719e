#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "culvert/portal_channel/channel.h"
#include "tests/model/scenario/setup.h"
#include "tests/model/world/environment.h"

namespace culvert::model {

/// One run of a program that connects to the portal: the product's state machines with the harness where the product
/// has sockets, a TUN device and threads. All times are the process's own. Gone with everything in it when the process
/// ends.
class DeviceProcess {
public:
    virtual ~DeviceProcess() = default;

    /// Requires payload to be ours to change.
    virtual void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                 MutableByteSpan payload, Instant now) = 0;
    /// A packet that the operating system routes into the TUN. Requires 64 bytes of headroom in front of `packet`.
    virtual void handle_packet(MutableByteSpan packet, Instant now) = 0;
    virtual void handle_portal_event(portal_channel::Event& event, Instant now) = 0;

    virtual void handle_timeout(Instant now) = 0;
    [[nodiscard]] virtual std::optional<Instant> poll_timeout() = 0;
    /// Hands outputs to the environment and to the channel. True if there were any.
    virtual bool drain(Instant now) = 0;

    /// SIGHUP, or another network.
    virtual void reset(std::string_view reason, Instant now) = 0;
    /// The host has these addresses now.
    virtual void handle_network_change(std::span<const net::IpAddress> addresses, Instant now) = 0;
    /// Says goodbye; drain() once more, then end the process.
    virtual void shut_down(Instant now) = 0;

    /// What the channel to the portal is opened with, and announced as.
    [[nodiscard]] virtual portal_channel::ChannelOptions channel_options() const = 0;
    [[nodiscard]] virtual std::optional<crypto::PublicKey> public_key() const = 0;
    /// Whether it goes on once the portal has turned it away for good; programs exit then.
    [[nodiscard]] virtual bool outlives_portal() const { return false; }
    /// Entries in tables about peers: none once they have gone, and their time is over (RES-2).
    [[nodiscard]] virtual std::size_t table_entries() const { return 0; }
    /// The product's state, for judges.
    [[nodiscard]] virtual DeviceState show() const = 0;
    /// And for people.
    [[nodiscard]] virtual std::string snapshot(Instant now) const = 0;
};

/// Headroom that the product's packet buffers have.
inline constexpr std::size_t kHeadroom = 64;

/// Sends what a state machine has put into the queue, then what it has to say by poll_transmit().
template <typename State>
bool send_outputs(State& state, const Device& host, std::uint16_t port, Environment& environment) {
    bool has_sent = false;
    auto& queue = environment.queue();
    for (std::size_t i = 0; i < queue.size(); ++i) {
        const auto batch = queue.batch(i);
        for (std::size_t offset = 0; offset < batch.bytes.size(); offset += batch.segment_size) {
            const auto length = std::min(batch.segment_size, batch.bytes.size() - offset);
            environment.send(host, batch.path.source, port, batch.path.destination, batch.ecn,
                             batch.bytes.subspan(offset, length));
            has_sent = true;
        }
    }
    queue.clear();
    while (const auto out = state.poll_transmit()) {
        environment.send(host, out->path.source, port, out->path.destination, out->ecn, out->payload);
        has_sent = true;
    }
    return has_sent;
}

/// Calls `take(packet)` for every packet that came out of the tunnel.
template <typename Take>
void collect_packets(packet::Coalescer& coalescer, const Take& take) {
    for (std::size_t i = 0; i < coalescer.size(); ++i) {
        Bytes packet;
        for (const auto& piece : coalescer.item(i).pieces.subspan(1)) {
            append(packet, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
        }
        take(packet);
    }
    coalescer.clear();
}

}  // namespace culvert::model
