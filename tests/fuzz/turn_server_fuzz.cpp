// The TURN server under arbitrary traffic: datagrams from clients, some of them signed with valid credentials around
// mutated attributes, data from peers, sockets that cannot be opened, and time that passes.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"
#include "culvert/turn/server/credentials.h"
#include "culvert/turn/server/server.h"
#include "input.h"

namespace culvert::turn {
namespace {

constexpr std::string_view kStampSecret = "9f2c5be1a7d04836c1e85f7093bd4aa26e7f01d3c85b294ae0637c1f5d8ab4e2";
constexpr std::string_view kUsername = "9999999999:salt";

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

net::SocketAddress client_address(std::uint8_t choice) {
    const net::IpAddress v4{std::array<std::uint8_t, 4>{198, 51, 100, 1}};
    const net::IpAddress v6{std::array<std::uint8_t, 16>{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    return {(choice & 1) != 0 ? v6 : v4, static_cast<std::uint16_t>(1000 + (choice >> 1) % 4)};
}

net::SocketAddress peer_address(std::uint8_t choice) {
    return {client_address(choice).ip, static_cast<std::uint16_t>(7000 + (choice >> 1) % 4)};
}

/// A well-signed request whose attributes come from the input.
Bytes signed_request(fuzz::Input& input, const Uuid& nonce) {
    constexpr std::array kMethods{stun::Method::kAllocate, stun::Method::kRefresh, stun::Method::kChannelBind,
                                  stun::Method::kCreatePermission};
    stun::MessageBuilder builder{stun::Class::kRequest, kMethods[input.u8() % kMethods.size()], {}};
    const auto shape = input.u8();
    if ((shape & 64) != 0) {
        builder.raw(stun::AttributeType::kSoftware, input.take(4));  // else it is one that was handled before
    }
    if ((shape & 1) != 0) {
        builder.requested_transport((shape & 2) != 0 ? input.u8() : stun::kTransportUdp);
    }
    if ((shape & 4) != 0) {
        builder.address_family(stun::AttributeType::kAdditionalAddressFamily, net::Family::kIpv6);
    }
    if ((shape & 8) != 0) {
        builder.u32(stun::AttributeType::kLifetime, input.u8());
    }
    if ((shape & 16) != 0) {
        builder.channel_number(static_cast<std::uint16_t>(0x4000 + input.u8() % 4))
            .address(stun::AttributeType::kXorPeerAddress, peer_address(input.u8()));
    }
    if ((shape & 32) != 0) {
        const auto type = static_cast<stun::AttributeType>((input.u8() << 8) | input.u8());
        builder.raw(type, input.take(input.u8() % 40));
    }
    const auto key = relay_key(*RelayUsername::parse(kUsername), kStampSecret);
    return builder.text(stun::AttributeType::kUsername, kUsername)
        .text(stun::AttributeType::kNonce, nonce.to_string())
        .integrity(key.reveal())
        .build();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input{data, size};
    const auto setup = input.u8();
    ServerConfig config;
    if (setup % 3 != 0) {
        config.public_v4 = client_address(0).ip;
    }
    if (setup % 3 != 1) {
        config.public_v6 = client_address(1).ip;
    }
    config.lowest_port = 50000;
    config.highest_port = static_cast<std::uint16_t>(50000 + setup % 5);
    Server server{config, std::string{kStampSecret}, Rng::from_number(setup)};
    Instant now{};
    WallTime wall_now{std::chrono::seconds{1'763'000'000}};

    while (!input.empty()) {
        const auto action = input.u8();
        const auto client = client_address(action >> 3);
        switch (action & 7) {
            case 0:
            case 1: {
                (void)server.handle_client_input(signed_request(input, server.make_nonce(client, now)), client, now,
                                                 wall_now);
                break;
            }
            case 2:
            case 3: {
                const auto datagram = input.take(input.u8());
                if (const auto to = server.handle_client_input(datagram, client, now, wall_now)) {
                    require(to->payload.size() + 4 <= datagram.size());
                    require(to->payload.empty() || (to->payload.data() >= datagram.data() + 4 &&
                                                    to->payload.data() < datagram.data() + datagram.size()));
                }
                break;
            }
            case 4: {
                const auto peer = peer_address(input.u8());
                const auto port = static_cast<std::uint16_t>(50000 + input.u8() % 6);
                if (const auto to = server.handle_peer_input(peer, port, 10)) {
                    require(to->channel >= 0x4000 && to->channel <= 0x4fff);
                }
                break;
            }
            case 5:
                server.handle_allocation_failed(
                    static_cast<std::uint16_t>(config.lowest_port + input.u8() % (1 + setup % 5)), now);
                break;
            case 6:
                now += std::chrono::seconds{input.u8()};
                wall_now += std::chrono::seconds{1};
                break;
            default:
                server.handle_timeout(now);
                require(!server.poll_timeout() || *server.poll_timeout() > now);
                break;
        }
        while (const auto command = server.poll_command()) {
            if (const auto* response = std::get_if<SendMessage>(&*command)) {
                require(stun::Message::parse(response->payload).has_value());
                require(response->payload.size() < 256);
            }
        }
        require(server.allocations() <= std::size_t{5});
    }
    return 0;
}

}  // namespace culvert::turn
