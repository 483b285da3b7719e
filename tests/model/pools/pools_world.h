#pragma once

#include <array>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/connectivity/node.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/packet/coalescer.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/memory_storage.h"
#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/turn/server/server.h"
#include "tests/model/pools/pools_judge.h"

namespace culvert::model::pools {

/// The portal and clients as they are, of both dialects, and one client that keeps no rule: a random history of pools
/// that change, access that ends, clients that are cut off or start anew, under virtual time.
class PoolsWorld {
public:
    explicit PoolsWorld(std::uint64_t seed);

    void step();
    /// Everybody is connected again; whoever may reach somebody does, and is answered. Then all access is taken back,
    /// and nothing is left of it.
    void settle();

    [[nodiscard]] const std::vector<std::string>& violations() const { return judge_.violations(); }
    /// How much was tried.
    [[nodiscard]] std::vector<std::pair<std::uint64_t, std::string_view>> counts() const {
        return {{judge_.delivered_count(), "packets reached a host"}, {judge_.refused_count(), "did not"}};
    }
    /// What was done so far, for a person.
    [[nodiscard]] const std::string& history() const { return history_; }
    void note(const std::string& what) { history_ += what + "\n"; }

private:
    struct Client {
        explicit Client(unsigned number);

        unsigned number;
        portal_api::Dialect dialect;
        net::IpAddress address;  ///< Of its UDP socket.
        net::IpAddress ipv4;
        net::IpAddress ipv6;
        ClientId id;
        /// Of those that keep rules.
        std::optional<tunnel::ClientTunnel> state;
        /// Of the one that does not.
        std::optional<connectivity::Node> node;
        std::optional<portal::SessionId> session;
        std::string token;
        portal::TokenId token_id;
        std::optional<Instant> token_ends;
        Instant next_connect{};
        bool is_cut_off = false;

        [[nodiscard]] const crypto::PublicKey& key() const { return state ? state->public_key() : node->public_key(); }
    };

    /// Knows who is registered under which id.
    class Storage final : public portal::MemoryStorage {
    public:
        using portal::MemoryStorage::MemoryStorage;
        std::expected<portal::Client, portal::RegisterError> register_client(const portal::ClientReport& report,
                                                                             Rng& rng) override;

        std::map<std::string, ClientId> ids;
    };

    // Administrators.
    void change_users(unsigned pool);
    void change_members(unsigned pool);
    void change_ports(unsigned pool);
    void revoke_token(unsigned client);
    void put_pool(unsigned pool);
    void announce();

    // Clients and the portal.
    void connect(Client& client);
    void disconnect(Client& client);
    void reset(unsigned client);
    void cut_off(unsigned client);
    void send_to_portal(Client& client, const portal_api::FromClient& message);
    void collect_from_portal();
    void receive(Client& client, const std::string& text);
    void handle_hostile(const portal_api::ToClient& message);
    void observe(Client& client, const portal_api::ToClient& message);
    void observe_grant(const Client& client, const std::string& text);

    // Traffic.
    [[nodiscard]] std::uint64_t send(unsigned from, unsigned to, std::uint8_t protocol, std::uint16_t source_port,
                                     std::uint16_t destination_port, net::Family family);
    void answer(const Sent& sent);
    [[nodiscard]] std::uint64_t note_sent(const Sent& sent);
    [[nodiscard]] Sent between(unsigned from, unsigned to, std::uint8_t protocol, std::uint16_t source_port,
                               std::uint16_t destination_port, net::Family family);
    [[nodiscard]] Bytes packet_of(std::uint64_t number);
    void forge();
    void ask_as_hostile();
    void signal_as_hostile();
    void delivered(Client& client, Bytes packet);

    // The wire.
    void drain(Client& client);
    void flush(Client& client);
    void transmit(const net::IpAddress& from, const net::Path& path, ByteSpan payload);
    void deliver(const net::SocketAddress& from, const net::SocketAddress& to, Bytes payload);
    void deliver_to_relay(const net::SocketAddress& from, const net::SocketAddress& to, const Bytes& payload);
    void drain_relay();

    void run_for(Duration duration);
    [[nodiscard]] Instant next_event(Instant end);
    void later(std::function<void()> action);
    void try_everything(bool is_judged);
    void check_states();
    [[nodiscard]] WallTime wall() const;
    [[nodiscard]] UnixSeconds wall_seconds() const { return std::chrono::floor<std::chrono::seconds>(wall()); }
    [[nodiscard]] unsigned draw(unsigned bound) { return static_cast<unsigned>(rng_.below(bound)); }
    [[nodiscard]] std::uint16_t draw_port() { return draw(4) == 0 ? kOtherPort : kPorts.at(draw(3)); }
    [[nodiscard]] Client& with_id(const ClientId& id);

    Rng rng_;
    Instant now_{std::chrono::hours{1}};
    Storage storage_;
    std::array<portal::Actor, kClients> actors_;
    std::array<portal::Group, kClients> groups_;
    std::array<portal::Resource, kPools> resources_;
    std::array<std::array<portal::Policy, kClients>, kPools> policies_;
    Pools pools_;
    std::optional<portal::ControlPlane> portal_;
    std::string relay_secret_;
    turn::Server relay_;
    portal::SessionId relay_session_{};
    std::deque<Client> clients_;
    PoolsJudge judge_;
    net::TransmitQueue queue_;
    packet::Coalescer coalescer_;
    std::multimap<Instant, std::function<void()>> in_flight_;
    Instant direct_from_{};  ///< Until then only relays connect.
    std::uint64_t number_ = 1;
    std::uint16_t fresh_port_ = 20'000;
    bool is_settling_ = false;
    std::string history_;
};

}  // namespace culvert::model::pools
