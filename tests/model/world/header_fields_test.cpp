#include "tests/model/world/header_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "tests/model/reference/inner_packet.h"

namespace culvert::model {
namespace {

Bytes make(std::string_view source, std::string_view destination) {
    return packet::make_udp(*net::SocketAddress::parse(source), *net::SocketAddress::parse(destination), Bytes(9));
}

TEST(HeaderFields, AreReadBack) {
    for (auto packet : {make("10.0.0.1:1", "10.0.0.2:2"), make("[fd00::1]:1", "[fd00::2]:2")}) {
        set_header_fields(packet, {.traffic_class = 0xb9, .ttl = 3});

        EXPECT_EQ(header_fields_of(packet).traffic_class, 0xb9);
        EXPECT_EQ(header_fields_of(packet).ttl, 3);
        const auto read = read_packet(packet);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->ecn, 1);
        EXPECT_EQ(read->ttl, 3);
        EXPECT_TRUE(are_checksums_right(*read));
    }
}

TEST(HeaderFields, LeaveTheChecksumOfUdpOutOverIpv4Only) {
    auto v4 = make("10.0.0.1:1", "10.0.0.2:2");
    auto v6 = make("[fd00::1]:1", "[fd00::2]:2");
    const auto unchanged = v6;

    set_header_fields(v4, {.without_checksum = true});
    set_header_fields(v6, {.without_checksum = true});

    EXPECT_EQ(load_be<std::uint16_t>(ByteSpan{v4}.subspan(26)), 0);
    EXPECT_TRUE(are_checksums_right(*read_packet(v4)));
    EXPECT_EQ(v6, unchanged);
}

}  // namespace
}  // namespace culvert::model
