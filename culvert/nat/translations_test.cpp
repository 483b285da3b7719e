#include "culvert/nat/translations.h"

#include <gtest/gtest.h>

#include "culvert/nat/constants.h"
#include "culvert/nat/testing/clients.h"

namespace culvert::nat {
namespace {

using test::address;
using test::resource_id;
using Change = Translations::Change;

std::vector<net::IpAddress> addresses(std::initializer_list<std::string_view> texts) {
    std::vector<net::IpAddress> result;
    for (const auto text : texts) {
        result.push_back(address(text));
    }
    return result;
}

const auto kProxies4 = addresses({"100.96.0.1", "100.96.0.2", "100.96.0.3", "100.96.0.4"});
const auto kProxies =
    addresses({"100.96.0.1", "100.96.0.2", "100.96.0.3", "100.96.0.4",
               "fd00:2021:1111:8000::", "fd00:2021:1111:8000::1", "fd00:2021:1111:8000::2", "fd00:2021:1111:8000::3"});

class TranslationsTest : public ::testing::Test {
protected:
    std::string real(std::string_view proxy) const {
        const auto* target = translations.find(address(proxy));
        if (target == nullptr) {
            return "unknown";
        }
        return target->real ? target->real->to_string() : "none";
    }

    Translations translations;
};

TEST_F(TranslationsTest, GoThroughTheAddressesInOrderAgainAndAgain) {
    EXPECT_EQ(translations.assign(resource_id(1), "a.example", kProxies4, addresses({"10.0.0.9", "10.0.0.1"})),
              Change::kNone);

    EXPECT_EQ(real("100.96.0.1"), "10.0.0.1");
    EXPECT_EQ(real("100.96.0.2"), "10.0.0.9");
    EXPECT_EQ(real("100.96.0.3"), "10.0.0.1");
    EXPECT_EQ(real("100.96.0.4"), "10.0.0.9");
}

TEST_F(TranslationsTest, UseTheLowestOfManyAddresses) {
    translations.assign(resource_id(1), "a.example", kProxies4,
                        addresses({"10.0.0.6", "10.0.0.5", "10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1"}));

    EXPECT_EQ(real("100.96.0.4"), "10.0.0.4");
}

TEST_F(TranslationsTest, FamiliesHaveNothingToDoWithEachOther) {
    translations.assign(resource_id(1), "a.example", kProxies, addresses({"2001:db8::2", "10.0.0.1", "2001:db8::1"}));
    EXPECT_EQ(real("100.96.0.4"), "10.0.0.1");
    EXPECT_EQ(real("fd00:2021:1111:8000::"), "2001:db8::1");
    EXPECT_EQ(real("fd00:2021:1111:8000::3"), "2001:db8::2");

    translations.assign(resource_id(1), "a.example", kProxies, addresses({"2001:db8::1"}));
    EXPECT_EQ(real("100.96.0.1"), "none");
    EXPECT_EQ(real("fd00:2021:1111:8000::3"), "2001:db8::1");
}

TEST_F(TranslationsTest, KnowNamesThatResolveToNothing) {
    translations.assign(resource_id(1), "a.example", kProxies, {});

    EXPECT_EQ(real("100.96.0.1"), "none");
    EXPECT_EQ(real("100.96.0.5"), "unknown");
}

TEST_F(TranslationsTest, SayWhetherANameMoved) {
    translations.assign(resource_id(1), "a.example", kProxies4, addresses({"10.0.0.1"}));

    EXPECT_EQ(translations.assign(resource_id(1), "a.example", kProxies4, addresses({"10.0.0.1"})), Change::kNone);
    EXPECT_EQ(translations.assign(resource_id(1), "a.example", kProxies4, addresses({"10.0.0.2"})), Change::kElsewhere);
    EXPECT_EQ(real("100.96.0.1"), "10.0.0.2");
}

TEST_F(TranslationsTest, StartOverIfAProxyIpIsOfAnotherName) {
    translations.assign(resource_id(1), "a.example", kProxies4, addresses({"10.0.0.1"}));
    translations.assign(resource_id(1), "b.example", addresses({"100.96.0.5"}), addresses({"10.0.0.2"}));

    EXPECT_EQ(translations.assign(resource_id(1), "c.example", addresses({"100.96.0.4"}), addresses({"10.0.0.3"})),
              Change::kStartedOver);

    EXPECT_EQ(translations.size(), 1U);
    EXPECT_EQ(real("100.96.0.4"), "10.0.0.3");
    EXPECT_EQ(real("100.96.0.5"), "unknown");
}

TEST_F(TranslationsTest, StartOverIfAProxyIpIsOfAnotherResource) {
    translations.assign(resource_id(1), "a.example", kProxies4, addresses({"10.0.0.1"}));

    EXPECT_EQ(translations.assign(resource_id(2), "a.example", kProxies4, addresses({"10.0.0.1"})),
              Change::kStartedOver);
    EXPECT_EQ(translations.find(address("100.96.0.1"))->resource, resource_id(2));
}

TEST_F(TranslationsTest, KeepWhatANameWasGivenBefore) {
    translations.assign(resource_id(1), "a.example", kProxies, addresses({"10.0.0.1", "2001:db8::1"}));
    translations.assign(resource_id(1), "a.example", kProxies4, addresses({"10.0.0.2", "2001:db8::2"}));

    EXPECT_EQ(real("100.96.0.1"), "10.0.0.2");
    EXPECT_EQ(real("fd00:2021:1111:8000::"), "2001:db8::2");
    EXPECT_EQ(translations.size(), 8U);
    EXPECT_EQ(translations.assign(resource_id(2), "b.example", addresses({"fd00:2021:1111:8000::"}), {}),
              Change::kStartedOver)
        << "or sessions of the one would go by the rules of the other";
}

TEST_F(TranslationsTest, StartOverIfANameHasOthersThanItHad) {
    translations.assign(resource_id(1), "a.example", kProxies, addresses({"10.0.0.1"}));

    EXPECT_EQ(translations.assign(resource_id(1), "a.example", addresses({"100.96.0.9"}), addresses({"10.0.0.1"})),
              Change::kStartedOver);

    EXPECT_EQ(real("100.96.0.1"), "unknown");
    EXPECT_EQ(real("100.96.0.9"), "10.0.0.1");
}

TEST_F(TranslationsTest, TakeARepeatedProxyIpOnce) {
    translations.assign(resource_id(1), "a.example", addresses({"100.96.0.2", "100.96.0.1", "100.96.0.2"}),
                        addresses({"10.0.0.1", "10.0.0.1", "10.0.0.2"}));

    EXPECT_EQ(translations.size(), 2U);
    EXPECT_EQ(real("100.96.0.1"), "10.0.0.1");
    EXPECT_EQ(real("100.96.0.2"), "10.0.0.2");
}

TEST_F(TranslationsTest, ForgetAResourceWithAllItsNames) {
    translations.assign(resource_id(1), "a.example", addresses({"100.96.0.1"}), {});
    translations.assign(resource_id(1), "b.example", addresses({"100.96.0.2"}), {});
    translations.assign(resource_id(2), "a.example", addresses({"100.96.0.3"}), {});

    translations.forget_resource(resource_id(1));

    EXPECT_EQ(translations.names(), 1U);
    EXPECT_EQ(real("100.96.0.2"), "unknown");
    EXPECT_EQ(real("100.96.0.3"), "none");
}

TEST_F(TranslationsTest, KeepSoManyNamesAndNoMore) {
    const auto proxy = [](std::size_t i) {
        return net::IpAddress{
            std::array<std::uint8_t, 4>{100, 97, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}};
    };
    const auto assign_name = [&](std::size_t i) {
        const std::vector one{proxy(i)};
        return translations.assign(resource_id(1), "n" + std::to_string(i) + ".example", one, {});
    };
    for (std::size_t i = 0; i < kMaxNames; ++i) {
        EXPECT_EQ(assign_name(i), Change::kNone);
    }
    assign_name(0);  // is young again

    EXPECT_EQ(assign_name(kMaxNames), Change::kMadeRoom);

    EXPECT_EQ(translations.names(), kMaxNames - kNamesThatGiveWay + 1);
    EXPECT_NE(translations.find(proxy(0)), nullptr);
    EXPECT_EQ(translations.find(proxy(1)), nullptr);
    EXPECT_EQ(translations.find(proxy(kNamesThatGiveWay)), nullptr);
    EXPECT_NE(translations.find(proxy(kNamesThatGiveWay + 1)), nullptr);
}

}  // namespace
}  // namespace culvert::nat
