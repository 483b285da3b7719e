#include <gtest/gtest.h>

#include "culvert/portal_api/codec.h"

/// Messages about devices that clients reach without a gateway (spec/newer-dialect.md sections 5.1, 7.1, 8 and 12.1).
namespace culvert::portal_api {
namespace {

template <typename Message>
Message decoded(const std::string& event, const std::string& payload, Dialect dialect = Dialect::kV2) {
    const auto text = R"({"event":")" + event + R"(","ref":null,"topic":"client","payload":)" + payload + "}";
    const auto frame = decode_to_device(Role::kClient, dialect, text);
    if (!frame) {
        ADD_FAILURE() << frame.error().text;
        return {};
    }
    const auto* message = std::get_if<MessageFrame>(&*frame);
    const auto* to_client = message == nullptr ? nullptr : std::get_if<ToClient>(&message->message);
    const auto* found = to_client == nullptr ? nullptr : std::get_if<Message>(to_client);
    EXPECT_NE(found, nullptr) << text;
    return found == nullptr ? Message{} : *found;
}
std::string error_of(const std::string& event, const std::string& payload) {
    const auto text = R"({"event":")" + event + R"(","ref":null,"topic":"client","payload":)" + payload + "}";
    const auto frame = decode_to_device(Role::kClient, Dialect::kV2, text);
    return frame ? "decoded" : frame.error().text;
}
template <typename Id>
Id id(std::string_view text) {
    return *Id::parse(text);
}
net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

const auto kPool = id<ResourceId>("e6b0d1c4-7a92-4f35-8c1e-3d5f9a2b7046");
const auto kInitiator = id<ClientId>("3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10");
const auto kTarget = id<ClientId>("a2c4e6f8-1b3d-4f50-9a7c-8e0d2b4f6a91");
const std::string kToTarget = R"({
 "client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","client_name":"Kim's laptop",
 "client_public_key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","client_ipv4":"100.71.20.9","client_ipv6":"fd00:2021:1111::7:a3c1",
 "preshared_key":"RSKC7F9vHInXZuNDQaXFa/OXfpl0FhifjeoWUDIEO9s=","ice_role":"controlled","use_iceless":false,
 "local_ice_credentials":{"username":"zm63","password":"uzijerjayzauyrjc7e3w4q"},
 "remote_ice_credentials":{"username":"royt","password":"rkoqiqdssvzw4nvb2ernjp"},
 "resource":{"id":"e6b0d1c4-7a92-4f35-8c1e-3d5f9a2b7046","filters":[{"protocol":"tcp","port_range_start":22,"port_range_end":22}]},
 "expires_at":1788220800,"flow_logs_ingest_token":"a.b.c"})";

TEST(DevicePoolCodec, ReadsWhoIsLetIn) {
    for (const auto dialect : {Dialect::kV1, Dialect::kV2}) {
        const auto message = decoded<DeviceAccessAuthorized>("client_device_access_authorized", kToTarget, dialect);

        EXPECT_EQ(message.client_id, kInitiator);
        EXPECT_EQ(message.client_name, "Kim's laptop");
        EXPECT_EQ(message.client_ipv6, ip("fd00:2021:1111::7:a3c1"));
        EXPECT_EQ(message.ice_role, IceRole::kControlled);
        EXPECT_EQ(message.local_ice_credentials.username, "zm63");
        EXPECT_EQ(message.remote_ice_credentials.password, "rkoqiqdssvzw4nvb2ernjp");
        EXPECT_EQ(message.resource, (PoolGrant{kPool, {{FilterProtocol::kTcp, 22, 22}}}));
        EXPECT_EQ(message.expires_at, UnixSeconds{std::chrono::seconds{1788220800}});
        EXPECT_EQ(message.flow_logs_ingest_token, "a.b.c");
    }
}

TEST(DevicePoolCodec, ReadsThatAccessIsGranted) {
    const auto message = decoded<DeviceAccessAuthorized>("client_device_access_authorized", R"({
 "client_id":"a2c4e6f8-1b3d-4f50-9a7c-8e0d2b4f6a91","client_name":"build-1",
 "client_public_key":"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=","client_ipv4":"100.71.20.31","client_ipv6":"fd00:2021:1111::9:11f",
 "preshared_key":"RSKC7F9vHInXZuNDQaXFa/OXfpl0FhifjeoWUDIEO9s=","ice_role":"controlling",
 "local_ice_credentials":{"username":"royt","password":"rkoqiqdssvzw4nvb2ernjp"},
 "remote_ice_credentials":{"username":"zm63","password":"uzijerjayzauyrjc7e3w4q"}})");

    EXPECT_EQ(message.client_id, kTarget);
    EXPECT_EQ(message.ice_role, IceRole::kControlling);
    EXPECT_EQ(message.resource, std::nullopt);
    EXPECT_EQ(message.expires_at, std::nullopt);
}

