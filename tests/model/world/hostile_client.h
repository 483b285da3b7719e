#pragma once

#include <map>
#include <set>
#include <vector>

#include "culvert/connectivity/node.h"
#include "tests/model/scenario/ignores.h"
#include "tests/model/world/device_process.h"
#include "tests/model/world/portal_link.h"

namespace culvert::model {

/// A client that is signed in like any other but keeps no rule: it asks for access to everything it hears of and puts
/// into its tunnels whatever it is told to. Built from the product's codecs and Node, without the client's tunnel
/// state.
class HostileClient final : public DeviceProcess {
public:
    HostileClient(ClientNo number, std::uint16_t port, PortalLink& link, Environment& environment, const Rng& rng,
                  Instant now);

    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan payload, Instant now) override;
    void handle_packet(MutableByteSpan, Instant) override {}
    void handle_portal_event(portal_channel::Event& event, Instant now) override;
    void handle_timeout(Instant now) override { node_.handle_timeout(now); }
    std::optional<Instant> poll_timeout() override { return node_.poll_timeout(); }
    bool drain(Instant now) override;
    void handle_network_change(std::span<const net::IpAddress> addresses, Instant now) override {
        node_.handle_network_change(addresses, now);
    }
    void reset(std::string_view reason, Instant now) override;
    void shut_down(Instant) override {}
    [[nodiscard]] portal_channel::ChannelOptions channel_options() const override;
    [[nodiscard]] std::optional<crypto::PublicKey> public_key() const override { return node_.public_key(); }
    [[nodiscard]] bool outlives_portal() const override { return true; }
    [[nodiscard]] DeviceState show() const override { return tunnel::ClientState{{}, node_.state()}; }
    [[nodiscard]] std::string snapshot(Instant now) const override;

    // What it can be told to do.
    [[nodiscard]] bool has_tunnel(const Uuid& gateway) const { return node_.has_connection(gateway); }
    void send_inside(const Uuid& gateway, ByteSpan packet, Instant now);
    void ask_for(const ResourceId& resource);
    void flood_candidates(const Uuid& gateway, std::size_t count);

    [[nodiscard]] const std::optional<portal_api::Interface>& interface() const { return interface_; }

private:
    void handle(const portal_api::ClientInit& message, Instant now);
    void handle(const portal_api::ResourceCreatedOrUpdated& message, Instant now);
    void handle(const portal_api::RelaysPresence& message, Instant now);
    void handle(const portal_api::FlowCreated& message, Instant now);
    void handle(const portal_api::GatewayIceCandidates& message, Instant now);
    template <
        OneOf<portal_api::ConfigChanged, portal_api::ResourceDeleted, portal_api::FlowCreationFailed,
              portal_api::InvalidateGatewayIceCandidates, portal_api::RejectAccess, portal_api::ClientIceCandidates,
              portal_api::InvalidateClientIceCandidates, portal_api::DevicePoolCreatedOrUpdated,
              portal_api::DeviceAccessAuthorized, portal_api::DeviceAccessDenied, portal_api::ClientIceCandidateError,
              portal_api::ResourceFiltersUpdated>
            Ignored>
    void handle(const Ignored&, Instant) {}

    ClientNo number_;
    std::uint16_t port_;
    PortalLink& link_;
    Environment& environment_;
    connectivity::Node node_;
    std::optional<portal_api::Interface> interface_;
    std::set<Uuid> gateways_;
    bool has_asked_ = false;
};

}  // namespace culvert::model
