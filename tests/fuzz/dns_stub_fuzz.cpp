// The stub resolver among applications, resolvers, gateways and a portal that may do anything: ask nonsense, answer
// rightly, wrongly, late, twice or from elsewhere, change everything at any time. It must stay within its bounds,
// answer nobody twice, and come to rest.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <span>
#include <variant>
#include <vector>

#include "culvert/base/overloaded.h"
#include "culvert/dns/constants.h"
#include "culvert/dns/stub_resolver.h"
#include "input.h"

namespace {

using namespace culvert;
using namespace culvert::dns;
using namespace std::chrono_literals;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

using fuzz::Input;

net::IpAddress some_server(std::uint8_t selector) {
    if (selector % 4 == 3) {
        return net::IpAddress{
            std::array<std::uint8_t, 16>{0x20, 0x01, 0x0d, 0xb8, static_cast<std::uint8_t>(selector / 4)}};
    }
    return net::IpAddress{std::array<std::uint8_t, 4>{10, 0, 0, static_cast<std::uint8_t>(selector % 8)}};
}

ResourceId some_resource(std::uint8_t selector) {
    return ResourceId{Uuid{std::array<std::uint8_t, 16>{static_cast<std::uint8_t>(selector % 4)}}};
}

constexpr std::array<std::string_view, 6> kNames{"app.corp.example",        "www.example.org",
                                                 "use-application-dns.net", "1.0.96.100.in-addr.arpa",
                                                 "a.b.corp.example",        "."};
constexpr std::array<std::string_view, 6> kPatterns{"**.corp.example", "app.corp.example", "*", "***",
                                                    "*.example.org",   "?.b.corp.example"};

Bytes some_query(Input& input) {
    Bytes query;
    append_be(query, static_cast<std::uint16_t>(input.u8()));
    for (const auto value : {0x0100, 1, 0, 0, 0}) {
        append_be(query, static_cast<std::uint16_t>(value));
    }
    append(query, Name::parse(kNames[input.u8() % kNames.size()])->wire());
    append_be(query, static_cast<std::uint16_t>(std::array{1, 28, 12, 16, 33, 65}[input.u8() % 6]));
    append_be(query, std::uint16_t{1});
    if (const auto at = input.u8(); at != 0) {
        query[at % query.size()] ^= static_cast<std::byte>(input.u8());
    }
    return query;
}

bool is_tunnel_datagram(const Ask& asked) {
    return asked.transport == Transport::kUdp && std::holds_alternative<ViaTunnel>(asked.route);
}

class World {
public:
    void step(Input& input) {
        switch (input.u8() % 12) {
            case 0:
            case 1:
            case 2:
                ask(input);
                break;
            case 3:
            case 4:
                answer(input);
                break;
            case 5:
                pass(input.u8() * 100ms);
                break;
            case 6:
                change_resolvers(input);
                break;
            case 7:
                stub_.add_resource(some_resource(input.u8()), kPatterns[input.u8() % kPatterns.size()],
                                   static_cast<IpStack>(input.u8() % 3));
                break;
            case 8:
                stub_.remove_resource(some_resource(input.u8()), now_);
                break;
            case 9:
                change_site(input);
                break;
            case 10:
                break_something(input);
                break;
            default:
                stub_.set_tunnelled({some_server(input.u8()), some_server(input.u8())}, now_);
                break;
        }
        drain();
        require(stub_.pending() <= kHostQueries + kTunnelQueries);
        const auto next = stub_.poll_timeout();
        require(!next || *next > now_ || stub_.pending() > 0);
    }

    /// Everything ends by itself.
    void rest() {
        pass(kTunnelTimeout + 1s);
        std::erase_if(asks_, [](const auto& item) { return is_tunnel_datagram(item.second); });  // nothing to close
        require(stub_.pending() == 0 && asks_.empty() && !stub_.poll_timeout());
    }

private:
    void ask(Input& input) {
        const auto selector = input.u8();
        const auto& mappings = stub_.sentinels().mappings();
        Requester from{.client = {net::IpAddress{std::array<std::uint8_t, 4>{100, 64, 0, 1}}, ++client_port_},
                       .asked = {some_server(selector), kDnsPort},
                       .transport = static_cast<Transport>(selector % 2),
                       .connection = selector / 64U};
        if (!mappings.empty()) {
            from.asked.ip = mappings[selector % mappings.size()].sentinel;
        }
        const auto query = input.u8() % 8 == 0 ? input.some_bytes() : some_query(input);
        if (input.u8() % 8 == 0) {
            from.asked.port = kLlmnrPort;
            stub_.handle_llmnr(from, query, now_);
        } else {
            static_cast<void>(stub_.handle_query(from, query, now_));
        }
        waiting_[from.client.port] = from;
    }

