#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"
#include "culvert/turn/server/credentials.h"
#include "culvert/turn/server/server.h"

/// A server under a clock of its own, and requests as clients make them. For tests.
namespace culvert::turn::test {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::Class;
using stun::Method;

inline const std::string kStampSecret = "9f2c5be1a7d04836c1e85f7093bd4aa26e7f01d3c85b294ae0637c1f5d8ab4e2";
inline constexpr WallTime kWallStart{std::chrono::seconds{1'763'000'000}};
inline const net::IpAddress kPublicV4 = *net::IpAddress::parse("203.0.113.50");
inline const net::IpAddress kPublicV6 = *net::IpAddress::parse("2001:db8:50::1");

inline net::SocketAddress at(std::string_view text) {
    return *net::SocketAddress::parse(text);
}
inline net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

/// Hexadecimal digits with white space between them.
inline Bytes hex(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c != ' ' && c != '\n') {
            digits += c;
        }
    }
    return *from_hex(digits);
}

inline ServerConfig dual_stack() {
    return {.public_v4 = kPublicV4, .public_v6 = kPublicV6};
}
inline ServerConfig only_v4() {
    return {.public_v4 = kPublicV4};
}
inline ServerConfig only_v6() {
    return {.public_v6 = kPublicV6};
}
inline ServerConfig with_ports(ServerConfig config, std::uint16_t lowest, std::uint16_t highest) {
    config.lowest_port = lowest;
    config.highest_port = highest;
    return config;
}

/// A request before it is signed.
struct RequestSpec {
    Method method = Method::kAllocate;
    std::optional<std::uint8_t> transport;
    std::optional<net::Family> requested_family;
    std::optional<net::Family> additional_family;
    std::optional<std::uint32_t> lifetime;
    std::optional<std::uint16_t> channel;
    std::optional<net::SocketAddress> peer;
    std::vector<AttributeType> extra_flags;
};

inline RequestSpec allocate() {
    return {.method = Method::kAllocate, .transport = stun::kTransportUdp};
}
inline RequestSpec allocate(std::uint32_t lifetime) {
    auto spec = allocate();
    spec.lifetime = lifetime;
    return spec;
}
inline RequestSpec allocate_dual() {
    auto spec = allocate();
    spec.additional_family = net::Family::kIpv6;
    return spec;
}
inline RequestSpec allocate_v6() {
    auto spec = allocate();
    spec.requested_family = net::Family::kIpv6;
    return spec;
}
inline RequestSpec refresh(std::optional<std::uint32_t> lifetime = std::nullopt) {
    return {.method = Method::kRefresh, .lifetime = lifetime};
}
inline RequestSpec bind(std::uint16_t channel, std::string_view peer) {
    return {.method = Method::kChannelBind, .channel = channel, .peer = at(peer)};
}

class Relay {
public:
    explicit Relay(ServerConfig config = dual_stack(), std::string stamp_secret = kStampSecret)
        : server{std::move(config), std::move(stamp_secret), Rng::from_number(7)} {}

