#include "culvert/tunnel/names/name_requests.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "culvert/tunnel/names/constants.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using test::id;
using test::ip;

class NameRequestsTest : public ::testing::Test {
protected:
    bool submit(std::uint8_t client, const std::string& domain, std::uint8_t resource = 1) {
        return requests.submit({.client = id<ClientId>(client),
                                .domain = dns::Name::parse(domain).value(),
                                .message = {id<ResourceId>(resource), domain, {ip("100.96.0.1")}}},
                               now);
    }
    NameRequests::LookUpId look_up(std::string_view domain) {
        const auto next = requests.poll_lookup();
        EXPECT_TRUE(next && next->domain == dns::Name::parse(domain));
        return next ? next->id : NameRequests::LookUpId{};
    }
    /// Clients that were answered: found or not.
    std::multiset<std::pair<ClientId, bool>> resolved() {
        std::multiset<std::pair<ClientId, bool>> all;
        while (const auto next = requests.poll_resolved()) {
            all.emplace(next->request.client, next->is_found);
        }
        return all;
    }
    using Answered = std::multiset<std::pair<ClientId, bool>>;

    Instant now = Instant{} + 1h;
    NameRequests requests;
    const ClientId one = id<ClientId>(1);
    const ClientId two = id<ClientId>(2);
};

TEST_F(NameRequestsTest, LooksANameUpOnceForAllWhoWait) {
    EXPECT_TRUE(submit(1, "wiki.example"));
    EXPECT_TRUE(submit(2, "WIKI.example"));
    const auto id = look_up("wiki.example");
    EXPECT_FALSE(requests.poll_lookup().has_value());
    EXPECT_EQ(resolved(), Answered{});

    requests.handle_addresses(id, {ip("10.0.0.1")}, kResolvedTime, now);

    EXPECT_EQ(resolved(), (Answered{{one, true}, {two, true}}));
    EXPECT_EQ(requests.size(), 0U);
}

TEST_F(NameRequestsTest, HandsOutWhatWasFoundWithTheRequest) {
    submit(1, "Wiki.example", 3);
    requests.handle_addresses(look_up("wiki.example"), {ip("10.0.0.1"), ip("2001:db8::1")}, kResolvedTime, now);

    const auto next = requests.poll_resolved();
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->request.message.domain, "Wiki.example");
    EXPECT_EQ(next->request.message.resource, id<ResourceId>(3));
    EXPECT_EQ(next->addresses, (std::vector{ip("10.0.0.1"), ip("2001:db8::1")}));
}

TEST_F(NameRequestsTest, RemembersWhatItFoundForAsLongAsThatIsTrue) {
    submit(1, "wiki.example");
    requests.handle_addresses(look_up("wiki.example"), {ip("10.0.0.1")}, 30s, now);
    resolved();
    now += 29s;
    EXPECT_TRUE(submit(2, "wiki.example"));
    EXPECT_FALSE(requests.poll_lookup().has_value());
    EXPECT_EQ(resolved(), (Answered{{two, true}}));

    now += 1s;
    EXPECT_TRUE(submit(2, "wiki.example"));
    look_up("wiki.example");
}

TEST_F(NameRequestsTest, BelievesNobodyForLongerThanAnHour) {
    submit(1, "wiki.example");
    requests.handle_addresses(look_up("wiki.example"), {ip("10.0.0.1")}, 24h, now);
    now += 1h;
    submit(1, "wiki.example");

    look_up("wiki.example");
}

TEST_F(NameRequestsTest, RemembersNoFailures) {
    submit(1, "wiki.example");
    requests.handle_failure(look_up("wiki.example"));
    EXPECT_EQ(resolved(), (Answered{{one, false}}));
    submit(1, "wiki.example");
    requests.handle_addresses(look_up("wiki.example"), {}, kResolvedTime, now);
    EXPECT_EQ(resolved(), (Answered{{one, true}})) << "nothing was found, which is no error";
    submit(1, "wiki.example");
    look_up("wiki.example");
}

TEST_F(NameRequestsTest, EndsALookUpAfterTenSeconds) {
    submit(1, "wiki.example");
    const auto id = look_up("wiki.example");
    EXPECT_EQ(requests.poll_timeout(), now + 10s);
    now += 10s;
    requests.handle_timeout(now);
    EXPECT_EQ(resolved(), (Answered{{one, false}}));

    requests.handle_addresses(id, {ip("10.0.0.1")}, kResolvedTime, now);
    EXPECT_EQ(resolved(), Answered{}) << "too late";
    submit(1, "wiki.example");
    const auto next = look_up("wiki.example");
    EXPECT_NE(next, id);
}

TEST_F(NameRequestsTest, ARequestThatIsRepeatedHasOneAnswer) {
    submit(1, "wiki.example");
    submit(1, "wiki.example");
    submit(1, "wiki.example", 2);
    requests.handle_failure(look_up("wiki.example"));

    EXPECT_EQ(resolved(), (Answered{{one, false}, {one, false}})) << "of two resources";
}