    void answer(Input& input) {
        if (asks_.empty()) {
            return;
        }
        auto chosen = asks_.begin();
        std::advance(chosen, input.u8() % asks_.size());
        const auto asked = chosen->second;
        auto message = asked.message;
        message[2] |= std::byte{0x80};
        if (const auto type = input.u8(); type % 4 == 0) {
            message[7] = std::byte{1};
            append(message, input.some_bytes());
        }
        if (const auto at = input.u8(); at != 0) {
            message[at % message.size()] ^= static_cast<std::byte>(input.u8());
        }
        if (is_tunnel_datagram(asked)) {
            const auto& tunnel = std::get<ViaTunnel>(asked.route);
            const auto from =
                input.u8() % 4 == 0 ? net::SocketAddress{some_server(input.u8()), kDnsPort} : tunnel.server;
            input.u8() % 4 == 0 ? stub_.handle_tunnel_unreachable(from, tunnel.local_port, now_)
                                : stub_.handle_tunnel_datagram(from, tunnel.local_port, message, now_);
        } else {
            stub_.handle_response(asked.id, message, now_);
        }
    }

    void change_resolvers(Input& input) {
        PortalResolvers portal;
        std::vector<net::IpAddress> system;
        for (auto count = input.u8() % 4; count > 0; --count) {
            const auto selector = input.u8();
            if (selector % 3 == 0) {
                system.push_back(some_server(selector));
            } else if (selector % 3 == 1) {
                portal.do53.push_back({some_server(selector), kDnsPort});
            } else {
                portal.doh.push_back({"https://dns.example/" + std::to_string(selector % 2)});
            }
        }
        stub_.set_resolvers(portal, system, now_);
    }

    void change_site(Input& input) {
        const auto resource = some_resource(input.u8());
        if (input.u8() % 2 == 0) {
            stub_.handle_site_lost(resource);
        } else {
            stub_.handle_site_connected(resource, {some_server(0), some_server(3)}, now_);
        }
    }

    void break_something(Input& input) {
        switch (input.u8() % 3) {
            case 0:
                stub_.handle_network_reset(now_);
                break;
            case 1:
                stub_.handle_connection_closed(input.u8() % 4, now_);
                break;
            default:
                stub_.handle_failure(AskId{input.u8()}, now_);
                break;
        }
    }

    void pass(Duration duration) {
        const auto end = now_ + duration;
        for (auto next = stub_.poll_timeout(); next && *next <= end; next = stub_.poll_timeout()) {
            now_ = std::max(now_, *next);
            stub_.handle_timeout(now_);
            drain();
        }
        now_ = end;
    }

    void drain() {
        while (auto output = stub_.poll_output()) {
            std::visit(overloaded{[&](const Answer& answer) {
                                      require(Message::parse_response(answer.message).has_value());
                                      require(answer.to.transport == Transport::kTcp ||
                                              answer.message.size() <= kMaxUdpMessage);
                                      require(waiting_.erase(answer.to.client.port) == 1);
                                  },
                                  [&](const Ask& asked) { require(asks_.emplace(asked.id, asked).second); },
                                  [&](const StopAsking& stop) { require(asks_.erase(stop.id) == 1); },
                                  [&](const ConnectSite&) {}, [&](const NameAnswered&) {}},
                       *output);
        }
    }

    Instant now_{};
    StubResolver stub_{Rng::from_number(1)};
    std::map<AskId, Ask> asks_;
    std::map<std::uint16_t, Requester> waiting_;
    std::uint16_t client_port_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) {
        return 0;
    }
    Input input{data, size};
    World world;
    while (!input.empty()) {
        world.step(input);
    }
    world.rest();
    return 0;
}
