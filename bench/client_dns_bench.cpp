// What the client's DNS costs for a query of a program, from packet to packet: a name of a resource among few and many
// of them, one of many names, one from the cache, and one that is passed on.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <benchmark/benchmark.h>

#include "culvert/dns/constants.h"
#include "culvert/packet/builder.h"
#include "culvert/tunnel/client/dns/client_dns.h"

namespace {

using namespace culvert;

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

Bytes query_packet(std::string_view name) {
    Bytes query;
    for (const auto value : {7, 0x0100, 1, 0, 0, 0}) {
        append_be(query, static_cast<std::uint16_t>(value));
    }
    append(query, dns::Name::parse(name).value().wire());
    append_be(query, static_cast<std::uint16_t>(dns::RecordType::kA));
    append_be(query, dns::kClassIn);
    return packet::make_udp({ip("100.64.0.1"), 40'000}, {ip("100.100.111.1"), dns::kDnsPort}, query);
}

class Client {
public:
    explicit Client(unsigned resources) {
        client_.set_addresses(ip("100.64.0.1"), ip("fd00:2021:1111::1"), now_);
        client_.set_resolvers({}, std::vector{ip("192.0.2.1")}, now_);
        auto rng = Rng::from_number(2);
        for (unsigned i = 0; i < resources; ++i) {
            const std::string_view kind = i % 3 == 0 ? "host" : i % 3 == 1 ? "*.site" : "**.dev";
            client_.add_resource(ResourceId::random(rng), std::string{kind} + std::to_string(i) + ".corp.example",
                                 dns::IpStack::kDual);
        }
    }

    /// A packet in, and whatever comes out. What is passed on is answered with the response code.
    void ask(Bytes& packet, unsigned response_code) {
        const auto parsed = packet::IpPacket::parse(packet);
        benchmark::DoNotOptimize(client_.handle_packet_from_host(*parsed, {}, now_));
        while (auto event = client_.poll_event()) {
            if (const auto* asked = std::get_if<dns::Ask>(&*event)) {
                respond(*asked, response_code);
            }
        }
        while (auto answer = client_.poll_to_host()) {
            benchmark::DoNotOptimize(answer->data());
        }
    }

private:
    void respond(const dns::Ask& asked, unsigned response_code) {
        auto response = asked.message;
        response[2] |= std::byte{0x80};
        response[3] |= static_cast<std::byte>(response_code);
        response[7] = std::byte{1};
        append(response, from_hex("c00c000100010000003c0004c0000201").value());
        client_.handle_response(asked.id, response, now_);
    }

    Instant now_{};
    tunnel::ClientDns client_{Rng::from_number(1)};
};

void count_queries(benchmark::State& state) {
    state.SetItemsProcessed(state.iterations());
}

void name_of_a_resource(benchmark::State& state) {
    Client client{static_cast<unsigned>(state.range(0))};
    auto packet = query_packet("a.b.dev8.corp.example");
    for (auto _ : state) {
        client.ask(packet, 0);
    }
    count_queries(state);
}
BENCHMARK(name_of_a_resource)->Arg(10)->Arg(1000)->Arg(10'000);

void many_names(benchmark::State& state) {
    Client client{1000};
    std::vector<Bytes> packets;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        packets.push_back(query_packet("www-" + std::to_string(i) + ".eu-central.dev8.corp.example"));
    }
    std::size_t next = 0;
    for (auto _ : state) {
        client.ask(packets[next], 0);
        next = (next + 1) % packets.size();
    }
    count_queries(state);
}
BENCHMARK(many_names)->Arg(1000)->Arg(100'000);

void from_the_cache(benchmark::State& state) {
    Client client{10};
    auto packet = query_packet("www.example.org");
    for (auto _ : state) {
        client.ask(packet, 0);
    }
    count_queries(state);
}
BENCHMARK(from_the_cache);

void passed_on(benchmark::State& state) {
    Client client{10};
    auto packet = query_packet("www.example.org");
    for (auto _ : state) {
        client.ask(packet, 3);  // what does not exist is not remembered
    }
    count_queries(state);
}
BENCHMARK(passed_on);

}  // namespace
