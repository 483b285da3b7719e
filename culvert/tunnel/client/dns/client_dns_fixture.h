#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/deadlines.h"
#include "culvert/base/overloaded.h"
#include "culvert/dns/constants.h"
#include "culvert/dns/test_messages.h"
#include "culvert/packet/builder.h"
#include "culvert/tcp/endpoints.h"
#include "culvert/tcp/message_reader.h"
#include "culvert/tunnel/client/dns/client_dns.h"

namespace culvert::tunnel {

/// The client's DNS between the programs of its machine and what lies behind the tunnel, for tests. Asked from
/// 100.64.0.1 and fd00:2021:1111::1; at first with two resolvers of the system: 100.100.111.1 stands for 192.0.2.1, and
/// fd00:2021:1111:8000:100:100:111:0 for 2001:db8::1.
class ClientDnsFixture : public testing::Test {
protected:
    static constexpr std::string_view kSentinel = "100.100.111.1";
    static constexpr std::string_view kSentinelV6 = "fd00:2021:1111:8000:100:100:111:0";
    /// After set_portal(): the first change renumbers.
    static constexpr std::string_view kPortalSentinel = "100.100.111.2";

    ClientDnsFixture() {
        client_dns.set_addresses(own(net::Family::kIpv4), own(net::Family::kIpv6), now);
        client_dns.set_resolvers({}, std::vector{ip("192.0.2.1"), ip("2001:db8::1")}, now);
    }

    static net::IpAddress ip(std::string_view text) { return dns::test::ip(text); }
    static net::SocketAddress socket(std::string_view text) { return net::SocketAddress::parse(text).value(); }
    static ResourceId id(std::uint8_t number) { return ResourceId{Uuid{std::array<std::uint8_t, 16>{number}}}; }
    static net::IpAddress own(net::Family family) {
        return ip(family == net::Family::kIpv4 ? "100.64.0.1" : "fd00:2021:1111::1");
    }

    /// The portal's resolver 10.0.0.53 instead of the system's, inside resource 9.
    void set_portal() {
        client_dns.set_resolvers({.do53 = {socket("10.0.0.53:53")}}, {}, now);
        client_dns.set_tunnelled({{ip("10.0.0.53"), id(9)}}, now);
    }

    // --- UDP ---

    bool packet_from_host(Bytes packet, const packet::Offload& offload = {}) {
        const auto parsed = packet::IpPacket::parse(packet, packet::kMaxSuperPacket);
        EXPECT_TRUE(parsed.has_value());
        const bool is_taken = client_dns.handle_packet_from_host(*parsed, offload, now);
        exchange();
        return is_taken;
    }
    bool packet_from_tunnel(Bytes packet) {
        const auto parsed = packet::IpPacket::parse(packet);
        EXPECT_TRUE(parsed.has_value());
        const bool is_taken = client_dns.handle_packet_from_tunnel(*parsed, now);
        exchange();
        return is_taken;
    }
    bool datagram(std::string_view to, std::uint16_t port, ByteSpan message, std::uint16_t from = 40'000) {
        const auto address = ip(to);
        return packet_from_host(packet::make_udp({own(address.family()), from}, {address, port}, message));
    }
    void ask(std::string_view name, dns::RecordType type = dns::RecordType::kA, std::string_view sentinel = kSentinel) {
        EXPECT_TRUE(datagram(sentinel, dns::kDnsPort, dns::test::query(name, type)));
    }

    // --- TCP ---

    tcp::ConnectionId connect(std::string_view sentinel = kSentinel, std::uint16_t port = dns::kDnsPort) {
        const auto address = ip(sentinel);
        const auto connection = programs.connect(own(address.family()), {address, port}, now).value();
        exchange();
        return connection;
    }
    void say(tcp::ConnectionId connection, ByteSpan message) {
        EXPECT_TRUE(programs.write(connection, tcp::with_length(message), now));
        exchange();
    }
    std::vector<Bytes> hear(tcp::ConnectionId connection) { return read_messages(programs, readers, connection); }
    /// "NOERROR 100.96.0.1, SERVFAIL"
    std::string hear_answers(tcp::ConnectionId connection) {
        std::string text;
        for (const auto& message : hear(connection)) {
            text += (text.empty() ? "" : ", ") + dns::test::summary(message);
        }
        return text;
    }

    // --- Outputs ---

