#include "tests/model/world/relay_users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/stun/message_builder.h"
#include "culvert/turn/server/credentials.h"
#include "culvert/turn/server/server.h"

namespace culvert::model {
namespace {

using testing::ElementsAre;
using testing::Key;

constexpr std::string_view kSnapshot =
    "server commands=0 nonces=7\n"
    "  allocation client=10.0.0.1:5 port=50000 v4=true v6=false expires=600s\n"
    "    channel number=16384 peer=10.0.0.9:9 expires=600s bound=true\n"
    "  allocation client=10.0.0.2:5 port=50001 v4=true v6=false expires=600s\n"
    "  flows to_peer=1 to_client=1\n";

TEST(RelayUsers, HaveTheirChannels) {
    const auto users = read_relay_users(kSnapshot);

    ASSERT_THAT(users, ElementsAre(Key("10.0.0.1:5"), Key("10.0.0.2:5")));
    EXPECT_THAT(users.at("10.0.0.1:5"), testing::HasSubstr("channel number=16384"));
    EXPECT_THAT(users.at("10.0.0.2:5"), testing::Not(testing::HasSubstr("flows")));
}

TEST(RelayUsers, AreComparedOneByOne) {
    const auto before = read_relay_users(kSnapshot);
    auto after = before;
    after.at("10.0.0.1:5") += "channel";
    EXPECT_TRUE(differ_only_for("10.0.0.1:5", before, after));
    EXPECT_FALSE(differ_only_for("10.0.0.2:5", before, after));

    after = before;
    after.erase("10.0.0.2:5");
    EXPECT_TRUE(differ_only_for("10.0.0.2:5", before, after));
    EXPECT_FALSE(differ_only_for("10.0.0.1:5", before, after));
}

TEST(RelayUsers, AreFoundInTheSnapshotOfARelay) {
    auto rng = Rng::from_number(1);
    const auto secret = turn::make_stamp_secret(rng);
    turn::Server server{{.public_v4 = *net::IpAddress::parse("203.0.113.1")}, secret, rng};
    const auto client = *net::SocketAddress::parse("198.51.100.1:7");
    const turn::RelayUsername username{2'000'000'000, "salt"};
    const auto request = [&](std::string_view nonce) {
        return stun::MessageBuilder{stun::Class::kRequest, stun::Method::kAllocate, stun::make_transaction_id(rng)}
            .requested_transport(17)
            .text(stun::AttributeType::kUsername, username.to_string())
            .text(stun::AttributeType::kRealm, "firezone")
            .text(stun::AttributeType::kNonce, nonce)
            .integrity(turn::relay_key(username, secret).reveal())
            .build();
    };
    server.handle_client_input(request(Uuid{}.to_string()), client, Instant{}, WallTime{});
    const auto refusal = std::get<turn::SendMessage>(*server.poll_command()).payload;
    const auto nonce = stun::Message::parse(refusal)->text(stun::AttributeType::kNonce);
    ASSERT_TRUE(nonce);
    EXPECT_TRUE(read_relay_users(server.debug_snapshot(Instant{})).empty());

    server.handle_client_input(request(*nonce), client, Instant{}, WallTime{});

    EXPECT_THAT(read_relay_users(server.debug_snapshot(Instant{})), ElementsAre(Key("198.51.100.1:7")));
}

}  // namespace
}  // namespace culvert::model
