#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "culvert/observability/log_capture.h"
#include "culvert/observability/log_format.h"
#include "culvert/portal_api/codec.h"
#include "culvert/portal_api/spec_examples.h"

namespace culvert::portal_api {
namespace {

namespace json = boost::json;
namespace spec = spec_examples;
using ::testing::HasSubstr;

json::value parse(std::string_view text) {
    return json::parse(json::string_view{text.data(), text.size()});
}

std::string with_payload(std::string_view event, std::string_view payload) {
    return R"({"topic":"client","ref":null,"event":")" + std::string{event} + R"(","payload":)" + std::string{payload} +
           "}";
}

/// The message in a frame that must decode.
template <typename Message, typename Set>
Message decoded(Role role, std::string_view text) {
    const auto frame = decode_to_device(role, Dialect::kV1, text);
    if (!frame) {
        ADD_FAILURE() << frame.error().text << " in " << text;
        return {};
    }
    const auto* message = std::get_if<MessageFrame>(&*frame);
    const auto* set = message ? std::get_if<Set>(&message->message) : nullptr;
    const auto* result = set ? std::get_if<Message>(set) : nullptr;
    if (!result) {
        ADD_FAILURE() << "not the expected message: " << text;
        return {};
    }
    return *result;
}
template <typename Message>
Message to_client(std::string_view text) {
    return decoded<Message, ToClient>(Role::kClient, text);
}
template <typename Message>
Message to_gateway(std::string_view text) {
    return decoded<Message, ToGateway>(Role::kGateway, text);
}

std::string error_of(Role role, std::string_view text) {
    const auto frame = decode_to_device(role, Dialect::kV1, text);
    if (frame) {
        return "decoded";
    }
    EXPECT_EQ(frame.error().kind, DecodeError::Kind::kUndecodable);
    return frame.error().text;
}

ClientInit init_with_resources(std::string_view resources) {
    return to_client<ClientInit>(
        with_payload("init", R"({"interface":{"ipv4":"100.71.20.9","ipv6":"fd00:2021:1111::7:a3c1"},"resources":)" +
                                 std::string{resources} + "}"));
}

/// What logging says while it lives.
class CapturedLog {
public:
    std::string warnings;
    std::string others;

private:
    log::CaptureScope capture_{log::Level::kTrace, [this](log::Level level, auto&&... line) {
                                   (level >= log::Level::kWarn ? warnings : others) +=
                                       log::format_human(level, line...) + "\n";
                               }};
};

// --- Examples of the specification ---

TEST(DeviceCodec, DecodesTheClientInitOfTheSpecification) {
    const auto init = to_client<ClientInit>(spec::kClientInit);

    EXPECT_EQ(init.interface.ipv4.to_string(), "100.71.20.9");
    EXPECT_EQ(init.interface.ipv6.to_string(), "fd00:2021:1111::7:a3c1");
    EXPECT_EQ(init.interface.search_domain, "corp.example");
    ASSERT_EQ(init.interface.upstream_dns.size(), 2U);
    EXPECT_EQ(init.interface.upstream_dns[1].address.to_string(), "[2620:fe::fe]:53");

    ASSERT_EQ(init.resources.size(), 3U);
    const auto& dns = std::get<ClientDnsResource>(init.resources[0]);
    EXPECT_EQ(dns.id.to_string(), "2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46");
    EXPECT_EQ(dns.address, "**.git.corp.example");
    EXPECT_EQ(dns.address_description, "https://git.corp.example");
    EXPECT_EQ(dns.ip_stack, IpStack::kDual);
    ASSERT_EQ(dns.sites.size(), 1U);
    EXPECT_EQ(dns.sites[0].name, "fra-1");
    EXPECT_EQ(dns.filters, (std::vector<Filter>{{FilterProtocol::kTcp, 443, 443}, {FilterProtocol::kIcmp}}));
    const auto& cidr = std::get<ClientCidrResource>(init.resources[1]);
    EXPECT_EQ(cidr.address.to_string(), "10.40.0.0/16");
    EXPECT_EQ(cidr.address_description, std::nullopt);
    const auto& internet = std::get<ClientInternetResource>(init.resources[2]);
    EXPECT_EQ(internet.name, "Internet Resource");

    ASSERT_EQ(init.relays.size(), 2U);
    EXPECT_EQ(init.relays[0].id, init.relays[1].id);
    EXPECT_EQ(init.relays[1].addr.to_string(), "[2001:db8:20::1]:3478");
    EXPECT_EQ(init.relays[0].expires_at.time_since_epoch().count(), 1767225600);
    EXPECT_EQ(init.relays[0].password, "v8ZaWNbx4G4mJawpGVwhu4/XSQOGrKfM/TjKkCnky8U");
}

TEST(DeviceCodec, DecodesTheOtherClientMessagesOfTheSpecification) {
    const auto config = to_client<ConfigChanged>(spec::kConfigChanged);
    EXPECT_EQ(config.interface.search_domain, std::nullopt);
    EXPECT_TRUE(config.interface.upstream_dns.empty());

    const auto updated = to_client<ResourceCreatedOrUpdated>(spec::kResourceCreatedOrUpdated);
    EXPECT_EQ(std::get<ClientCidrResource>(updated.resource).address.to_string(), "10.41.0.0/16");

    EXPECT_EQ(to_client<ResourceDeleted>(spec::kResourceDeleted).resource_id.to_string(),
              "8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58");

    const auto presence = to_client<RelaysPresence>(spec::kClientRelaysPresence);
    ASSERT_EQ(presence.disconnected_ids.size(), 1U);
    EXPECT_EQ(presence.connected.size(), 1U);

    const auto flow = to_client<FlowCreated>(spec::kFlowCreated);
    EXPECT_EQ(flow.gateway_public_key.bytes[0], std::byte{0x20});
    EXPECT_EQ(flow.preshared_key.reveal()[0], std::byte{0x64});
    EXPECT_EQ(flow.site_id.to_string(), "6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01");
    EXPECT_EQ(flow.client_ice_credentials.password, "ybiexazkc67lq5eowhvor4");
    EXPECT_EQ(flow.gateway_ice_credentials.username, "nnqv");

    const auto forbidden = to_client<FlowCreationFailed>(spec::kFlowCreationFailed);
    EXPECT_EQ(forbidden.reason, FlowFailure::kForbidden);
    EXPECT_EQ(forbidden.violated_properties, (std::vector<std::string>{"client_verified", "remote_ip"}));
    EXPECT_EQ(to_client<FlowCreationFailed>(spec::kFlowCreationFailedOffline).reason, FlowFailure::kOffline);

    EXPECT_EQ(to_client<GatewayIceCandidates>(spec::kGatewayIceCandidates).candidates.size(), 1U);
    EXPECT_EQ(to_client<InvalidateGatewayIceCandidates>(spec::kInvalidateGatewayIceCandidates).candidates.size(), 1U);
}

TEST(DeviceCodec, DecodesTheGatewayMessagesOfTheSpecification) {
    const auto init = to_gateway<GatewayInit>(spec::kGatewayInit);
    EXPECT_EQ(init.account_slug, "acme");
    EXPECT_TRUE(init.ipv4_masquerade_enabled);
    ASSERT_EQ(init.authorizations.size(), 1U);
    EXPECT_EQ(init.authorizations[0].expires_at.time_since_epoch().count(), 1767225600);
    EXPECT_EQ(init.relays.size(), 1U);

    const auto flow = to_gateway<AuthorizeFlow>(spec::kAuthorizeFlow);
    EXPECT_EQ(flow.ref, "SFMyNTY.g2gDbQAAAB5leGFtcGxlLW9wYXF1ZS1yZWZlcmVuY2Ut.c2lnbmF0dXJl");
    EXPECT_EQ(std::get<GatewayDnsResource>(flow.resource).filters.size(), 2U);
    EXPECT_EQ(flow.client.public_key.bytes[31], std::byte{0x1f});
    EXPECT_EQ(flow.client.device_os_name, "Ubuntu");
    EXPECT_EQ(flow.client.identifier_for_vendor, std::nullopt);
    EXPECT_EQ(flow.subject.actor_email, "kim@corp.example");
    EXPECT_EQ(flow.expires_at->time_since_epoch().count(), 1767225600);

    EXPECT_EQ(to_gateway<AccessAuthorizationExpiryUpdated>(spec::kAccessAuthorizationExpiryUpdated)
                  .expires_at.time_since_epoch()
                  .count(),
              1767139200);
    EXPECT_EQ(to_gateway<RejectAccess>(spec::kRejectAccess).client_id.to_string(),
              "3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10");
    const auto updated = to_gateway<ResourceUpdated>(spec::kResourceUpdated);
    EXPECT_EQ(std::get<GatewayCidrResource>(updated.resource).filters,
              (std::vector<Filter>{{FilterProtocol::kUdp, 5000, 5010}, {FilterProtocol::kTcp, 0, 65535}}));
    EXPECT_TRUE(to_gateway<RelaysPresence>(spec::kGatewayRelaysPresence).disconnected_ids.empty());
    EXPECT_EQ(to_gateway<ClientIceCandidates>(spec::kClientIceCandidates).candidates.size(), 1U);
    EXPECT_EQ(to_gateway<InvalidateClientIceCandidates>(spec::kInvalidateClientIceCandidates).candidates.size(), 1U);
}

TEST(DeviceCodec, DecodesTheRelayInitOfTheSpecification) {
    decoded<RelayInit, ToRelay>(Role::kRelay, spec::kRelayInit);
    EXPECT_THAT(error_of(Role::kRelay, spec::kConfigChanged), HasSubstr("event: unknown"));
}

/// The specification's, and what relays of ours understand beyond it.
constexpr std::string_view kRelayJoin =
    R"json({"topic":"relay","event":"phx_join","payload":{"stamp_secret":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","features":["turn_users"]},"ref":0})json";

