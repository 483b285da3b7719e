#pragma once

#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "culvert/tcp/endpoints.h"

namespace culvert::tcp::test {

inline net::SocketAddress socket(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}

/// The other end of a connection, driven by hand: says what it likes, and shows what it is told.
class RemoteEnd {
public:
    RemoteEnd(Endpoints& endpoints, Route route) : endpoints_{&endpoints}, route_{std::move(route)} {}

    /// `route` is from its own side.
    void send(Segment segment, Instant now) {
        segment.window = segment.window == 0 && !says_zero_ ? std::uint16_t{65535} : segment.window;
        auto bytes = make_packet(route_, segment);
        const auto packet = packet::IpPacket::parse(bytes, packet::kMaxSuperPacket);
        ASSERT_TRUE(packet.has_value());
        EXPECT_TRUE(endpoints_->handle_packet(*packet, Checksums::kVerify, now));
    }
    void say_zero_window(bool says_zero) { says_zero_ = says_zero; }

    /// The next packet; its bytes live until the next call.
    std::optional<Segment> receive() {
        auto bytes = endpoints_->poll_transmit();
        if (!bytes) {
            return std::nullopt;
        }
        bytes_ = std::move(*bytes);
        const auto packet = packet::IpPacket::parse(bytes_);
        EXPECT_TRUE(packet && packet->checksums_are_valid());
        EXPECT_EQ(route_of(*packet), route_);
        return read_segment(*packet);
    }

    void expect_silence() { EXPECT_EQ(endpoints_->poll_transmit(), std::nullopt); }

    [[nodiscard]] const Route& route() const { return route_; }

private:
    Endpoints* endpoints_;
    Route route_;
    Bytes bytes_;
    bool says_zero_ = false;
};

}  // namespace culvert::tcp::test
