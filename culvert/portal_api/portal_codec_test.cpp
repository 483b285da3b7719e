#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "culvert/portal_api/codec.h"
#include "culvert/portal_api/spec_examples.h"

namespace culvert::portal_api {
namespace {

namespace json = boost::json;
namespace spec = spec_examples;

json::value parse(std::string_view text) {
    return json::parse(json::string_view{text.data(), text.size()});
}

/// Members that are the same absent and null, and ports that are the same absent and full.
json::value normalised(json::value value) {
    if (auto* object = value.if_object()) {
        json::object result;
        for (auto& [key, member] : *object) {
            if (!member.is_null() && key != "name") {
                result[key] = normalised(member);
            }
        }
        return result;
    }
    if (auto* array = value.if_array()) {
        for (auto& item : *array) {
            item = normalised(item);
        }
    }
    return value;
}

TEST(PortalCodec, DecodesWhatClientsSend) {
    const auto frame = decode_from_device(Role::kClient, Dialect::kV1, spec::kCreateFlow);
    ASSERT_TRUE(frame);
    const auto& message = std::get<DeviceMessageFrame>(*frame);
    EXPECT_EQ(message.ref.json, "3");
    const auto& flow = std::get<CreateFlow>(std::get<FromClient>(message.message));
    EXPECT_EQ(flow.resource_id.to_string(), "2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46");
    EXPECT_EQ(flow.connected_gateway_ids.size(), 1U);
}

TEST(PortalCodec, DecodesWhatGatewaysSend) {
    const auto frame = decode_from_device(Role::kGateway, Dialect::kV1, spec::kFlowAuthorized);
    ASSERT_TRUE(frame);
    const auto& authorized =
        std::get<FlowAuthorized>(std::get<FromGateway>(std::get<DeviceMessageFrame>(*frame).message));
    EXPECT_EQ(authorized.ref, "SFMyNTY.g2gDbQAAAB5leGFtcGxlLW9wYXF1ZS1yZWZlcmVuY2Ut.c2lnbmF0dXJl");
}

TEST(PortalCodec, DecodesControlFrames) {
    const auto client = decode_from_device(Role::kClient, Dialect::kV1, spec::kClientJoin);
    EXPECT_EQ(std::get<JoinFrame>(*client).topic, "client");
    EXPECT_EQ(std::get<JoinFrame>(*client).stamp_secret, std::nullopt);
    const auto relay = decode_from_device(Role::kRelay, Dialect::kV1, spec::kRelayJoin);
    EXPECT_EQ(std::get<JoinFrame>(*relay).stamp_secret,
              "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    EXPECT_EQ(std::get<HeartbeatFrame>(*decode_from_device(Role::kGateway, Dialect::kV1, spec::kHeartbeat)).ref.json,
              "7");
    const auto leave = decode_from_device(
        Role::kClient, Dialect::kV1, R"({"topic":"client","event":"phx_leave","payload":{},"ref":"4","join_ref":"1"})");
    EXPECT_EQ(std::get<LeaveFrame>(*leave).ref.json, R"("4")");
    EXPECT_FALSE(std::get<JoinFrame>(*relay).takes_turn_users);
    const auto ours = decode_from_device(Role::kRelay, Dialect::kV1, encode_join(Role::kRelay, 0, "secret"));
    EXPECT_TRUE(std::get<JoinFrame>(*ours).takes_turn_users);
    for (const auto* const features : {R"("turn_users")", R"([7,"other"])", "null"}) {
        const auto odd = decode_from_device(
            Role::kRelay, Dialect::kV1,
            R"({"topic":"relay","event":"phx_join","ref":0,"payload":{"stamp_secret":"s","features":)" +
                std::string{features} + "}}");
        EXPECT_EQ(std::get<JoinFrame>(*odd).stamp_secret, "s") << features;
        EXPECT_FALSE(std::get<JoinFrame>(*odd).takes_turn_users) << features;
    }
}

TEST(PortalCodec, AnswersUnknownWhatItCannotUse) {
    for (
        const auto& [role, text] :
        {std::pair{Role::kClient, R"({"topic":"client","event":"request_authorization","payload":{},"ref":1})"},
         std::pair{
             Role::kClient,
             R"({"topic":"client","event":"create_flow","payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46"},"ref":1})"},
         std::pair{Role::kClient, R"({"topic":"client","event":"create_flow","payload":null,"ref":1})"},
         std::pair{Role::kGateway, R"({"topic":"gateway","event":"flow_authorized","payload":{"ref":7},"ref":1})"},
         std::pair{Role::kRelay, R"({"topic":"relay","event":"anything","payload":{},"ref":1})"}}) {
        const auto frame = decode_from_device(role, Dialect::kV1, text);
        ASSERT_TRUE(frame) << text;
        ASSERT_TRUE(std::holds_alternative<UnknownFrame>(*frame)) << text;
        EXPECT_EQ(std::get<UnknownFrame>(*frame).ref.json, "1");
    }
}

TEST(PortalCodec, RefusesWhatIsNotAFrame) {
    for (const auto* text :
         {"", "[]", R"(["1","1","client","phx_join",{}])", R"({"event":"phx_join","payload":null,"ref":0})",
          R"({"topic":"client","payload":null,"ref":0})", R"({"topic":"client","event":"phx_join","ref":0})",
          R"({"topic":"client","event":"phx_join","payload":null})",
          R"({"topic":"client","event":"phx_join","payload":null,"ref":{}})",
          R"({"topic":7,"event":"phx_join","payload":null,"ref":0})"}) {
        EXPECT_FALSE(decode_from_device(Role::kClient, Dialect::kV1, text)) << text;
    }
    const std::string deep =
        R"({"topic":"client","event":"x","ref":0,"payload":)" + std::string(40, '[') + std::string(40, ']') + "}";
    EXPECT_FALSE(decode_from_device(Role::kClient, Dialect::kV1, deep));
}

/// Blanks around it count as well.
std::string heartbeat_of_size(std::size_t size) {
    std::string frame{spec::kHeartbeat};
    frame.resize(size, ' ');
    return frame;
}

TEST(PortalCodec, RefusesWhatIsLongerThanItsRoleEverSends) {
    for (const auto& [role, size] : {std::pair{Role::kClient, 64U}, {Role::kRelay, 64U}, {Role::kGateway, 256U}}) {
        EXPECT_TRUE(decode_from_device(role, Dialect::kV1, heartbeat_of_size(size * 1024))) << to_topic(role);
        EXPECT_FALSE(decode_from_device(role, Dialect::kV1, heartbeat_of_size(size * 1024 + 1))) << to_topic(role);
    }
}

TEST(PortalCodec, RefusesWhatItsAnswerWouldRepeatAtLength) {
    const auto frame = [](const std::string& topic, const std::string& ref) {
        return R"({"topic":")" + topic + R"(","event":"nonsense","payload":{},"ref":)" + ref + "}";
    };
    const std::string longest(128, 'x');
    const auto longest_ref = '"' + std::string(126, 'x') + '"';
    EXPECT_TRUE(decode_from_device(Role::kClient, Dialect::kV1, frame(longest, longest_ref)));
    EXPECT_EQ(decode_from_device(Role::kClient, Dialect::kV1, frame(longest + "x", "1")).error().text,
              "topic: too long");
    EXPECT_EQ(decode_from_device(Role::kClient, Dialect::kV1, frame("client", '"' + longest + '"')).error().text,
              "ref: too long");
}

TEST(PortalCodec, EncodesEveryPushOfTheSpecification) {
    for (const auto& [role, text] : {std::pair{Role::kClient, spec::kClientInit},
                                     {Role::kClient, spec::kConfigChanged},
                                     {Role::kClient, spec::kResourceCreatedOrUpdated},
                                     {Role::kClient, spec::kResourceDeleted},
                                     {Role::kClient, spec::kClientRelaysPresence},
                                     {Role::kClient, spec::kFlowCreated},
                                     {Role::kClient, spec::kFlowCreationFailed},
                                     {Role::kClient, spec::kFlowCreationFailedOffline},
                                     {Role::kClient, spec::kGatewayIceCandidates},
                                     {Role::kClient, spec::kInvalidateGatewayIceCandidates},
                                     {Role::kGateway, spec::kGatewayInit},
                                     {Role::kGateway, spec::kAuthorizeFlow},
                                     {Role::kGateway, spec::kAccessAuthorizationExpiryUpdated},
                                     {Role::kGateway, spec::kRejectAccess},
                                     {Role::kGateway, spec::kResourceUpdated},
                                     {Role::kGateway, spec::kGatewayRelaysPresence},
                                     {Role::kGateway, spec::kClientIceCandidates},
                                     {Role::kGateway, spec::kInvalidateClientIceCandidates},
                                     {Role::kRelay, spec::kRelayInit}}) {
        const auto frame = decode_to_device(role, Dialect::kV1, text);
        ASSERT_TRUE(frame) << frame.error().text << " in " << text;
        const auto& message = std::get<MessageFrame>(*frame).message;

        const auto encoded = encode_to_device(message, Dialect::kV1);

        EXPECT_EQ(normalised(parse(encoded)), normalised(parse(text)));
        EXPECT_TRUE(parse(encoded).as_object().at("ref").is_null());
        const auto again = decode_to_device(role, Dialect::kV1, encoded);
        ASSERT_TRUE(again) << again.error().text;
        EXPECT_EQ(std::get<MessageFrame>(*again).message, message);
    }
}

TEST(PortalCodec, SendsTheSearchDomainAndServersEvenIfThereAreNone) {
    const auto encoded = parse(encode_to_device(ToClient{ConfigChanged{}}, Dialect::kV1));
    const auto& interface = encoded.at("payload").at("interface").as_object();
    EXPECT_TRUE(interface.at("search_domain").is_null());
    EXPECT_TRUE(interface.at("upstream_dns").as_array().empty());
    const auto gateway = parse(encode_to_device(ToGateway{GatewayInit{}}, Dialect::kV1));
    EXPECT_FALSE(gateway.at("payload").at("interface").as_object().contains("upstream_dns"));
}

TEST(PortalCodec, SendsResolversOverHttpsIfThereAreSome) {
    ConfigChanged changed;
    changed.interface.ipv4 = *net::IpAddress::parse("100.64.0.1");
    changed.interface.ipv6 = *net::IpAddress::parse("fd00:2021:1111::1");
    EXPECT_EQ(encode_to_device(ToClient{changed}, Dialect::kV1).find("doh"), std::string::npos)
        << "old devices do not know it";

    changed.interface.upstream_doh = {"https://dns.example/dns-query", "https://9.9.9.9/dns-query"};
    EXPECT_EQ(parse(encode_to_device(ToClient{changed}, Dialect::kV1)).at("payload").at("interface").at("upstream_doh"),
              parse(R"([{"url":"https://dns.example/dns-query"},{"url":"https://9.9.9.9/dns-query"}])"));
}

TEST(PortalCodec, WritesAnExpiryThatNeverComesAsNull) {
    const auto encoded =
        parse(encode_to_device(ToGateway{AuthorizeFlow{.resource = GatewayInternetResource{}}}, Dialect::kV1));
    EXPECT_TRUE(encoded.at("payload").as_object().at("expires_at").is_null());
}

TEST(PortalCodec, RepeatsTheRefAsItCame) {
    EXPECT_EQ(parse(encode_ok_reply("client", Ref{"0"})), parse(spec::kJoinReply));
    EXPECT_EQ(parse(encode_ok_reply("client", Ref{R"("4")"})).at("ref").as_string(), "4");
    EXPECT_EQ(parse(encode_ok_reply("client", Ref{"18446744073709551615"})).at("ref").as_uint64(),
              18446744073709551615ULL);
    EXPECT_EQ(parse(encode_error_reply("client", Ref{"9"}, "unmatched topic")), parse(spec::kUnmatchedTopicReply));
    EXPECT_EQ(parse(encode_error_reply("client", Ref{"6"}, "unknown_message")), parse(spec::kUnknownMessageReply));
}

TEST(PortalCodec, EncodesTheEndsOfAChannel) {
    EXPECT_EQ(parse(encode_channel_crashed("client")), parse(spec::kPhxError));
    EXPECT_EQ(parse(encode_channel_closed("client")), parse(spec::kPhxClose));
    EXPECT_EQ(parse(encode_disconnect("relay", "token_expired")), parse(spec::kDisconnect));
}

}  // namespace
}  // namespace culvert::portal_api
