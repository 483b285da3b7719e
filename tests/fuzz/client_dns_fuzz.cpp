// The client's DNS among programs, a tunnel and a portal that may do anything: packets of any kind from both sides,
// right and broken, answers that are late, wrong or from elsewhere, changes at any time. Only packets that it may send
// come out, what it asks it stops asking, and it comes to rest.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <variant>
#include <vector>

#include "culvert/base/overloaded.h"
#include "culvert/dns/address_ranges.h"
#include "culvert/dns/constants.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tcp/message_reader.h"
#include "culvert/tunnel/client/dns/client_dns.h"
#include "input.h"

namespace {

using namespace culvert;
using namespace std::chrono_literals;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

using fuzz::Input;

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}
const auto kOwnV4 = ip("100.64.0.1");
const auto kOwnV6 = ip("fd00:2021:1111::1");
const auto& own(net::Family family) {
    return family == net::Family::kIpv4 ? kOwnV4 : kOwnV6;
}

constexpr std::array<std::string_view, 5> kNames{"app.corp.example", "www.example.org", "use-application-dns.net",
                                                 "1.0.96.100.in-addr.arpa", "."};
const std::array kServers{ip("10.0.0.53"), ip("10.0.0.54"), ip("2001:db8::53")};

/// Something in it is changed, or nothing.
void damage(Input& input, Bytes& bytes) {
    if (const auto at = input.u8(); at != 0 && !bytes.empty()) {
        bytes[at % bytes.size()] ^= static_cast<std::byte>(input.u8());
    }
}

Bytes some_query(Input& input) {
    Bytes query;
    append_be(query, static_cast<std::uint16_t>(input.u8()));
    for (const auto value : {0x0100, 1, 0, 0, 0}) {
        append_be(query, static_cast<std::uint16_t>(value));
    }
    append(query, dns::Name::parse(kNames[input.u8() % kNames.size()])->wire());
    append_be(query, static_cast<std::uint16_t>(std::array{1, 28, 12, 16, 33, 65}[input.u8() % 6]));
    append_be(query, std::uint16_t{1});
    damage(input, query);
    return query;
}

Bytes answer_to(Input& input, const Bytes& query) {
    auto message = query;
    message[2] |= std::byte{0x80};
    damage(input, message);
    return message;
}

class World {
public:
    World() { dns_.set_addresses(kOwnV4, kOwnV6, now_); }

    void step(Input& input) {
        switch (input.u8() % 10) {
            case 0:
            case 1:
                return query_over_udp(input);
            case 2:
            case 3:
                return segment_from_host(input);
            case 4:
                return anything(input);
            case 5:
                return answer_from_tunnel(input);
            case 6:
                return answer_from_host(input);
            case 7:
                return pass(input.u8() * 100ms);
            case 8:
                return change(input);
            default:
                return refuse(input);
        }
    }

    /// Everything ends by itself: queries in ten seconds, what is left of connections in less than two minutes.
    void rest() {
        pass(120s);
        require(asks_.empty() && !dns_.poll_timeout());
    }

private:
    net::IpAddress some_sentinel(Input& input) {
        const auto& mappings = dns_.sentinels().mappings();
        const auto selector = input.u8();
        return mappings.empty() || selector % 16 == 0 ? ip("100.100.111.77")
                                                      : mappings[selector % mappings.size()].sentinel;
    }

    void query_over_udp(Input& input) {
        auto to = some_sentinel(input);
        std::uint16_t port = dns::kDnsPort;
        if (const auto selector = input.u8(); selector % 8 == 0) {
            to = ip(selector % 16 == 0 ? "224.0.0.252" : "ff02::1:3");
            port = dns::kLlmnrPort;
        }
        const std::uint16_t from = static_cast<std::uint16_t>(1024 + input.u8() % 8);
        auto packet = packet::make_udp({own(to.family()), from}, {to, port}, some_query(input));
        damage(input, packet);
        packet::Offload offload;
        if (input.u8() % 8 == 0) {
            offload = {.kind = packet::Offload::Kind::kUdp, .segment_size = input.u8()};
        }
        from_host(std::move(packet), offload);
    }