    /// Credentials that are valid for 1000 s from the start.
    std::string username = std::to_string(1'763'001'000) + ":salt";
    /// What the client signs with; the server's idea of it unless a test changes it.
    std::optional<stun::LongTermKey> key;
    Instant now{};
    WallTime wall_now = kWallStart;
    Server server;

    void advance(Duration by) {
        now += by;
        wall_now += std::chrono::duration_cast<std::chrono::milliseconds>(by);
    }

    [[nodiscard]] stun::LongTermKey signing_key() const {
        if (key) {
            return *key;
        }
        const auto parsed = RelayUsername::parse(username);
        return parsed ? relay_key(*parsed, kStampSecret) : stun::long_term_key(username, "firezone", "");
    }

    /// For the client that most tests have, or for another one.
    [[nodiscard]] Bytes encode(const RequestSpec& spec, const net::SocketAddress& client = at("198.51.100.1:1000")) {
        return encode(spec, server.make_nonce(client, now).to_string());
    }
    [[nodiscard]] Bytes encode(const RequestSpec& spec, const std::string& nonce) {
        stun::MessageBuilder builder{Class::kRequest, spec.method, stun::make_transaction_id(rng_)};
        add_attributes(builder, spec);
        builder.text(AttributeType::kUsername, username)
            .text(AttributeType::kRealm, "firezone")
            .text(AttributeType::kNonce, nonce);
        return builder.integrity(signing_key().reveal()).build();
    }
    [[nodiscard]] Bytes encode_anonymous(const RequestSpec& spec) {
        stun::MessageBuilder builder{Class::kRequest, spec.method, stun::make_transaction_id(rng_)};
        add_attributes(builder, spec);
        return builder.build();
    }

    /// Everything the server asks for after `datagram` arrived from `client`.
    std::vector<Command> receive(ByteSpan datagram, const net::SocketAddress& client) {
        EXPECT_FALSE(server.handle_client_input(datagram, client, now, wall_now).has_value());
        return drain();
    }
    std::vector<Command> request(const RequestSpec& spec, const net::SocketAddress& client) {
        return receive(encode(spec, client), client);
    }
    std::vector<Command> time_out() {
        server.handle_timeout(now);
        return drain();
    }
    std::vector<Command> drain() {
        std::vector<Command> commands;
        while (auto command = server.poll_command()) {
            commands.push_back(std::move(*command));
        }
        contract::expect_spurious_timeout_is_invisible(server, now);
        return commands;
    }

    /// The ERROR-CODE of the only response in `commands`, 0 for success, -1 if there is none or more than one.
    [[nodiscard]] static int code(const std::vector<Command>& commands) {
        const auto* response = only_response(commands);
        if (response == nullptr) {
            return -1;
        }
        const auto message = stun::Message::parse(response->payload);
        if (!message) {
            return -1;
        }
        const auto error = message->error_code();
        return error ? error->code : 0;
    }
    [[nodiscard]] static const SendMessage* only_response(const std::vector<Command>& commands) {
        const SendMessage* only = nullptr;
        for (const auto& command : commands) {
            if (const auto* message = std::get_if<SendMessage>(&command)) {
                if (only != nullptr) {
                    return nullptr;
                }
                only = message;
            }
        }
        return only;
    }
    [[nodiscard]] bool is_signed(const std::vector<Command>& commands) const {
        const auto* response = only_response(commands);
        const auto message =
            response ? stun::Message::parse(response->payload) : std::unexpected{stun::ParseError::kTooShort};
        return message && message->verify_integrity(signing_key().reveal());
    }
    /// The commands without responses.
    [[nodiscard]] static std::vector<Command> effects(std::vector<Command> commands) {
        std::erase_if(commands, [](const Command& c) { return std::holds_alternative<SendMessage>(c); });
        return commands;
    }

    /// What the server does with ChannelData: "port>peer payload-length", or "dropped".
    std::string send_data(std::uint16_t channel, std::size_t length, const net::SocketAddress& client,
                          std::size_t surplus = 0) {
        Bytes datagram;
        append_be(datagram, channel);
        append_be(datagram, static_cast<std::uint16_t>(length));
        datagram.resize(4 + length + surplus);
        const auto to = server.handle_client_input(datagram, client, now, wall_now);
        return to ? std::to_string(to->port) + ">" + to->peer.to_string() + " " + std::to_string(to->payload.size())
                  : "dropped";
    }
    /// What the server does with data from a peer: "client channel", or "dropped".
    std::string receive_data(std::string_view peer, std::uint16_t port) {
        const auto to = server.handle_peer_input(at(peer), port, 5);
        return to ? to->client.to_string() + " " + std::to_string(to->channel) : "dropped";
    }

private:
    static void add_attributes(stun::MessageBuilder& builder, const RequestSpec& spec) {
        if (spec.transport) {
            builder.requested_transport(*spec.transport);
        }
        if (spec.requested_family) {
            builder.address_family(AttributeType::kRequestedAddressFamily, *spec.requested_family);
        }
        if (spec.additional_family) {
            builder.address_family(AttributeType::kAdditionalAddressFamily, *spec.additional_family);
        }
        if (spec.lifetime) {
            builder.u32(AttributeType::kLifetime, *spec.lifetime);
        }
        if (spec.channel) {
            builder.channel_number(*spec.channel);
        }
        if (spec.peer) {
            builder.address(AttributeType::kXorPeerAddress, *spec.peer);
        }
        for (const auto type : spec.extra_flags) {
            builder.flag(type);
        }
    }

    Rng rng_ = Rng::from_number(99);
};

}  // namespace culvert::turn::test
