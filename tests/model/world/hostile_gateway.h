#pragma once

#include <map>
#include <optional>
#include <string>

#include "culvert/connectivity/node.h"
#include "tests/model/scenario/ignores.h"
#include "tests/model/world/device_process.h"
#include "tests/model/world/portal_link.h"

namespace culvert::model {

/// A gateway that is signed in like any other but keeps no rule: it lets every client in, forwards nothing, and puts
/// into its tunnels, in front of its handshakes and into its messages whatever it is told to. Built from the product's
/// codecs and Node, without the gateway's tunnel state.
class HostileGateway final : public DeviceProcess {
public:
    HostileGateway(GatewayNo number, std::uint16_t port, PortalLink& link, Environment& environment, const Rng& rng,
                   Instant now);

    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan payload, Instant now) override;
    void handle_packet(MutableByteSpan, Instant) override {}
    void handle_portal_event(portal_channel::Event& event, Instant now) override;
    void handle_timeout(Instant now) override { node_.handle_timeout(now); }
    std::optional<Instant> poll_timeout() override { return node_.poll_timeout(); }
    bool drain(Instant now) override;
    void reset(std::string_view, Instant) override {}
    void handle_network_change(std::span<const net::IpAddress>, Instant) override {}
    void shut_down(Instant) override {}
    [[nodiscard]] portal_channel::ChannelOptions channel_options() const override;
    [[nodiscard]] std::optional<crypto::PublicKey> public_key() const override { return node_.public_key(); }
    [[nodiscard]] bool outlives_portal() const override { return true; }
    [[nodiscard]] DeviceState show() const override { return tunnel::GatewayState{{}, node_.state()}; }
    [[nodiscard]] std::string snapshot(Instant now) const override;

    // What it can be told to do. All but the last two require has_tunnel(client).
    [[nodiscard]] bool has_tunnel(const Uuid& client) const;
    void send_inside(const Uuid& client, ByteSpan packet, Instant now);
    /// Sends the packet, and the same datagrams once more.
    void send_twice(const Uuid& client, ByteSpan packet, Instant now);
    /// Sends what looks like the next datagrams of the session.
    void send_bogus_data(const Uuid& client, ByteSpan packet, Instant now);
    /// Gives wrong answers to the last handshake that anybody asked for, and to the next few.
    void answer_wrongly(const Uuid& client, unsigned count);
    void flood_candidates(const Uuid& client, std::size_t count);
    void send_bad_candidates(const Uuid& client);
    void send_bogus_answers();

    /// What came last through the tunnel, but for messages between the peers; empty if nothing has.
    [[nodiscard]] ByteSpan last_request(const Uuid& client) const;

    [[nodiscard]] const std::optional<portal_api::Interface>& interface() const { return interface_; }

private:
    void handle(const portal_api::GatewayInit& message, Instant now);
    void handle(const portal_api::AuthorizeFlow& message, Instant now);
    void handle(const portal_api::RelaysPresence& message, Instant now);
    void handle(const portal_api::ClientIceCandidates& message, Instant now);
    template <OneOf<portal_api::AccessAuthorizationExpiryUpdated, portal_api::RejectAccess, portal_api::ResourceUpdated,
                    portal_api::InvalidateClientIceCandidates>
                  Ignored>
    void handle(const Ignored&, Instant) {}

    /// A WireGuard message in a datagram, possibly behind the header of ChannelData.
    struct Framed {
        net::SocketAddress peer;
        Bytes header;
        Bytes message;
    };
    [[nodiscard]] static Framed unframe(const net::SocketAddress& peer, ByteSpan datagram);
    void send_forged(const Framed& framed);
    void give_wrong_answers();
    void tell(portal_api::FromGateway message);

    GatewayNo number_;
    std::uint16_t port_;
    PortalLink& link_;
    Environment& environment_;
    Rng rng_;
    connectivity::Node node_;
    std::optional<portal_api::Interface> interface_;
    std::map<Uuid, crypto::PublicKey> keys_;
    std::map<Uuid, Bytes> requests_;
    std::string last_ref_;
    bool has_told_ = false;

    std::optional<Framed> last_initiation_;
    std::optional<crypto::PublicKey> answered_key_;
    unsigned wrong_answers_ = 0;
};

}  // namespace culvert::model
