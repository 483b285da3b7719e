#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/tunnel/testing/virtual_wire.h"

/// Clients that reach each other without a gateway, a relay, and a portal that grants what its pools say, under virtual
/// time. For tests.
namespace culvert::tunnel::test {

class DeviceNetwork : public VirtualWire {
public:
    /// The one with number n has the id with number n and the TUN addresses 100.64.0.n and fd00:2021:1111::n.
    struct Client {
        Client(std::uint8_t number, Instant now);

        ClientId id;
        net::IpAddress address;  ///< of its UDP socket
        net::IpAddress ipv4;
        net::IpAddress ipv6;
        ClientTunnel state;

        std::vector<Bytes> received = {};  ///< written to the TUN
        std::vector<portal_api::CreateFlow> requests = {};
        std::optional<TunConfig> tun_config = {};
        std::size_t portal_reconnects = 0;
        std::size_t candidate_messages = 0;
        std::vector<DroppedPackets> drops = {};
        std::vector<TrackedFlow> records = {};
    };

    explicit DeviceNetwork(std::uint8_t clients);

    std::map<std::uint8_t, Client> clients;

    /// A pool as the portal knows it.
    struct Pool {
        portal_api::DevicePool pool;
        std::set<std::uint8_t> users;
        std::optional<UnixSeconds> expires_at;
    };
    std::map<std::uint8_t, Pool> pools;
    /// Those whose flows the portal wants to hear of.
    std::set<std::uint8_t> recorded;
    /// Tells the users.
    void put_pool(std::uint8_t number, std::set<std::uint8_t> users, const std::vector<std::uint8_t>& members,
                  std::vector<portal_api::Filter> filters = {}, std::optional<UnixSeconds> expires_at = {});
    void remove_pool(std::uint8_t number);
    [[nodiscard]] portal_api::PoolDevice device(std::uint8_t number) const;
    void init(std::uint8_t number, std::vector<portal_api::Authorization> authorizations = {});
    void to_client(std::uint8_t number, const portal_api::ToClient& message);
    void reset(std::uint8_t number);
    void shut_down(std::uint8_t number);
    /// Both halves of the portal's answer. The lower id leads.
    [[nodiscard]] portal_api::DeviceAccessAuthorized to_target(std::uint8_t pool, std::uint8_t initiator,
                                                               std::uint8_t target) const;
    [[nodiscard]] portal_api::DeviceAccessAuthorized to_initiator(std::uint8_t initiator, std::uint8_t target) const;
    bool is_portal_answering = true;
    bool has_relays = true;

    /// A packet that an application on the client sends.
    void send(std::uint8_t from, ByteSpan packet);

    /// It has number 66 and leads.
    struct Rogue : RogueNode {
        explicit Rogue(Instant now);

        ClientId id;
    };
    std::optional<Rogue> rogue;
    /// Connects it to a client, which is told `grant`.
    void connect_rogue(std::uint8_t target, const std::optional<portal_api::PoolGrant>& grant,
                       std::optional<UnixSeconds> expires_at = {});
    [[nodiscard]] portal_api::DeviceAccessAuthorized rogue_authorization(
        std::uint8_t target, const std::optional<portal_api::PoolGrant>& grant,
        std::optional<UnixSeconds> expires_at = {}) const;
    void send_from_rogue(std::uint8_t target, ByteSpan packet);

private:
    void deliver(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn, Bytes& payload) override;
    void drain() override;
    [[nodiscard]] Instant next_timeout() override;
    void handle(std::uint8_t from, portal_api::FromClient message);
    void answer(std::uint8_t from, const portal_api::CreateFlow& request);
    void forward(std::uint8_t from, const portal_api::BroadcastClientIceCandidates& candidates);
    void drain_client(std::uint8_t number, Client& client);
    void drain_rogue();
};

}  // namespace culvert::tunnel::test
