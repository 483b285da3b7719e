// What a connection costs a gateway in memory: with 1, 1,000 and 10,000 clients that have each opened a flow, while
// they are connected and once they are idle. bench/memory_bench [CLIENTS...]. Virtual time: nothing depends on the
// machine.
//
// Clients live in this process too, so memory is counted by who asked for it: what the gateway allocates is the
// gateway's until it is freed, by whomever.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <new>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "culvert/base/overloaded.h"
#include "culvert/connectivity/connection.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/virtual_wire.h"

namespace {

/// In front of each allocation; as large as the alignment of anything that is allocated here.
struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) Header {
    std::size_t size;
    bool is_gateways;
};

bool is_gateway_at_work = false;
std::size_t gateway_bytes = 0;
/// Of the C library, for each block.
constexpr std::size_t kOverhead = 8;

}  // namespace

void* operator new(std::size_t size) {
    auto* const header = static_cast<Header*>(std::malloc(size + sizeof(Header)));
    if (header == nullptr) {
        throw std::bad_alloc{};
    }
    *header = {size + kOverhead, is_gateway_at_work};
    gateway_bytes += is_gateway_at_work ? header->size : 0;
    return header + 1;
}

void operator delete(void* pointer) noexcept {
    if (pointer != nullptr) {
        auto* const header = static_cast<Header*>(pointer) - 1;
        gateway_bytes -= header->is_gateways ? header->size : 0;
        std::free(header);
    }
}
void operator delete(void* pointer, std::size_t /*size*/) noexcept {
    operator delete(pointer);
}

namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kArrivals = 10s;

class AtWork {
public:
    AtWork() : before_{std::exchange(is_gateway_at_work, true)} {}
    ~AtWork() { is_gateway_at_work = before_; }
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;

private:
    bool before_;
};

/// A gateway whose allocations are counted.
class CountedGateway {
public:
    explicit CountedGateway(Instant now) : tunnel_{Rng::from_number(1), now, kWallStart} {}

    template <typename... Arguments>
    void handle_portal(Arguments&&... arguments) {
        const AtWork scope;
        tunnel_.handle_portal(std::forward<Arguments>(arguments)...);
    }
    template <typename... Arguments>
    void handle_tun_packet(Arguments&&... arguments) {
        const AtWork scope;
        tunnel_.handle_tun_packet(std::forward<Arguments>(arguments)...);
    }
    template <typename... Arguments>
    void handle_datagram(Arguments&&... arguments) {
        const AtWork scope;
        tunnel_.handle_datagram(std::forward<Arguments>(arguments)...);
    }
    void handle_timeout(Instant now, UnixSeconds wall_now) {
        const AtWork scope;
        tunnel_.handle_timeout(now, wall_now);
    }
    [[nodiscard]] auto poll_timeout() { return tunnel_.poll_timeout(); }
    auto poll_transmit() {
        const AtWork scope;
        return tunnel_.poll_transmit();
    }
    auto poll_event() {
        const AtWork scope;
        return tunnel_.poll_event();
    }
    auto poll_drops() { return tunnel_.poll_drops(); }
    [[nodiscard]] GatewayTunnel& tunnel() { return tunnel_; }

private:
    GatewayTunnel tunnel_;
};

/// Devices that see each other directly; there is no relay.
class Crowd : VirtualWire {
public:
    Crowd() : VirtualWire{1}, gateway_{ip("198.51.100.1"), CountedGateway{now}, {}, {}} {
        const net::SocketAddress own{gateway_.address, kPort};
        gateway_.state.tunnel().set_local_sockets({&own, 1});
        portal_api::GatewayInit init;
        init.interface = {ip("100.64.255.1"), ip("fd00:2021:1111::ffff"), {}, {}};
        gateway_.state.handle_portal(portal_api::ToGateway{init}, now, wall_now());
        drain_gateway();
    }

    /// As many more, a few at a time.
    void grow_to(std::size_t count) {
        const auto pause = kArrivals / std::max<std::size_t>(count - clients_.size(), 1);
        while (clients_.size() < count) {
            add_client();
            run_for(pause);
        }
        for (int attempt = 0; attempt < 60 && answered_ < count; ++attempt) {
            run_for(1s);
        }
        if (answered_ < count) {
            std::printf("only %zu of %zu clients got an answer\n", answered_, count);
            std::exit(1);
        }
    }

