#pragma once

#include "culvert/tunnel/gateway/gateway_tunnel.h"
#include "tests/model/world/device_process.h"
#include "tests/model/world/portal_link.h"

namespace culvert::model {

/// culvert-gateway.
class GatewayProcess final : public DeviceProcess {
public:
    GatewayProcess(GatewayNo number, std::uint16_t port, PortalLink& link, Environment& environment, const Rng& rng,
                   Instant now);

    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan payload, Instant now) override;
    void handle_packet(MutableByteSpan packet, Instant now) override;
    void handle_portal_event(portal_channel::Event& event, Instant now) override;
    void handle_timeout(Instant now) override { state_.handle_timeout(now, wall_seconds()); }
    std::optional<Instant> poll_timeout() override { return state_.poll_timeout(); }
    bool drain(Instant now) override;
    void handle_network_change(std::span<const net::IpAddress> addresses, Instant now) override;
    void reset(std::string_view, Instant) override {}
    void shut_down(Instant now) override { state_.shut_down(now); }
    [[nodiscard]] portal_channel::ChannelOptions channel_options() const override;
    [[nodiscard]] std::optional<crypto::PublicKey> public_key() const override { return state_.public_key(); }
    [[nodiscard]] DeviceState show() const override { return state_.state(); }
    [[nodiscard]] std::string snapshot(Instant now) const override;

    // For whoever drives the state machine's data path instead (EventLoopProcess).
    [[nodiscard]] tunnel::GatewayTunnel& state() { return state_; }
    /// A packet that came out of the tunnel.
    void pass_on(ByteSpan packet) { environment_.forward(number_, packet); }
    /// The part of drain() that is not about packets.
    bool drain_events(Instant now);

private:
    [[nodiscard]] UnixSeconds wall_seconds() const;

    GatewayNo number_;
    std::uint16_t port_;
    PortalLink& link_;
    Environment& environment_;
    tunnel::GatewayTunnel state_;
};

}  // namespace culvert::model