    /// Of a connection that answers what it was told last.
    void segment_from_host(Input& input) {
        const auto to = some_sentinel(input);
        const auto port = static_cast<std::uint16_t>(2000 + input.u8() % 4);
        auto& connection = connections_[{to, port}];
        constexpr std::array<std::uint8_t, 6> kFlags{
            packet::kTcpSyn, packet::kTcpAck, packet::kTcpAck, packet::kTcpAck, packet::kTcpAck | packet::kTcpFin,
            packet::kTcpRst};
        const auto flags = kFlags[input.u8() % kFlags.size()];
        Bytes payload;
        if (flags == packet::kTcpAck && input.u8() % 4 != 0) {
            payload = tcp::with_length(some_query(input));
        }
        auto packet = packet::make_tcp({own(to.family()), port}, {to, dns::kDnsPort},
                                       {.sequence = connection.sequence + input.u8() % 2,
                                        .acknowledgement = connection.acknowledgement,
                                        .flags = flags},
                                       payload);
        connection.sequence += static_cast<std::uint32_t>(payload.size()) + (flags == packet::kTcpSyn ? 1 : 0);
        damage(input, packet);
        from_host(std::move(packet), {});
    }

    void anything(Input& input) {
        const bool is_from_host = input.u8() % 2 == 0;
        auto bytes = input.some_bytes();
        if (is_from_host) {
            from_host(std::move(bytes), {});
        } else {
            from_tunnel(std::move(bytes));
        }
    }

    void answer_from_tunnel(Input& input) {
        if (sent_.empty()) {
            return;
        }
        auto sent = sent_[input.u8() % sent_.size()];
        const auto packet = packet::IpPacket::parse(sent).value();
        net::SocketAddress from{packet.destination(), packet.destination_port()};
        if (input.u8() % 8 == 0) {
            from.port ^= 1U;
        }
        const net::SocketAddress to{packet.source(), packet.source_port()};
        if (packet.is_udp()) {
            return from_tunnel(packet::make_udp(from, to, answer_to(input, to_bytes(packet.payload()))));
        }
        const bool is_syn = (packet.tcp_flags() & packet::kTcpSyn) != 0;
        Bytes payload;
        if (packet.payload().size() > 14) {
            payload = tcp::with_length(answer_to(input, to_bytes(packet.payload().subspan(2))));
        }
        const auto next =
            packet.tcp_sequence() + static_cast<std::uint32_t>(packet.payload().size()) + (is_syn ? 1 : 0);
        from_tunnel(packet::make_tcp(
            from, to,
            {.sequence = load_be<std::uint32_t>(packet.l4().subspan(8)),
             .acknowledgement = next,
             .flags = static_cast<std::uint8_t>(packet::kTcpAck | (is_syn ? packet::kTcpSyn : std::uint8_t{0}))},
            payload));
    }

    void refuse(Input& input) {
        if (sent_.empty()) {
            return;
        }
        const auto& sent = sent_[input.u8() % sent_.size()];
        auto about = sent;
        damage(input, about);
        const bool is_v4 = (sent[0] >> 4) == std::byte{4};
        auto bytes = is_v4 ? packet::make_icmp(kServers[0], kOwnV4, 3, 1, 0, about)
                           : packet::make_icmp(kServers[2], kOwnV6, 1, 0, 0, about);
        const auto packet = packet::IpPacket::parse(bytes);
        if (!packet) {
            return;
        }
        if (const auto error = packet::inspect_icmp_error(*packet); error && *error) {
            dns_.handle_icmp_error(**error, now_);
        }
        drain();
    }

    void answer_from_host(Input& input) {
        if (asks_.empty()) {
            return;
        }
        auto chosen = asks_.begin();
        std::advance(chosen, input.u8() % asks_.size());
        const auto asked = chosen->second;
        if (input.u8() % 4 == 0) {
            dns_.handle_failure(asked.id, now_);
        } else {
            dns_.handle_response(asked.id, answer_to(input, asked.message), now_);
        }
        drain();
    }