    void wait(Duration duration) { run_for(duration); }

private:
    struct Client {
        Client(std::size_t number, Instant now)
            : rogue{.address = ip(numbered("198.18.", number)),
                    .ipv4 = ip(numbered("100.64.", number)),
                    .ipv6 = ip("fd00:2021:1111::" + std::to_string(number % 10'000)),
                    .node = {connectivity::Role::kClient, Rng::from_number(number), now, kWallStart}},
              id{uuid(number)} {}

        RogueNode rogue;
        ClientId id;
        Instant due = Instant::max();
        bool is_answered = false;
    };
    struct Gateway {
        net::IpAddress address;
        CountedGateway state;
        std::vector<Bytes> received;
        std::vector<DroppedPackets> drops;
    };

    static Uuid uuid(std::size_t number) {
        std::array<std::uint8_t, 16> bytes{1};
        bytes[14] = static_cast<std::uint8_t>(number >> 8);
        bytes[15] = static_cast<std::uint8_t>(number);
        return Uuid{bytes};
    }

    static std::string numbered(std::string_view prefix, std::size_t number) {
        return std::string{prefix} + std::to_string(number / 256) + "." + std::to_string(number % 256);
    }

    void add_client() {
        const auto number = clients_.size() + 2;
        auto& client = clients_.emplace_back(number, now);
        by_address_.emplace(client.rogue.address, clients_.size() - 1);
        by_id_.emplace(client.id, clients_.size() - 1);
        auto& node = client.rogue.node;
        const net::SocketAddress own{client.rogue.address, kPort};
        node.set_local_sockets({&own, 1});

        const auto& gateway_key = gateway_.state.tunnel().public_key();
        const auto local = credentials(node.public_key(), gateway_key);
        const auto remote = credentials(gateway_key, node.public_key());
        portal_api::AuthorizeFlow message;
        message.ref = "flow";
        message.resource = gateway_cidr(1, "10.0.0.0/16");
        message.client.id = client.id;
        message.client.public_key = node.public_key();
        message.client.ipv4 = client.rogue.ipv4;
        message.client.ipv6 = client.rogue.ipv6;
        message.client_ice_credentials = local;
        message.gateway_ice_credentials = remote;
        gateway_.state.handle_portal(portal_api::ToGateway{message}, now, wall_now());
        drain_gateway();
        (void)node.upsert_connection(kGateway, gateway_key, {}, {local.username, local.password},
                                     {remote.username, remote.password}, now);
        const auto packet =
            packet::make_tcp({client.rogue.ipv4, 5000}, socket("10.0.0.1:443"), {.flags = packet::kTcpSyn}, {});
        node.encapsulate(kGateway, ByteSpan{packet}, now);
        drain_client(clients_.size() - 1);
    }

    void deliver(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn, Bytes& payload) override {
        if (to.ip == gateway_.address) {
            receive(gateway_, from, to, ecn, payload);
            drain_gateway();
        } else if (const auto found = by_address_.find(to.ip); found != by_address_.end()) {
            receive(clients_[found->second].rogue, from, to, payload);
            drain_client(found->second);
        }
    }

    void drain() override {
        drain_gateway();
        while (!due_.empty() && due_.begin()->first <= now) {
            drain_client(due_.begin()->second);
        }
    }

    [[nodiscard]] Instant next_timeout() override {
        const auto next = gateway_.state.poll_timeout().value_or(Instant::max());
        return due_.empty() ? next : std::min(next, due_.begin()->first);
    }

    void drain_client(std::size_t index) {
        auto& client = clients_[index];
        drain_rogue(client.rogue, [this, id = client.id](const std::string& candidate) {
            gateway_.state.handle_portal(portal_api::ToGateway{portal_api::ClientIceCandidates{id, {candidate}}}, now,
                                         wall_now());
            drain_gateway();
        });
        if (!client.is_answered && !client.rogue.received.empty()) {
            client.is_answered = true;
            ++answered_;
        }
        due_.erase({client.due, index});
        client.due = client.rogue.node.poll_timeout().value_or(Instant::max());
        due_.emplace(client.due, index);
    }

    void drain_gateway() {
        drain_device(gateway_, overloaded{
                                   [&](SendToPortal& sent) { handle(std::get<portal_api::FromGateway>(sent.message)); },
                                   [](auto&) {},
                               });
        for (const auto& packet : std::exchange(gateway_.received, {})) {
            const auto parsed = packet::IpPacket::parse(MutableByteSpan{const_cast<Bytes&>(packet)}).value();
            const auto answer = packet::make_tcp(socket("10.0.0.1:443"), {parsed.source(), 5000},
                                                 {.flags = packet::kTcpSyn | packet::kTcpAck}, {});
            send_from_host(gateway_, answer);
            drain_gateway();
        }
    }

    void handle(portal_api::FromGateway& message) {
        if (const auto* broadcast = std::get_if<portal_api::BroadcastClientIceCandidates>(&message)) {
            const auto found = by_id_.find(broadcast->client_ids.front());
            later([this, index = found->second, candidates = broadcast->candidates] {
                for (const auto& candidate : candidates) {
                    clients_[index].rogue.node.add_remote_candidate(kGateway, candidate, now);
                }
                drain_client(index);
            });
        }
    }

    static inline const Uuid kGateway = uuid(0);

    Gateway gateway_;
    std::deque<Client> clients_;
    std::map<net::IpAddress, std::size_t> by_address_;
    std::map<ClientId, std::size_t> by_id_;
    std::set<std::pair<Instant, std::size_t>> due_;
    std::size_t answered_ = 0;
};

void measure(std::size_t count) {
    const auto before = gateway_bytes;
    Crowd crowd;
    const auto empty = gateway_bytes - before;
    crowd.grow_to(count);
    const auto connected = gateway_bytes - before;
    crowd.wait(60s);
    const auto idle = gateway_bytes - before;
    const auto each = [&](std::size_t bytes) {
        return static_cast<double>(bytes - empty) / static_cast<double>(count) / 1024;
    };
    std::printf("%8zu clients: connected %8.1f KiB each, idle %8.1f KiB each, in all %8.1f MiB\n", count,
                each(connected), each(idle), static_cast<double>(idle) / 1024 / 1024);
}

}  // namespace
}  // namespace culvert::tunnel::test

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::printf("a connection object has %zu bytes\n", sizeof(culvert::connectivity::Connection));
    if (argc == 1) {
        for (const std::size_t count : {1, 1'000, 10'000}) {
            culvert::tunnel::test::measure(count);
        }
    }
    for (int i = 1; i < argc; ++i) {
        culvert::tunnel::test::measure(std::strtoull(argv[i], nullptr, 10));
    }
}
