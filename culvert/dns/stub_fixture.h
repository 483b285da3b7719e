#pragma once

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/overloaded.h"
#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/dns/constants.h"
#include "culvert/dns/stub_resolver.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {

/// A stub resolver whose outputs are collected, for tests. Asked from 100.64.0.1, and at first with two resolvers of
/// the system: 100.100.111.1 stands for 192.0.2.1, and .2 for 192.0.2.2.
class StubFixture : public testing::Test {
protected:
    StubFixture() { set_system({"192.0.2.1", "192.0.2.2"}); }

    static net::SocketAddress socket(std::string_view text) { return net::SocketAddress::parse(text).value(); }
    static ResourceId id(std::uint8_t number) { return ResourceId{Uuid{std::array<std::uint8_t, 16>{number}}}; }

    bool set_system(std::initializer_list<std::string_view> servers) {
        std::vector<net::IpAddress> addresses;
        for (const auto server : servers) {
            addresses.push_back(test::ip(server));
        }
        const bool did_change = stub.set_resolvers({}, addresses, now);
        drain();
        return did_change;
    }
    bool set_portal(std::initializer_list<std::string_view> servers) {
        PortalResolvers portal;
        for (const auto server : servers) {
            portal.do53.push_back(socket(server));
        }
        const bool did_change = stub.set_resolvers(portal, {}, now);
        drain();
        return did_change;
    }

    static Requester over_udp(std::string_view sentinel = "100.100.111.1", std::uint16_t port = 40'000) {
        return {.client = {test::ip("100.64.0.1"), port}, .asked = {test::ip(sentinel), kDnsPort}};
    }
    static Requester over_tcp(std::string_view sentinel = "100.100.111.1", std::uint64_t connection = 1) {
        return {.client = {test::ip("100.64.0.1"), 41'000},
                .asked = {test::ip(sentinel), kDnsPort},
                .transport = Transport::kTcp,
                .connection = connection};
    }

    void ask(const Requester& from, const Bytes& query) {
        EXPECT_TRUE(stub.handle_query(from, query, now));
        drain();
    }
    void ask(std::string_view name, RecordType type = RecordType::kA) { ask(over_udp(), test::query(name, type)); }

    /// The server answers as it was asked, with this record.
    void respond(const Ask& asked, std::string_view address = "198.51.100.7", std::uint32_t ttl = 1) {
        const auto name = Message::parse_query(asked.message)->question().name.to_string();
        stub.handle_response(asked.id, test::response(asked.message, {test::a_record(name, ttl, address)}), now);
        drain();
    }
    void fail(const Ask& asked) {
        stub.handle_failure(asked.id, now);
        drain();
    }
    void pass(Duration duration) {
        const auto end = now + duration;
        while (const auto next = stub.poll_timeout()) {
            if (*next > end) {
                break;
            }
            now = std::max(now, *next);
            stub.handle_timeout(now);
            drain();
        }
        now = end;
        contract::expect_spurious_timeout_is_invisible(stub, now);
    }

    void drain() {
        while (auto output = stub.poll_output()) {
            std::visit(overloaded{[&](Answer& answer) { answers.push_back(std::move(answer)); },
                                  [&](Ask& asked) { asks.push_back(std::move(asked)); },
                                  [&](const StopAsking& stop) { stopped.insert(stop.id); },
                                  [&](const ConnectSite& site) { sites.push_back(site.resource); },
                                  [&](const NameAnswered& answered) { names.push_back(answered.name.to_string()); }},
                       *output);
        }
    }

    /// What was answered since this was asked last.
    std::string take_answers() {
        std::string text;
        for (const auto& answer : std::exchange(answers, {})) {
            text += (text.empty() ? "" : ", ") + test::summary(answer.message);
        }
        return text;
    }
    /// Where queries went since this was asked last: "host udp 192.0.2.1:53".
    std::string take_routes() {
        std::string text;
        for (const auto& asked : std::exchange(asks, {})) {
            text += (text.empty() ? "" : ", ") + route_of(asked);
        }
        return text;
    }
    Ask take_ask() {
        auto first = asks.at(0);
        asks.erase(asks.begin());
        return first;
    }
    static std::string route_of(const Ask& asked) {
        const std::string transport = asked.transport == Transport::kUdp ? " udp " : " tcp ";
        return std::visit(
            overloaded{[&](const ViaHost& host) { return "host" + transport + host.server.to_string(); },
                       [&](const ViaTunnel& tunnel) { return "tunnel" + transport + tunnel.server.to_string(); },
                       [&](const DohServer& doh) { return doh.url; }},
            asked.route);
    }

    Instant now{};
    StubResolver stub{Rng::from_number(1)};
    std::vector<Answer> answers;
    std::vector<Ask> asks;
    std::set<AskId> stopped;
    std::vector<ResourceId> sites;
    std::vector<std::string> names;
};

}  // namespace culvert::dns
