#include "culvert/dns/reverse_name.h"

#include <gtest/gtest.h>

namespace culvert::dns {
namespace {

std::optional<std::string> address(std::string_view name) {
    const auto found = address_of_reverse_name(Name::parse(name).value());
    return found ? std::optional{found->to_string()} : std::nullopt;
}

TEST(ReverseName, StandsForAnAddress) {
    EXPECT_EQ(address("1.0.96.100.in-addr.arpa"), "100.96.0.1");
    EXPECT_EQ(address("255.255.127.100.IN-ADDR.Arpa"), "100.127.255.255");
    EXPECT_EQ(address("4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.1.1.1.1.2.0.2.0.0.d.f.ip6.arpa"),
              "fd00:2021:1111:8000::4");
    EXPECT_EQ(address("4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.1.1.1.1.2.0.2.0.0.D.F.IP6.ARPA"),
              "fd00:2021:1111:8000::4");
}

TEST(ReverseName, IsNothingElse) {
    for (const auto* name :
         {".", "arpa", "in-addr.arpa", "0.96.100.in-addr.arpa", "5.1.0.96.100.in-addr.arpa",
          "256.0.96.100.in-addr.arpa", "01.0.96.100.in-addr.arpa", "-1.0.96.100.in-addr.arpa",
          "a.0.96.100.in-addr.arpa", "1.0.96.100.in-addr.com", "1.0.96.100.example.arpa", "1.0.96.100\\.in-addr.arpa",
          "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.1.1.1.1.2.0.2.0.0.d.f.ip6.arpa",
          "g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.1.1.1.1.2.0.2.0.0.d.f.ip6.arpa",
          "44.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.1.1.1.1.1.2.0.2.0.0.d.f.ip6.arpa"}) {
        EXPECT_EQ(address(name), std::nullopt) << name;
    }
}

}  // namespace
}  // namespace culvert::dns