    /// What came for programs over UDP since this was asked last: "100.100.111.1:53 NOERROR 100.96.0.1".
    std::string take_datagrams() {
        std::string text;
        for (auto& bytes : std::exchange(datagrams, {})) {
            const auto packet = packet::IpPacket::parse(bytes).value();
            EXPECT_TRUE(packet.checksums_are_valid());
            EXPECT_EQ(packet.destination(), own(packet.is_v4() ? net::Family::kIpv4 : net::Family::kIpv6));
            text += (text.empty() ? "" : ", ") + net::SocketAddress{packet.source(), packet.source_port()}.to_string() +
                    ' ' + dns::test::summary(packet.payload());
        }
        return text;
    }
    /// Asks that went to the host's network: "192.0.2.1:53 udp".
    std::string take_asks() {
        std::string text;
        for (const auto& asked : std::exchange(asks, {})) {
            text += (text.empty() ? "" : ", ") +
                    std::visit(overloaded{[](const dns::ViaHost& host) { return host.server.to_string(); },
                                          [](const dns::ViaTunnel&) { return std::string{"tunnel"}; },
                                          [](const dns::DohServer& doh) { return doh.url; }},
                               asked.route) +
                    (asked.transport == dns::Transport::kUdp ? " udp" : " tcp");
        }
        return text;
    }
    dns::Ask take_ask() {
        auto asked = asks.at(0);
        asks.erase(asks.begin());
        return asked;
    }
    /// A query over UDP that went into the tunnel.
    struct Tunnelled {
        net::SocketAddress from;
        net::SocketAddress to;
        Bytes message;
    };
    Tunnelled take_tunnelled() {
        auto bytes = tunnelled.at(0);
        tunnelled.erase(tunnelled.begin());
        const auto packet = packet::IpPacket::parse(bytes).value();
        EXPECT_TRUE(packet.checksums_are_valid());
        return {{packet.source(), packet.source_port()},
                {packet.destination(), packet.destination_port()},
                to_bytes(packet.payload())};
    }

    /// Until nothing is on its way any more, without time passing.
    void exchange() {
        for (bool is_moving = true; is_moving;) {
            is_moving = false;
            while (auto packet = programs.poll_transmit()) {
                is_moving = true;
                const auto parsed = packet::IpPacket::parse(*packet).value();
                EXPECT_TRUE(client_dns.handle_packet_from_host(parsed, {}, now));
            }
            while (auto packet = servers.poll_transmit()) {
                is_moving = true;
                EXPECT_TRUE(client_dns.handle_packet_from_tunnel(packet::IpPacket::parse(*packet).value(), now));
            }
            while (auto packet = client_dns.poll_to_host()) {
                is_moving = true;
                const auto parsed = packet::IpPacket::parse(*packet).value();
                if (parsed.is_tcp()) {
                    programs.handle_packet(parsed, tcp::Checksums::kVerify, now);
                } else {
                    datagrams.push_back(std::move(*packet));
                }
            }
            while (auto packet = client_dns.poll_to_tunnel()) {
                is_moving = true;
                const auto parsed = packet::IpPacket::parse(*packet).value();
                if (parsed.is_tcp()) {
                    servers.handle_packet(parsed, tcp::Checksums::kVerify, now);
                } else {
                    tunnelled.push_back(std::move(*packet));
                }
            }
            is_moving |= take_events();
        }
    }
    void pass(Duration duration) {
        const auto end = now + duration;
        while (true) {
            exchange();
            const auto next = earliest(client_dns.poll_timeout(), programs.poll_timeout(), servers.poll_timeout());
            if (!next || *next > end) {
                break;
            }
            now = std::max(now, *next);
            client_dns.handle_timeout(now);
            programs.handle_timeout(now);
            servers.handle_timeout(now);
        }
        now = end;
    }

    using Readers = std::map<tcp::ConnectionId, tcp::MessageReader>;
    std::vector<Bytes> read_messages(tcp::Endpoints& end, Readers& parts, tcp::ConnectionId connection) {
        std::vector<Bytes> messages;
        while (!end.readable(connection).empty()) {
            std::size_t taken = 0;
            if (auto message = parts[connection].read(end.readable(connection), taken)) {
                messages.push_back(std::move(*message));
            }
            end.consume(connection, taken, now);
        }
        return messages;
    }

    Instant now = Instant{} + std::chrono::seconds{1};
    ClientDns client_dns{Rng::from_number(1)};
    /// The programs' connections to sentinels, and those of resolvers behind the tunnel.
    tcp::Endpoints programs{{}, Rng::from_number(2)};
    tcp::Endpoints servers{{}, Rng::from_number(3)};
    Readers readers;
    Readers server_readers;

    std::map<tcp::ConnectionId, tcp::Signal> signals;
    std::vector<std::pair<tcp::ConnectionId, Bytes>> streamed;  // queries that servers were asked over TCP
    std::vector<Bytes> datagrams;
    std::vector<Bytes> tunnelled;
    std::vector<dns::Ask> asks;
    std::vector<dns::AskId> stopped;
    std::vector<ResourceId> sites;
    std::vector<std::string> names;

private:
    bool take_events() {
        bool found = false;
        while (const auto event = programs.poll_event()) {
            found = true;
            signals[event->connection] = event->signal;
        }
        while (const auto event = servers.poll_event()) {
            found = true;
            for (auto& message : read_messages(servers, server_readers, event->connection)) {
                streamed.emplace_back(event->connection, std::move(message));
            }
            if (event->signal == tcp::Signal::kPeerClosed) {
                servers.close(event->connection, now);
            }
        }
        while (auto event = client_dns.poll_event()) {
            found = true;
            std::visit(
                overloaded{[&](dns::Ask& asked) { asks.push_back(std::move(asked)); },
                           [&](const dns::StopAsking& stop) { stopped.push_back(stop.id); },
                           [&](const dns::ConnectSite& site) { sites.push_back(site.resource); },
                           [&](const dns::NameAnswered& answered) { names.push_back(answered.name.to_string()); }},
                *event);
        }
        return found;
    }
};

}  // namespace culvert::tunnel
