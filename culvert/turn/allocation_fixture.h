#pragma once

// Test support: an Allocation and the relay it talks to, played by the test.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/stun/integrity.h"
#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"
#include "culvert/turn/allocation.h"

namespace culvert::turn::test {

using stun::AttributeType;
using stun::Class;
using stun::Method;

inline net::SocketAddress address(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}

inline const net::SocketAddress kRelay4 = address("203.0.113.21:3478");
inline const net::SocketAddress kRelay6 = address("[2001:db8:113::21]:3478");
inline const net::SocketAddress kLocal4 = address("172.30.0.100:52625");
inline const net::SocketAddress kLocal6 = address("[2001:db8:30::100]:52625");
inline const net::SocketAddress kMapped4 = address("203.0.113.30:40001");
inline const net::SocketAddress kMapped6 = address("[2001:db8:30::100]:52625");
inline const net::SocketAddress kAllocated4 = address("203.0.113.21:50000");
inline const net::SocketAddress kAllocated6 = address("[2001:db8:113::21]:50000");
inline const net::SocketAddress kPeer1 = address("203.0.113.40:52625");
inline const net::SocketAddress kPeer2 = address("203.0.113.40:52626");
inline const net::SocketAddress kPeer6 = address("[2001:db8:40::1]:52625");

inline const GatheredCandidate kHost4{GatheredKind::kHost, kLocal4, kLocal4};
inline const GatheredCandidate kHost6{GatheredKind::kHost, kLocal6, kLocal6};
inline const GatheredCandidate kReflexive4{GatheredKind::kServerReflexive, kMapped4, kLocal4};
inline const GatheredCandidate kReflexive6{GatheredKind::kServerReflexive, kMapped6, kLocal6};
inline const GatheredCandidate kRelayed4{GatheredKind::kRelayed, kAllocated4, kAllocated4};
inline const GatheredCandidate kCrossRelayed6{GatheredKind::kRelayed, kAllocated6, kAllocated6, true};

inline constexpr std::string_view kUsername = "1893456000:salt";
inline constexpr std::string_view kPassword = "password";
inline constexpr std::string_view kRealm = "firezone";

/// `seconds` after the start of the scenario.
inline Instant at(double seconds) {
    return Instant{} + std::chrono::hours{1} +
           std::chrono::duration_cast<Duration>(std::chrono::duration<double>{seconds});
}

/// A request that the allocation sent.
struct Sent {
    net::SocketAddress to;
    Bytes bytes;

    [[nodiscard]] stun::Message message() const { return stun::Message::parse(bytes).value(); }
    [[nodiscard]] Method method() const { return message().method(); }
    [[nodiscard]] std::optional<std::string> nonce() const {
        return message().text(AttributeType::kNonce).transform([](std::string_view text) { return std::string{text}; });
    }
};

class AllocationTest : public testing::Test {
protected:
    void start(const RelaySocket& server) {
        allocation.emplace(server,
                           LongTermCredentials{std::string{kUsername}, std::string{kPassword}, std::string{kRealm}},
                           "test", Rng::from_number(7), at(0));
    }
    void start_v4() { start({.v4 = kRelay4, .v6 = std::nullopt}); }
    void start_dual() { start({.v4 = kRelay4, .v6 = kRelay6}); }

    /// Everything sent since the last call.
    std::vector<Sent> sent() {
        std::vector<Sent> out;
        while (auto transmit = allocation->poll_transmit()) {
            EXPECT_FALSE(transmit->path.source.has_value());
            EXPECT_EQ(transmit->ecn, net::Ecn::kNotEct);
            out.push_back({transmit->path.destination, std::move(transmit->payload)});
        }
        return out;
    }
    /// The only request sent since the last call.
    Sent only() {
        auto all = sent();
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? Sent{} : all.front();
    }
    std::vector<Method> methods() {
        std::vector<Method> out;
        for (const auto& request : sent()) {
            out.push_back(request.method());
        }
        return out;
    }
    std::vector<AllocationEvent> events() {
        std::vector<AllocationEvent> out;
        while (const auto event = allocation->poll_event()) {
            out.push_back(*event);
        }
        return out;
    }

    static Bytes sign(stun::MessageBuilder& builder) {
        return builder.integrity(stun::long_term_key(kUsername, kRealm, kPassword).reveal()).build();
    }
    static stun::MessageBuilder reply(const Sent& request, Class cls) {
        return {cls, request.method(), request.message().transaction_id()};
    }

    bool deliver(const Sent& request, const Bytes& response, double when) {
        return allocation->handle_input(request.to.is_v4() ? kLocal4 : kLocal6, request.to, response, at(when));
    }

    /// Builders of responses.
    static Bytes binding_success(const Sent& request) {
        return reply(request, Class::kSuccess)
            .address(AttributeType::kXorMappedAddress, request.to.is_v4() ? kMapped4 : kMapped6)
            .build();
    }
    static Bytes allocate_success(const Sent& request, const std::vector<net::SocketAddress>& relayed,
                                  std::uint32_t lifetime = 600) {
        auto builder = reply(request, Class::kSuccess);
        for (const auto& relay : relayed) {
            builder.address(AttributeType::kXorRelayedAddress, relay);
        }
        builder.address(AttributeType::kXorMappedAddress, kMapped4).u32(AttributeType::kLifetime, lifetime);
        return sign(builder);
    }
    static Bytes refresh_success(const Sent& request, std::uint32_t lifetime) {
        auto builder = reply(request, Class::kSuccess);
        builder.u32(AttributeType::kLifetime, lifetime);
        return sign(builder);
    }
    static Bytes bind_success(const Sent& request) {
        auto builder = reply(request, Class::kSuccess);
        return sign(builder);
    }
    static Bytes error(const Sent& request, std::uint16_t code) {
        auto builder = reply(request, Class::kError);
        builder.error_code(code, "reason");
        return sign(builder);
    }
    static Bytes challenge(const Sent& request, std::uint16_t code, std::string_view nonce,
                           std::string_view realm = kRealm) {
        auto builder = reply(request, Class::kError);
        builder.error_code(code, "reason").text(AttributeType::kRealm, realm).text(AttributeType::kNonce, nonce);
        return sign(builder);
    }

    /// Answers the BINDING to the IPv4 address; the ALLOCATE that follows.
    Sent answer_binding(double when = 0) {
        const auto binding = only();
        EXPECT_TRUE(deliver(binding, binding_success(binding), when));
        return only();
    }

    /// Up to an allocation with these addresses on the IPv4 address of a single-stack relay; events are drained.
    void allocate(const std::vector<net::SocketAddress>& relayed = {kAllocated4, kAllocated6}) {
        start_v4();
        const auto first = answer_binding();
        EXPECT_TRUE(deliver(first, challenge(first, 401, "n1"), 0));
        const auto second = only();
        EXPECT_TRUE(deliver(second, allocate_success(second, relayed), 0));
        events();
    }

    /// Binds a channel and has it confirmed.
    std::uint16_t bind(const net::SocketAddress& peer, double when) {
        allocation->bind_channel(peer, at(when));
        const auto request = only();
        EXPECT_EQ(request.method(), Method::kChannelBind);
        EXPECT_TRUE(deliver(request, bind_success(request), when));
        return request.message().channel_number().value();
    }

    static net::SocketAddress peer_of(const Sent& request) {
        return request.message().address(AttributeType::kXorPeerAddress).value();
    }

    std::optional<Allocation> allocation;
};

}  // namespace culvert::turn::test
