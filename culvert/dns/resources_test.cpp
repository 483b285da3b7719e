#include "culvert/dns/resources.h"

#include <string>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::name;

ResourceId id(std::uint8_t number) {
    return ResourceId{Uuid{std::array<std::uint8_t, 16>{number}}};
}

TEST(Resources, AreFoundAsSoonAsTheyAreThere) {
    Resources resources;
    EXPECT_EQ(resources.match(name("app.example.com")), std::nullopt);
    resources.add(id(1), "*.example.com", IpStack::kDual);
    EXPECT_EQ(resources.match(name("app.example.com")), (Resources::Match{id(1), IpStack::kDual}));
    resources.add(id(1), "*.example.com", IpStack::kIpv4Only);
    EXPECT_EQ(resources.match(name("APP.example.com")), (Resources::Match{id(1), IpStack::kIpv4Only}));
    resources.add(id(2), "app.example.com", IpStack::kDual);
    EXPECT_EQ(resources.match(name("app.example.com")), (Resources::Match{id(2), IpStack::kDual}));
    resources.remove(id(2));
    EXPECT_EQ(resources.match(name("app.example.com")), (Resources::Match{id(1), IpStack::kIpv4Only}));
    resources.add(id(1), "***", IpStack::kDual);
    EXPECT_EQ(resources.match(name("app.example.com")), std::nullopt);
}

TEST(Resources, AreRememberedRightlyAmongManyNames) {
    auto rng = Rng::from_number(1);
    Resources resources;
    PatternSet patterns;
    for (int i = 0; i < 20'000; ++i) {
        const auto number = static_cast<std::uint8_t>(rng.below(50));
        if (rng.below(500) == 0) {
            const auto address = "*.n" + std::to_string(number % 7) + ".example.com";
            resources.add(id(number), address, IpStack::kDual);
            patterns.add(id(number), Pattern::parse(address).value());
        } else if (rng.below(500) == 0) {
            resources.remove(id(number));
            patterns.remove(id(number));
        }
        const auto asked =
            name("host" + std::to_string(rng.below(300)) + ".n" + std::to_string(rng.below(7)) + ".example.com");
        const auto found = resources.match(asked);
        const auto expected = patterns.match(asked);
        ASSERT_EQ(found ? std::optional{found->id} : std::nullopt, expected) << asked.to_string();
    }
}

}  // namespace
}  // namespace culvert::dns
