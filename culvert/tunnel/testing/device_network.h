#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "culvert/connectivity/node.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/packet/coalescer.h"
#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/turn/server/server.h"

/// Clients that reach each other without a gateway, a relay, and a portal that grants what its pools say, under virtual
/// time. For tests.
namespace culvert::tunnel::test {

class DeviceNetwork {
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
    };

    explicit DeviceNetwork(std::uint8_t clients);

    Instant now{};
    std::map<std::uint8_t, Client> clients;

    /// A pool as the portal knows it.
    struct Pool {
        portal_api::DevicePool pool;
        std::set<std::uint8_t> users;
        std::optional<UnixSeconds> expires_at;
    };
    std::map<std::uint8_t, Pool> pools;
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

    /// A client without any manners. It has number 66 and leads.
    struct Rogue {
        explicit Rogue(Instant now);

        ClientId id;
        net::IpAddress address;
        net::IpAddress ipv4;
        net::IpAddress ipv6;
        connectivity::Node node;
        std::vector<Bytes> received = {};
    };
    std::optional<Rogue> rogue;
    /// Connects it to a client, which is told `grant`.
    void connect_rogue(std::uint8_t target, const std::optional<portal_api::PoolGrant>& grant,
                       std::optional<UnixSeconds> expires_at = {});
    [[nodiscard]] portal_api::DeviceAccessAuthorized rogue_authorization(
        std::uint8_t target, const std::optional<portal_api::PoolGrant>& grant,
        std::optional<UnixSeconds> expires_at = {}) const;
    void send_from_rogue(std::uint8_t target, ByteSpan packet);

    /// Datagrams that are lost on the way, by sender and receiver.
    std::function<bool(const net::SocketAddress&, const net::SocketAddress&)> is_lost;

    void run_for(Duration duration);
    [[nodiscard]] UnixSeconds wall_now() const;
    [[nodiscard]] std::vector<portal_api::Relay> relays() const;

private:
    static constexpr std::uint16_t kPort = 52625;
    static constexpr Duration kDelay = std::chrono::milliseconds{10};

    void handle(std::uint8_t from, portal_api::FromClient message);
    void answer(std::uint8_t from, const portal_api::CreateFlow& request);
    void forward(std::uint8_t from, const portal_api::BroadcastClientIceCandidates& candidates);
    void drain(std::uint8_t number, Client& client);
    void drain_rogue();
    void collect(std::vector<Bytes>& packets);
    void flush_queue(const net::IpAddress& from);
    void transmit(const net::IpAddress& from, const net::Path& path, ByteSpan payload);
    void deliver(const net::SocketAddress& from, const net::SocketAddress& to, Bytes payload);
    void deliver_to_relay(const net::SocketAddress& from, const net::SocketAddress& to, const Bytes& payload);
    void run_relay_commands();
    [[nodiscard]] Instant next_event(Instant end);
    void later(std::function<void()> action) { in_flight_.emplace(now + kDelay, std::move(action)); }

    std::string relay_secret_;
    turn::Server relay_;
    net::TransmitQueue queue_;
    packet::Coalescer coalescer_;
    std::multimap<Instant, std::function<void()>> in_flight_;
};

}  // namespace culvert::tunnel::test