TEST(DevicePoolCodec, ReadsRefusals) {
    const auto denied = decoded<DeviceAccessDenied>(
        "client_device_access_denied",
        R"({"client_id":"a2c4e6f8-1b3d-4f50-9a7c-8e0d2b4f6a91","ipv4":"100.71.20.31","ipv6":null,"reason":"offline"})");
    EXPECT_EQ(denied.ipv4, ip("100.71.20.31"));
    EXPECT_EQ(denied.ipv6, std::nullopt);
    EXPECT_EQ(denied.reason, DeviceAccessRefusal::kOffline);

    EXPECT_EQ(decoded<DeviceAccessDenied>("client_device_access_denied", R"({"ipv4":"nonsense","reason":"new"})"),
              DeviceAccessDenied{});
}

TEST(DevicePoolCodec, ReadsPoolsAmongResources) {
    const std::string pool =
        R"({"id":"e6b0d1c4-7a92-4f35-8c1e-3d5f9a2b7046","type":"static_device_pool","name":"Build hosts",
 "filters":[],"devices":[{"client_id":"a2c4e6f8-1b3d-4f50-9a7c-8e0d2b4f6a91","ipv4":"100.71.20.31/32","ipv6":"fd00:2021:1111::9:11f/128"},
 {"id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","ipv4":"100.71.20.9","ipv6":"fd00:2021:1111::7:a3c1"}]})";
    const DevicePool expected{kPool,
                              "Build hosts",
                              {},
                              {{kTarget, ip("100.71.20.31"), ip("fd00:2021:1111::9:11f")},
                               {kInitiator, ip("100.71.20.9"), ip("fd00:2021:1111::7:a3c1")}}};

    EXPECT_EQ(decoded<DevicePoolCreatedOrUpdated>("resource_created_or_updated", pool).pool, expected);
    const auto init = decoded<ClientInit>(
        "init", R"({"interface":{"ipv4":"100.71.20.9","ipv6":"fd00:2021:1111::7:a3c1"},"resources":[)" + pool +
                    R"(,{"type":"static_device_pool","id":"x"}],"relays":[],"authorizations":[
                    {"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","resource_id":"e6b0d1c4-7a92-4f35-8c1e-3d5f9a2b7046","expires_at":5}]})");
    EXPECT_EQ(init.device_pools, std::vector{expected}) << "without the malformed one";
    EXPECT_TRUE(init.resources.empty());
    EXPECT_EQ(init.authorizations,
              (std::vector<Authorization>{{kInitiator, kPool, UnixSeconds{std::chrono::seconds{5}}}}));
}

TEST(DevicePoolCodec, RefusesWhatWouldGrantMoreThanWasMeant) {
    auto with_unknown_filter = kToTarget;
    with_unknown_filter.replace(with_unknown_filter.find("tcp"), 3, "sctp");
    EXPECT_NE(error_of("client_device_access_authorized", with_unknown_filter), "decoded");
    EXPECT_NE(error_of("resource_filters_updated",
                       R"({"id":"e6b0d1c4-7a92-4f35-8c1e-3d5f9a2b7046","filters":[{"protocol":"sctp"}]})"),
              "decoded");
    auto with_wide_role = kToTarget;
    with_wide_role.replace(with_wide_role.find("controlled"), 10, "anything__");
    EXPECT_NE(error_of("client_device_access_authorized", with_wide_role), "decoded");
    for (const auto* address : {"100.71.20.0/24", "fd00::1", "x"}) {
        const auto text =
            std::string{R"({"event":"resource_created_or_updated","ref":null,"topic":"client","payload":)"} +
            R"({"id":"e6b0d1c4-7a92-4f35-8c1e-3d5f9a2b7046","type":"static_device_pool","name":"p","devices":[)" +
            R"({"client_id":"a2c4e6f8-1b3d-4f50-9a7c-8e0d2b4f6a91","ipv6":"fd00:2021:1111::1/128","ipv4":")" + address +
            "\"}]}}";
        const auto frame = decode_to_device(Role::kClient, Dialect::kV2, text);
        ASSERT_TRUE(frame);
        EXPECT_TRUE(std::holds_alternative<IgnoredFrame>(*frame)) << address;
    }
}

TEST(DevicePoolCodec, ReadsWhatClientsAskFor) {
    const auto frame =
        decode_from_device(Role::kClient, Dialect::kV2, R"({"topic":"client","event":"request_authorization",
 "ref":14,"payload":{"resource_id":"e6b0d1c4-7a92-4f35-8c1e-3d5f9a2b7046","connected_gateway_ids":[],"ipv4":"100.71.20.31"}})");
    ASSERT_TRUE(frame);
    EXPECT_EQ(std::get<DeviceMessageFrame>(*frame).message,
              FromDevice{FromClient(CreateFlow{kPool, {}, "100.71.20.31", {}})});
}

}  // namespace
}  // namespace culvert::portal_api
