#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"
#include "culvert/tunnel/testing/virtual_wire.h"

/// A client, gateways, a relay and a portal that grants what it was told to grant, under virtual time. For tests.
namespace culvert::tunnel::test {

/// What the portal knows about a resource.
struct Grant {
    std::uint8_t gateway = 1;
    std::vector<portal_api::Filter> filters = {};
    std::optional<UnixSeconds> expires_at = {};
    /// Whether both ends record flows.
    bool records_flows = false;
};

/// The token of an authorization that records flows, with the resource's id as the authorization's.
[[nodiscard]] std::string ingest_token(const ResourceId& resource, portal_api::FlowRole role);

class TunnelNetwork : public VirtualWire {
public:
    struct Client {
        ClientId id;
        net::IpAddress address;  ///< of its UDP socket
        net::IpAddress ipv4;     ///< of its TUN interface
        net::IpAddress ipv6;
        ClientTunnel state;

        std::vector<Bytes> received;  ///< written to the TUN
        std::vector<portal_api::CreateFlow> intents;
        std::optional<TunConfig> tun_config;
        std::vector<ResourceView> resources;
        std::vector<dns::Ask> asks = {};  ///< of resolvers that are reached around the tunnel
        std::vector<dns::AskId> stopped_asks = {};
        std::vector<dns::ProxyRecord> dns_records = {};
        std::size_t dns_record_updates = 0;
        std::size_t tun_updates = 0;
        std::size_t resource_updates = 0;
        std::size_t relay_requests = 0;
        std::vector<Uuid> ended_connections = {};
        std::vector<DroppedPackets> drops;
        std::vector<TrackedFlow> records = {};
    };

    struct Gateway {
        Gateway(std::uint8_t number, Instant now);

        GatewayId id;
        net::IpAddress address;
        net::IpAddress ipv4;
        net::IpAddress ipv6;
        GatewayTunnel state;

        std::vector<Bytes> received;
        std::vector<DroppedPackets> drops;
        std::optional<TunConfig> tun_config;
        std::vector<LookUpName> look_ups;
        std::vector<dns::Ask> asks;
        std::vector<dns::AskId> stopped_asks;
        std::size_t flows_authorized = 0;
        std::size_t relay_requests = 0;
        std::vector<TrackedFlow> records;
        bool is_up = true;
    };

    explicit TunnelNetwork(std::uint64_t seed = 1);

    Client client;
    /// By number; the one with number n has the id with number n and the TUN address 100.64.1.n.
    std::map<std::uint8_t, Gateway> gateways;
    Gateway& add_gateway(std::uint8_t number);
    /// Ends the gateway without a goodbye and starts it anew, with other keys and without connections and policies.
    void restart(Gateway& gateway);

    /// Makes a CIDR resource known to portal and client.
    void add_resource(std::uint8_t number, std::string_view network, Grant grant = {});
    /// The same for one of any kind.
    void add_resource(const portal_api::ClientResource& resource, Grant grant = {});
    void remove_resource(const ResourceId& id);
    /// Sends `init` to the client, or to a gateway, with everything the portal knows.
    void init_client();
    void init_gateway(Gateway& gateway, std::vector<portal_api::Authorization> authorizations = {});
    void to_client(const portal_api::ToClient& message);
    void to_gateway(Gateway& gateway, const portal_api::ToGateway& message);
    void command(Gateway& gateway, const GatewayTunnel::Command& command);
    /// The client's resources as the portal sends them.
    [[nodiscard]] std::vector<portal_api::ClientResource> resources() const;
    /// The portal's answer to `intent`, on both sides; happens by itself while `is_portal_answering`.
    void authorize(const portal_api::CreateFlow& intent);
    [[nodiscard]] portal_api::AuthorizeFlow authorize_flow(const ResourceId& resource) const;
    [[nodiscard]] portal_api::FlowCreated flow_created(const ResourceId& resource) const;
    bool is_portal_answering = true;
    /// Whether candidates of client and gateways are lost on their way to each other.
    std::function<bool()> loses_candidates;
    std::map<ResourceId, Grant> grants;

    /// A packet that an application behind the client, or a resource behind the gateway, sends.
    void send(ByteSpan packet);
    void send(Gateway& gateway, ByteSpan packet);
    void send(packet::TunPacket packet);
    /// A datagram that arrives at the gateway out of nowhere.
    void inject(Gateway& gateway, ByteSpan datagram);

    struct Rogue : RogueNode {
        Rogue(std::uint8_t number, const net::IpAddress& ipv4, const net::IpAddress& ipv6, Instant now);

        ClientId id;
    };
    std::optional<Rogue> rogue;
    /// What the gateway was told of it.
    portal_api::AuthorizeFlow rogue_authorization;
    /// Connects a rogue with the TUN addresses of the client to the gateway, which is to grant it `resource`.
    void connect_rogue(Gateway& gateway, const portal_api::GatewayResource& resource);
    void send_from_rogue(Gateway& gateway, ByteSpan packet);
    /// One more, with the TUN addresses 100.64.0.67 and fd00:2021:1111::67.
    std::optional<Rogue> other_rogue;
    portal_api::AuthorizeFlow other_rogue_authorization;
    void connect_other_rogue(Gateway& gateway, const portal_api::GatewayResource& resource);
    void send_from_other_rogue(Gateway& gateway, ByteSpan packet);

    struct RogueGateway : RogueNode {
        explicit RogueGateway(Instant now);

        GatewayId id;
    };
    std::optional<RogueGateway> rogue_gateway;
    /// The client sends `packet` to the resource, and the portal gives it the rogue gateway for it.
    void connect_rogue_gateway(std::uint8_t resource, ByteSpan packet);
    /// What the client was told then.
    portal_api::FlowCreated rogue_flow_created;
    void send_from_rogue_gateway(ByteSpan packet);

    /// Hands over what the devices have ready, without letting time pass.
    void drain() override;

private:
    void deliver(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn, Bytes& payload) override;
    [[nodiscard]] Instant next_timeout() override;
    void drain_client();
    void drain_gateway(Gateway& gateway);
    portal_api::AuthorizeFlow connect(Rogue& newcomer, Gateway& gateway, const portal_api::GatewayResource& resource);
    [[nodiscard]] std::vector<Rogue*> rogues();
    void drain_rogue(Rogue& one);
    void drain_rogue_gateway();
    void handle(portal_api::FromClient message);
    void handle(Gateway& gateway, portal_api::FromGateway message);

    std::map<ResourceId, portal_api::ClientResource> resources_;
};

}  // namespace culvert::tunnel::test