TEST(DeviceCodec, TellsRelaysWhatThePortalSaysAboutUsers) {
    const TurnUsers message{.revoked = {{"c2FsdA", UnixSeconds{std::chrono::seconds{1'767'225'600}}}},
                            .extended = {{"b3RoZXI", UnixSeconds{std::chrono::seconds{1'770'000'000}}}}};
    const auto text = encode_to_device(ToRelay{message}, Dialect::kV1);
    EXPECT_EQ(
        parse(text),
        parse(
            R"json({"topic":"relay","event":"turn_users","payload":{"revoked":[{"salt":"c2FsdA","until":1767225600}],"extended":[{"salt":"b3RoZXI","until":1770000000}]},"ref":null})json"));

    const auto frame = decode_to_device(Role::kRelay, Dialect::kV1, text);
    ASSERT_TRUE(frame) << frame.error().text;
    EXPECT_EQ(std::get<TurnUsers>(std::get<ToRelay>(std::get<MessageFrame>(*frame).message)), message);

    for (const auto* const payload : {R"([])", R"({"revoked":{}})", R"({"revoked":[{"salt":"x"}]})",
                                      R"({"revoked":[{"salt":1,"until":2}]})", R"({"extended":[7]})"}) {
        EXPECT_FALSE(decode_to_device(
            Role::kRelay, Dialect::kV1,
            R"({"topic":"relay","event":"turn_users","ref":null,"payload":)" + std::string{payload} + "}"))
            << payload;
    }
}

TEST(DeviceCodec, EncodesWhatTheSpecificationShows) {
    EXPECT_EQ(parse(encode_join(Role::kClient, 0, std::nullopt)), parse(spec::kClientJoin));
    EXPECT_EQ(parse(encode_join(Role::kRelay, 0, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")),
              parse(kRelayJoin));
    EXPECT_EQ(parse(encode_heartbeat(7)), parse(spec::kHeartbeat));

    for (const auto& [role, text] :
         {std::pair{Role::kClient, spec::kCreateFlow}, std::pair{Role::kClient, spec::kBroadcastGatewayIceCandidates},
          std::pair{Role::kClient, spec::kBroadcastInvalidatedGatewayIceCandidates},
          std::pair{Role::kGateway, spec::kFlowAuthorized},
          std::pair{Role::kGateway, spec::kBroadcastClientIceCandidates},
          std::pair{Role::kGateway, spec::kBroadcastInvalidatedClientIceCandidates}}) {
        const auto frame = decode_from_device(role, Dialect::kV1, text);
        ASSERT_TRUE(frame) << text;
        const auto& message = std::get<DeviceMessageFrame>(*frame);
        const auto ref = parse(text).as_object().at("ref").to_number<std::uint64_t>();
        EXPECT_EQ(parse(encode_from_device(message.message, Dialect::kV1, ref)), parse(text));
    }
}

// --- Control frames (3.3) ---

TEST(DeviceCodec, TellsTruncatedFromUndecodable) {
    for (const auto* text : {"", "  ", "{", R"({"topic":"cli)", R"({"topic":"client","event":"init","payload":{})"}) {
        const auto frame = decode_to_device(Role::kClient, Dialect::kV1, text);
        ASSERT_FALSE(frame);
        EXPECT_EQ(frame.error().kind, DecodeError::Kind::kTruncated) << text;
    }
    for (const auto* text :
         {"nonsense", "[]", "12", "\"init\"", "{}", "{} {}", R"({"topic":"\ud800"})", "{\"a\":\xff}"}) {
        const auto frame = decode_to_device(Role::kClient, Dialect::kV1, text);
        ASSERT_FALSE(frame);
        EXPECT_EQ(frame.error().kind, DecodeError::Kind::kUndecodable) << text;
    }
    EXPECT_FALSE(decode_to_device(Role::kClient, Dialect::kV1, std::string(100'000, '[')));
}

TEST(DeviceCodec, DecodesReplies) {
    const auto ok = decode_to_device(Role::kClient, Dialect::kV1, spec::kHeartbeatReply);
    EXPECT_EQ(std::get<OkReply>(*ok).ref, 7U);
    EXPECT_EQ(std::get<OkReply>(*ok).topic, "phoenix");

    const auto null =
        decode_to_device(Role::kClient, Dialect::kV1,
                         R"({"topic":"client","event":"phx_reply","ref":3,"payload":{"status":"ok","response":null}})");
    EXPECT_EQ(std::get<NullReply>(*null).ref, 3U);

    const auto unmatched = decode_to_device(Role::kClient, Dialect::kV1, spec::kUnmatchedTopicReply);
    EXPECT_EQ(std::get<ErrorReply>(*unmatched).reason, ErrorReason::kUnmatchedTopic);
    EXPECT_EQ(std::get<ErrorReply>(*unmatched).ref, 9U);
    const auto unknown = decode_to_device(Role::kClient, Dialect::kV1, spec::kUnknownMessageReply);
    EXPECT_EQ(std::get<ErrorReply>(*unknown).reason, ErrorReason::kOther);
    EXPECT_EQ(std::get<ErrorReply>(*unknown).text, "unknown_message");
}

TEST(DeviceCodec, RefusesRepliesThatItCannotRead) {
    for (const auto* rest : {
             R"("ref":null,"payload":{"status":"ok","response":{}}})",
             R"("payload":{"status":"ok","response":{}}})",
             R"("ref":"12","payload":{"status":"ok","response":{}}})",
             R"("ref":-1,"payload":{"status":"ok","response":{}}})",
             R"("ref":1.0,"payload":{"status":"ok","response":{}}})",
             R"("ref":1,"payload":{"status":"ok","response":{"a":1}}})",
             R"("ref":1,"payload":{"status":"ok","response":[]}})",
             R"("ref":1,"payload":{"status":"ok"}})",
             R"("ref":1,"payload":{"status":"error","response":{}}})",
             R"("ref":1,"payload":{"status":"error","response":{"reason":null}}})",
             R"("ref":1,"payload":{"status":"maybe","response":{}}})",
             R"("ref":1,"payload":null})",
         }) {
        EXPECT_NE(error_of(Role::kClient, R"({"topic":"client","event":"phx_reply",)" + std::string{rest}), "decoded")
            << rest;
    }
}

TEST(DeviceCodec, DecodesTheEndsOfAChannel) {
    EXPECT_TRUE(
        std::holds_alternative<ChannelCrashed>(*decode_to_device(Role::kClient, Dialect::kV1, spec::kPhxError)));
    EXPECT_TRUE(std::holds_alternative<ChannelClosed>(*decode_to_device(Role::kClient, Dialect::kV1, spec::kPhxClose)));
    EXPECT_EQ(std::get<Disconnect>(*decode_to_device(Role::kGateway, Dialect::kV1, spec::kDisconnect)).reason,
              "token_expired");

    EXPECT_NE(error_of(Role::kClient, with_payload("phx_error", R"({"a":1})")), "decoded");
    EXPECT_NE(error_of(Role::kClient, with_payload("phx_close", "null")), "decoded");
    EXPECT_EQ(error_of(Role::kClient, with_payload("disconnect", R"({"reason":"certificate_revoked"})")), "decoded");
    EXPECT_NE(error_of(Role::kClient, with_payload("disconnect", "{}")), "decoded");
}

TEST(DeviceCodec, RefusesMessagesOfOtherRolesAndEras) {
    EXPECT_THAT(error_of(Role::kGateway, spec::kFlowCreated), HasSubstr("event: unknown"));
    EXPECT_THAT(error_of(Role::kClient, with_payload("authorization_created", "{}")), HasSubstr("event: unknown"));
    EXPECT_THAT(error_of(Role::kClient, R"({"event":"init","payload":{},"ref":null})"), HasSubstr("topic: missing"));
    EXPECT_THAT(error_of(Role::kClient, R"({"topic":"client","event":"init","ref":null})"), HasSubstr("payload"));
    EXPECT_THAT(error_of(Role::kClient, R"({"topic":"client","event":"resource_deleted","ref":"1","payload":"x"})"),
                HasSubstr("ref"));
}

// --- Tolerance (5) ---

TEST(DeviceCodec, SkipsResourcesOfUnknownTypeQuietly) {
    CapturedLog captured;
    const auto init = init_with_resources(R"([{"type":"dynamic_device_pool","anything":[1,2]},
        {"id":"50e7c2d9-3a18-4f6b-8d02-b9f4e1a7630c","type":"internet","gateway_groups":[]}])");

    EXPECT_EQ(init.resources.size(), 1U);
    EXPECT_TRUE(captured.warnings.empty()) << captured.warnings;
    EXPECT_THAT(captured.others, HasSubstr("dynamic_device_pool"));
}

TEST(DeviceCodec, SkipsMalformedResourcesWithAWarning) {
    CapturedLog captured;
    const auto init = init_with_resources(R"([
        {"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"cidr","name":"secret name","address":"10.0.0.1/8","gateway_groups":[]},
        {"id":"nope","type":"cidr","name":"secret name","address":"10.0.0.0/8","gateway_groups":[]},
        {"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"cidr","name":"secret name","address":"10.0.0.0/8"},
        {"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"dns","name":null,"address":"a.example","gateway_groups":[]},
        {"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"dns","name":"n","address":"a.example","gateway_groups":[],"ip_stack":"ipv8"},
        {"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"dns","name":"good","address":"a.example","gateway_groups":[],"ip_stack":null}])");

    ASSERT_EQ(init.resources.size(), 1U);
    EXPECT_EQ(std::get<ClientDnsResource>(init.resources[0]).name, "good");
    EXPECT_EQ(std::ranges::count(captured.warnings, '\n'), 5);
    EXPECT_THAT(captured.warnings, ::testing::Not(HasSubstr("secret name")));
}

TEST(DeviceCodec, RefusesTheWholeMessageIfAResourceHasNoType) {
    EXPECT_THAT(error_of(Role::kClient, with_payload("init", R"({"interface":{"ipv4":"100.71.20.9","ipv6":"fd00::1"},
        "resources":[{"id":"50e7c2d9-3a18-4f6b-8d02-b9f4e1a7630c","gateway_groups":[]}]})")),
                HasSubstr("payload.resources[].type: missing"));
}

TEST(DeviceCodec, IgnoresAnUpdateOfAResourceThatItWouldSkip) {
    const auto unknown = decode_to_device(
        Role::kClient, Dialect::kV1, with_payload("resource_created_or_updated", R"({"type":"dynamic_device_pool"})"));
    ASSERT_TRUE(unknown);
    EXPECT_TRUE(std::holds_alternative<IgnoredFrame>(*unknown));
    EXPECT_NE(error_of(Role::kClient, with_payload("resource_created_or_updated", "{}")), "decoded");
}

TEST(DeviceCodec, AcceptsTheNamesOfLaterPortals) {
    const auto init = init_with_resources(R"([{"id":"50e7c2d9-3a18-4f6b-8d02-b9f4e1a7630c","type":"internet",
        "sites":[{"id":"6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01","name":"fra-1"}]}])");
    ASSERT_EQ(init.resources.size(), 1U);
    EXPECT_EQ(std::get<ClientInternetResource>(init.resources[0]).sites.size(), 1U);

    std::string flow{spec::kFlowCreated};
    flow.replace(flow.find("gateway_group_id"), std::string_view{"gateway_group_id"}.size(), "site_id");
    EXPECT_EQ(to_client<FlowCreated>(flow).site_id.to_string(), "6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01");
}

TEST(DeviceCodec, DefaultsWhatMayBeAbsentButRefusesNull) {
    const std::string interface = R"("interface":{"ipv4":"100.71.20.9","ipv6":"fd00::1")";
    const auto init = to_client<ClientInit>(with_payload("init", "{" + interface + "}}"));
    EXPECT_TRUE(init.resources.empty());
    EXPECT_TRUE(init.relays.empty());
    EXPECT_TRUE(init.interface.upstream_dns.empty());

    EXPECT_NE(error_of(Role::kClient, with_payload("init", "{" + interface + R"(,"upstream_dns":null}})")), "decoded");
    EXPECT_NE(error_of(Role::kClient, with_payload("init", "{" + interface + R"(},"relays":null})")), "decoded");
    EXPECT_NE(error_of(Role::kClient, with_payload("relays_presence", R"({"connected":[]})")), "decoded");
}

TEST(DeviceCodec, RefusesTheWholeMessageForABadInterface) {
    for (const auto* interface : {
             R"({"ipv4":"100.71.20.9"})",
             R"({"ipv4":"fd00::1","ipv6":"fd00::1"})",
             R"({"ipv4":"100.71.20.9/32","ipv6":"fd00::1"})",
             R"({"ipv4":"100.71.20.9","ipv6":"fd00::1","upstream_dns":[{"protocol":"doh","address":"1.1.1.1:53"}]})",
             R"({"ipv4":"100.71.20.9","ipv6":"fd00::1","upstream_dns":[{"protocol":"ip_port","address":"1.1.1.1"}]})",
             R"({"ipv4":"100.71.20.9","ipv6":"fd00::1","upstream_doh":[{"url":"http://dns.example/"}]})",
             R"({"ipv4":"100.71.20.9","ipv6":"fd00::1","upstream_doh":["https://dns.example/"]})",
             R"({"ipv4":"100.71.20.9","ipv6":"fd00::1","search_domain":"a..b"})",
             R"({"ipv4":"100.71.20.9","ipv6":"fd00::1","search_domain":"with space"})",
             R"({"ipv4":"100.71.20.9","ipv6":"fd00::1","search_domain":7})",
             "null",
         }) {
        EXPECT_NE(
            error_of(Role::kClient, with_payload("config_changed", R"({"interface":)" + std::string{interface} + "}")),
            "decoded")
            << interface;
    }
}

TEST(DeviceCodec, IgnoresStunServersAndRefusesUnknownKindsOfRelay) {
    const auto with_relay = [](std::string_view relay) {
        return with_payload("relays_presence", R"({"disconnected_ids":[],"connected":[)" + std::string{relay} + "]}");
    };
    const std::string rest =
        R"("id":"c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845","addr":"203.0.113.20:3478","username":"u","password":"p")";

    EXPECT_TRUE(to_client<RelaysPresence>(with_relay(R"({"type":"stun",)" + rest + "}")).connected.empty());
    EXPECT_NE(error_of(Role::kClient, with_relay(R"({"type":"turns",)" + rest + R"(,"expires_at":1}")")), "decoded");
    EXPECT_NE(error_of(Role::kClient, with_relay(R"({"type":"turn",)" + rest + "}")), "decoded");
    EXPECT_NE(error_of(Role::kClient, with_relay(R"({"type":"turn",)" + rest + R"(,"expires_at":1767225600000})")),
              "decoded");
    EXPECT_NE(error_of(Role::kClient, with_relay(R"({"type":"turn",)" + rest + R"(,"expires_at":1.5})")), "decoded");
}

TEST(DeviceCodec, RefusesKeysThatAreNot32Bytes) {
    for (const auto* key : {"AAEC", "", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8", "not base64 at all",
                            "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9A"}) {
        std::string flow{spec::kFlowCreated};
        const std::string_view good = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
        flow.replace(flow.find(good), good.size(), key);
        EXPECT_THAT(error_of(Role::kClient, flow), HasSubstr("gateway_public_key")) << key;
    }
}

TEST(DeviceCodec, ToleratesUnknownReasonsAndMembers) {
    const auto failed = to_client<FlowCreationFailed>(with_payload(
        "flow_creation_failed",
        R"({"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","reason":"disabled","new":{"a":[]},"violated_properties":["x"]})"));
    EXPECT_EQ(failed.reason, FlowFailure::kUnknown);
    EXPECT_EQ(failed.violated_properties, std::vector<std::string>{"x"});
}

TEST(DeviceCodec, IsStrictAboutWhatGatewaysEnforce) {
    const auto replaced = [](std::string_view from, std::string_view to) {
        std::string text{spec::kAuthorizeFlow};
        text.replace(text.find(from), from.size(), to);
        return text;
    };
    EXPECT_NE(error_of(Role::kGateway, replaced(R"("type":"dns")", R"("type":"pool")")), "decoded");
    EXPECT_NE(error_of(Role::kGateway, replaced(R"("protocol":"icmp")", R"("protocol":"sctp")")), "decoded");
    EXPECT_NE(error_of(Role::kGateway, replaced(R"("filters")", R"("no_filters")")), "decoded");
    EXPECT_NE(error_of(Role::kGateway, replaced(R"("expires_at":1767225600)", R"("expires_at":"never")")), "decoded");
    EXPECT_NE(error_of(Role::kGateway, replaced(R"("port_range_start":443)", R"("port_range_start":70000)")),
              "decoded");
    EXPECT_EQ(to_gateway<AuthorizeFlow>(replaced(R"("expires_at":1767225600)", R"("expires_at":null)")).expires_at,
              std::nullopt);
    EXPECT_EQ(to_gateway<AuthorizeFlow>(replaced(R"("subject")", R"("other")")).subject, Subject{});
    EXPECT_NE(
        error_of(Role::kGateway, with_payload("init", R"({"interface":{"ipv4":"100.80.3.44","ipv6":"fd00::1"}})")),
        "decoded");
}

}  // namespace
}  // namespace culvert::portal_api