TEST_F(NameRequestsTest, RefusesWhatIsTooMuchOfOneClientOrOfAll) {
    for (std::size_t i = 0; i < kMaxResolutionsPerClient; ++i) {
        EXPECT_TRUE(submit(1, "n" + std::to_string(i) + ".example"));
    }
    EXPECT_FALSE(submit(1, "more.example"));
    EXPECT_TRUE(submit(1, "n0.example")) << "it waits already";
    EXPECT_TRUE(submit(2, "n0.example")) << "others have room";

    for (std::size_t i = kMaxResolutionsPerClient; i < kMaxResolutions; ++i) {
        const auto client = static_cast<std::uint8_t>(i < kMaxResolutions - 10 ? 3 + i % 200 : 210 + i % 10);
        EXPECT_TRUE(submit(client, "n" + std::to_string(i) + ".example"));
    }
    EXPECT_FALSE(submit(2, "more.example"));
    EXPECT_TRUE(submit(2, "n1.example")) << "that is looked up anyway";

    now += 10s;
    requests.handle_timeout(now);
    EXPECT_EQ(resolved().size(), kMaxResolutions + 2);
    EXPECT_TRUE(submit(1, "more.example"));
}

TEST_F(NameRequestsTest, AFewClientsDoNotTakeItAll) {
    for (std::uint8_t client = 1; client <= 16; ++client) {
        for (std::size_t i = 0; i < kMaxResolutionsPerClient; ++i) {
            submit(client, "n" + std::to_string(client) + "-" + std::to_string(i) + ".example");
        }
    }
    EXPECT_TRUE(submit(17, "wiki.example"));
    EXPECT_TRUE(submit(18, "mail.example"));
}

TEST_F(NameRequestsTest, LooksUpForAClientOnlySoOften) {
    std::size_t looked_up = 0;
    const auto submit_many = [&](std::size_t count) {
        looked_up = 0;
        for (std::size_t i = 0; i < count; ++i) {
            submit(1, "n" + std::to_string(i) + ".example");
            while (const auto next = requests.poll_lookup()) {
                requests.handle_failure(next->id);
                ++looked_up;
            }
        }
    };
    submit_many(10'000);
    EXPECT_EQ(looked_up, kResolutionRate.burst);
    EXPECT_TRUE(submit(2, "wiki.example")) << "another may";

    now += 1s;
    submit_many(10'000);
    EXPECT_EQ(looked_up, kResolutionRate.per_second + 1) << "that of the other, too";
}

TEST_F(NameRequestsTest, KeepsTheFirstAddressesOnly) {
    submit(1, "many.example");
    std::vector<net::IpAddress> many{ip("2001:db8::1")};
    for (std::uint8_t i = 255; i > 0; --i) {
        many.emplace_back(std::array<std::uint8_t, 4>{10, 0, 0, i});
    }
    requests.handle_addresses(look_up("many.example"), many, kResolvedTime, now);

    const auto next = requests.poll_resolved();
    ASSERT_TRUE(next.has_value());
    ASSERT_EQ(next->addresses.size(), kMaxAddressesPerFamily + 1);
    EXPECT_EQ(next->addresses.front(), ip("10.0.0.1"));
    EXPECT_EQ(next->addresses.back(), ip("2001:db8::1"));
}

TEST_F(NameRequestsTest, RemembersOnlySoManyNames) {
    for (std::size_t i = 0; i < kMaxResolvedNames + 10; ++i) {
        submit(static_cast<std::uint8_t>(1 + i / 100), "n" + std::to_string(i) + ".example");
        const auto next = requests.poll_lookup();
        requests.handle_addresses(next->id, {ip("10.0.0.1")}, 30s + std::chrono::milliseconds{i}, now);
    }
    resolved();
    submit(1, "n0.example");
    EXPECT_TRUE(requests.poll_lookup().has_value());
    submit(1, "n100.example");
    EXPECT_FALSE(requests.poll_lookup().has_value());
}

TEST_F(NameRequestsTest, ForgetsWhoIsGone) {
    submit(1, "wiki.example");
    submit(2, "wiki.example");
    submit(1, "mail.example");
    const auto wiki = look_up("wiki.example");
    const auto mail = look_up("mail.example");
    requests.handle_addresses(mail, {ip("10.0.0.1")}, kResolvedTime, now);

    requests.forget_client(one);
    requests.handle_addresses(wiki, {ip("10.0.0.1")}, kResolvedTime, now);

    EXPECT_EQ(resolved(), (Answered{{two, true}}));
    EXPECT_EQ(requests.poll_timeout(), std::nullopt);
}

TEST_F(NameRequestsTest, AClientThatComesBackStartsAnew) {
    submit(1, "wiki.example");
    const auto id = look_up("wiki.example");
    requests.forget_client(one);
    EXPECT_TRUE(submit(1, "wiki.example"));

    requests.handle_failure(id);

    EXPECT_EQ(resolved(), (Answered{{one, false}}));
}

}  // namespace
}  // namespace culvert::tunnel