    void change(Input& input) {
        const ResourceId resource{Uuid{std::array<std::uint8_t, 16>{static_cast<std::uint8_t>(input.u8() % 3)}}};
        switch (input.u8() % 7) {
            case 0: {
                dns::PortalResolvers portal;
                portal.do53.push_back({kServers[input.u8() % 3], dns::kDnsPort});
                portal.do53.push_back({kServers[input.u8() % 3], dns::kDnsPort});
                dns_.set_resolvers(portal, {}, now_);
                break;
            }
            case 1:
                dns_.set_resolvers({}, kServers, now_);
                break;
            case 2:
                dns_.set_tunnelled({{kServers[input.u8() % 3], resource}, {kServers[input.u8() % 3], resource}}, now_);
                break;
            case 3:
                dns_.add_resource(resource, "**.corp.example", dns::IpStack::kDual);
                break;
            case 4:
                dns_.remove_resource(resource, now_);
                break;
            case 5:
                dns_.handle_site_connected(resource, {kServers[0], kServers[2]}, now_);
                break;
            default:
                input.u8() % 2 == 0 ? dns_.handle_network_reset(now_) : dns_.handle_site_lost(resource);
                break;
        }
        drain();
    }

    void from_host(Bytes bytes, const packet::Offload& offload) {
        const auto packet = packet::IpPacket::parse(bytes, packet::kMaxSuperPacket);
        // Of others the tunnel takes nothing.
        if (packet && packet->source() == own(packet->source().family())) {
            const bool is_taken = dns_.handle_packet_from_host(*packet, offload, now_);
            require(is_taken || !dns::is_sentinel_address(packet->destination()));
            drain();
        }
    }
    void from_tunnel(Bytes bytes) {
        if (const auto packet = packet::IpPacket::parse(bytes)) {
            dns_.handle_packet_from_tunnel(*packet, now_);
            drain();
        }
    }

    void pass(Duration duration) {
        const auto end = now_ + duration;
        for (auto next = dns_.poll_timeout(); next && *next <= end; next = dns_.poll_timeout()) {
            now_ = std::max(now_, *next);
            dns_.handle_timeout(now_);
            drain();
        }
        now_ = end;
    }

    void drain() {
        while (auto bytes = dns_.poll_to_host()) {
            const auto packet = packet::IpPacket::parse(*bytes);
            require(packet && packet->checksums_are_valid());
            require(dns::is_sentinel_address(packet->source()));
            require(packet->destination() == own(packet->destination().family()));
            if (packet->is_tcp()) {
                auto& connection = connections_[{packet->source(), packet->destination_port()}];
                const bool is_syn = (packet->tcp_flags() & packet::kTcpSyn) != 0;
                connection.acknowledgement =
                    packet->tcp_sequence() + static_cast<std::uint32_t>(packet->payload().size()) + (is_syn ? 1 : 0);
                connection.sequence = load_be<std::uint32_t>(packet->l4().subspan(8));
            }
        }
        while (auto bytes = dns_.poll_to_tunnel()) {
            const auto packet = packet::IpPacket::parse(*bytes);
            require(packet && packet->checksums_are_valid());
            require(packet->source() == own(packet->source().family()));
            require(packet->source_port() >= dns::kFirstTunnelPort);
            sent_.push_back(std::move(*bytes));
            if (sent_.size() > 64) {
                sent_.erase(sent_.begin());
            }
        }
        while (auto event = dns_.poll_event()) {
            std::visit(overloaded{[&](dns::Ask& asked) {
                                      require(!std::holds_alternative<dns::ViaTunnel>(asked.route));
                                      require(asks_.emplace(asked.id, asked).second);
                                  },
                                  [&](const dns::StopAsking& stop) { require(asks_.erase(stop.id) == 1); },
                                  [&](const dns::ConnectSite&) {}, [&](const dns::NameAnswered&) {}},
                       *event);
        }
    }

    struct Connection {
        std::uint32_t sequence = 0;
        std::uint32_t acknowledgement = 0;
    };

    Instant now_{};
    tunnel::ClientDns dns_{Rng::from_number(1)};
    std::map<dns::AskId, dns::Ask> asks_;
    std::map<net::SocketAddress, Connection> connections_;
    std::vector<Bytes> sent_;
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
