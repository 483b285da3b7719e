#include "tests/model/world/newer_frame.h"

#include <set>

#include <gtest/gtest.h>

#include "culvert/portal_api/codec.h"

namespace culvert::model {
namespace {

using portal_api::Role;

std::string init() {
    portal_api::ClientInit message;
    message.interface = {*net::IpAddress::parse("100.64.0.1"), *net::IpAddress::parse("fd00:2021:1111::1"), {}, {}};
    const portal_api::ClientCidrResource resource{.name = "a \"name\" with { and [",
                                                  .address = *net::IpNetwork::parse("10.0.0.0/24")};
    message.resources = {resource};
    return portal_api::encode_to_device(portal_api::ToClient{message}, portal_api::Dialect::kV1);
}

TEST(NewerFrame, SaysTheSame) {
    auto rng = Rng::from_number(1);
    const auto frame = init();
    std::set<std::string> made;
    for (int i = 0; i < 100; ++i) {
        const auto newer = make_newer(frame, rng);
        const auto decoded = portal_api::decode_to_device(Role::kClient, portal_api::Dialect::kV1, newer);
        ASSERT_TRUE(decoded) << newer;
        const auto* message = std::get_if<portal_api::MessageFrame>(&*decoded);
        ASSERT_NE(message, nullptr) << newer;
        EXPECT_EQ(portal_api::encode_to_device(message->message, portal_api::Dialect::kV1), frame);
        made.insert(newer);
    }

    EXPECT_GT(made.size(), 50U);
}

TEST(NewerFrame, HasAResourceThatNobodyKnows) {
    auto rng = Rng::from_number(1);

    EXPECT_NE(make_newer(R"({"resources":[]})", rng).find(R"("type":"warp")"), std::string::npos);
    EXPECT_NE(make_newer(R"({"resources":[{"a":1}]})", rng).find("},{"), std::string::npos);
}

TEST(NewerFrame, LeavesEmptyObjectsEmpty) {
    auto rng = Rng::from_number(1);
    for (int i = 0; i < 20; ++i) {
        const auto newer = make_newer(portal_api::encode_channel_closed("client"), rng);
        const auto decoded = portal_api::decode_to_device(Role::kClient, portal_api::Dialect::kV1, newer);
        EXPECT_TRUE(decoded && std::holds_alternative<portal_api::ChannelClosed>(*decoded)) << newer;
    }
}

}  // namespace
}  // namespace culvert::model
