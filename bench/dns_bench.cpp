// What the stub resolver costs for a query: answered here among few and many resources, from the cache, and passed on.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <benchmark/benchmark.h>

#include "culvert/dns/constants.h"
#include "culvert/dns/stub_resolver.h"

namespace {

using namespace culvert;
using namespace culvert::dns;

Bytes query_for(std::string_view name) {
    Bytes query;
    for (const auto value : {7, 0x0100, 1, 0, 0, 0}) {
        append_be(query, static_cast<std::uint16_t>(value));
    }
    append(query, Name::parse(name).value().wire());
    append_be(query, static_cast<std::uint16_t>(RecordType::kA));
    append_be(query, kClassIn);
    return query;
}

/// With an address of 60 s.
Bytes response_to(const Bytes& query) {
    auto response = query;
    response[2] |= std::byte{0x80};
    response[7] = std::byte{1};
    append(response, from_hex("c00c000100010000003c0004c0000201").value());
    return response;
}

struct Stub {
    explicit Stub(unsigned resources) {
        resolver.set_resolvers({}, std::vector{net::IpAddress::parse("192.0.2.1").value()}, now);
        auto rng = Rng::from_number(2);
        for (unsigned i = 0; i < resources; ++i) {
            const std::string_view kind = i % 3 == 0 ? "host" : i % 3 == 1 ? "*.site" : "**.dev";
            resolver.add_resource(ResourceId::random(rng), std::string{kind} + std::to_string(i) + ".corp.example",
                                  IpStack::kDual);
        }
    }

    /// Asks, and answers what comes out with `response` unless that is empty.
    void ask(const Bytes& query, const Bytes& response) {
        benchmark::DoNotOptimize(resolver.handle_query(from, query, now));
        while (const auto output = resolver.poll_output()) {
            if (const auto* asked = std::get_if<Ask>(&*output)) {
                resolver.handle_response(asked->id, with_id(response, load_be<std::uint16_t>(asked->message)), now);
            }
        }
    }

    Instant now{};
    StubResolver resolver{Rng::from_number(1)};
    const Requester from{.client = net::SocketAddress::parse("100.64.0.1:40000").value(),
                         .asked = net::SocketAddress::parse("100.100.111.1:53").value()};
};

void answered_here(benchmark::State& state) {
    Stub stub{static_cast<unsigned>(state.range(0))};
    const auto query = query_for("a.b.dev8.corp.example");
    for (auto _ : state) {
        stub.ask(query, {});
    }
}
BENCHMARK(answered_here)->Arg(10)->Arg(1000)->Arg(10'000);

void from_the_cache(benchmark::State& state) {
    Stub stub{10};
    const auto query = query_for("www.example.org");
    const auto response = response_to(query);
    for (auto _ : state) {
        stub.ask(query, response);
    }
}
BENCHMARK(from_the_cache);

void passed_on(benchmark::State& state) {
    Stub stub{10};
    const auto query = query_for("www.example.org");
    auto response = response_to(query);
    response[3] = std::byte{3};  // what does not exist is not remembered
    for (auto _ : state) {
        stub.ask(query, response);
    }
}
BENCHMARK(passed_on);

}  // namespace
