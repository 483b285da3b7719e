#include <map>
#include <set>
#include <typeindex>
#include <typeinfo>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "culvert/portal_api/codec.h"
#include "culvert/portal_api/newer_spec_examples.h"
#include "culvert/portal_api/random_messages.h"
#include "culvert/portal_api/spec_examples.h"

/// The dialect of 2026 (spec/newer-dialect.md), and what both have in common.
namespace culvert::portal_api {
namespace {

namespace json = boost::json;
namespace newer = newer_spec_examples;
using ::testing::HasSubstr;

json::value parse(std::string_view text) {
    return json::parse(json::string_view{text.data(), text.size()});
}

/// What says nothing, and what this portal declines.
bool is_idle(std::string_view name, const json::value& member) {
    if (member.is_null() || name == "use_iceless") {
        return true;
    }
    const auto* list = member.if_array();
    const bool has_idle_list =
        name == "authorizations" || name == "upstream_do53" || name == "upstream_doh" || name == "filters";
    return has_idle_list && list != nullptr && list->empty();
}

/// Without members that are the same absent, and without names of resources that have none.
json::value normalised(json::value value) {
    if (auto* object = value.if_object()) {
        json::object result;
        for (auto& [name, member] : *object) {
            const std::string_view key{name.data(), name.size()};
            if (!is_idle(key, member) && key != "name" && key != "subject") {
                result[name] = normalised(member);
            }
        }
        return result;
    }
    if (auto* array = value.if_array()) {
        json::array result;
        for (auto& item : *array) {
            result.push_back(normalised(item));
        }
        return result;
    }
    return value;
}

std::string error_of(Role role, Dialect dialect, std::string_view text) {
    const auto frame = decode_to_device(role, dialect, text);
    return frame ? "decoded" : frame.error().text;
}

template <typename Message, typename Set>
Message decoded(Role role, Dialect dialect, std::string_view text) {
    const auto frame = decode_to_device(role, dialect, text);
    if (!frame) {
        ADD_FAILURE() << frame.error().text << " in " << text;
        return {};
    }
    return std::get<Message>(std::get<Set>(std::get<MessageFrame>(*frame).message));
}

template <typename Message, typename Set>
Message decoded_from_device(Role role, Dialect dialect, std::string_view text) {
    const auto frame = decode_from_device(role, dialect, text);
    const auto* message = frame ? std::get_if<DeviceMessageFrame>(&*frame) : nullptr;
    if (message == nullptr) {
        ADD_FAILURE() << "not a message: " << text;
        return {};
    }
    return std::get<Message>(std::get<Set>(message->message));
}

bool is_unknown(Role role, Dialect dialect, std::string_view text) {
    const auto frame = decode_from_device(role, dialect, text);
    return frame && std::holds_alternative<UnknownFrame>(*frame);
}

// --- Examples of the specification ---

TEST(Dialect, EncodesEveryPushOfTheSpecification) {
    for (const auto& [role, text] : {std::pair{Role::kClient, newer::kClientInit},
                                     {Role::kClient, newer::kConfigChanged},
                                     {Role::kClient, newer::kAuthorizationCreatedForClient},
                                     {Role::kClient, newer::kAuthorizationCreationFailed},
                                     {Role::kClient, newer::kAuthorizationCreationFailedVersionMismatch},
                                     {Role::kClient, newer::kGatewayIceCandidates},
                                     {Role::kClient, newer::kRelaysPresence},
                                     {Role::kClient, newer::kResourceCreatedOrUpdated},
                                     {Role::kClient, newer::kResourceDeleted},
                                     {Role::kGateway, newer::kGatewayInit},
                                     {Role::kGateway, newer::kCreateAuthorization},
                                     {Role::kGateway, newer::kClientIceCandidates},
                                     {Role::kGateway, newer::kRejectAccess},
                                     {Role::kGateway, newer::kResourceUpdated}}) {
        const auto frame = decode_to_device(role, Dialect::kV2, text);
        ASSERT_TRUE(frame) << frame.error().text << " in " << text;
        const auto& message = std::get<MessageFrame>(*frame).message;

        EXPECT_EQ(normalised(parse(encode_to_device(message, Dialect::kV2))), normalised(parse(text)));
    }
}

TEST(Dialect, EncodesEveryMessageOfDevicesOfTheSpecification) {
    for (const auto& [role, text] : {std::pair{Role::kClient, newer::kCapabilities},
                                     {Role::kClient, newer::kRequestAuthorization},
                                     {Role::kClient, newer::kNewGatewayIceCandidates},
                                     {Role::kClient, newer::kInvalidatedGatewayIceCandidates},
                                     {Role::kClient, newer::kNoRelays},
                                     {Role::kGateway, newer::kAuthorizationCreatedByGateway},
                                     {Role::kGateway, newer::kBroadcastClientIceCandidates},
                                     {Role::kGateway, newer::kBroadcastInvalidatedClientIceCandidates}}) {
        const auto frame = decode_from_device(role, Dialect::kV2, text);
        ASSERT_TRUE(frame) << text;
        ASSERT_TRUE(std::holds_alternative<DeviceMessageFrame>(*frame)) << text;
        const auto ref = parse(text).as_object().at("ref").to_number<std::uint64_t>();

        EXPECT_EQ(parse(encode_from_device(std::get<DeviceMessageFrame>(*frame).message, Dialect::kV2, ref)),
                  parse(text));
    }
}

TEST(Dialect, HasTheControlFramesOfBefore) {
    EXPECT_EQ(parse(encode_join(Role::kClient, 0, std::nullopt)), parse(newer::kClientJoin));
    EXPECT_EQ(parse(encode_heartbeat(2)), parse(newer::kHeartbeat));
    EXPECT_EQ(parse(encode_ok_reply("client", Ref{"0"})), parse(newer::kJoinReply));
    EXPECT_EQ(parse(encode_ok_reply("phoenix", Ref{"2"})), parse(newer::kHeartbeatReply));
    EXPECT_EQ(parse(encode_ok_reply("gateway", Ref{"9"})), parse(newer::kGatewayOkReply));
    EXPECT_EQ(parse(encode_error_reply("gateway", Ref{"9"}, "invalid_ref")), parse(newer::kInvalidRefReply));
    EXPECT_EQ(parse(encode_error_reply("client", Ref{"7"}, "unmatched topic")), parse(newer::kUnmatchedTopicReply));
    EXPECT_EQ(parse(encode_disconnect("client", "token_expired")), parse(newer::kDisconnect));
    EXPECT_EQ(parse(encode_channel_closed("client")), parse(newer::kPhxClose));
    const auto join = decode_from_device(Role::kRelay, Dialect::kV1, newer::kRelayJoin);
    EXPECT_TRUE(std::get<JoinFrame>(*join).stamp_secret);
}

TEST(Dialect, ReadsTheNewMembers) {
    const auto init = decoded<ClientInit, ToClient>(Role::kClient, Dialect::kV2, newer::kClientInit);
    EXPECT_EQ(init.flow_logs, (FlowLogSettings{"https://logs.example/", 0, 0}));
    EXPECT_EQ(init.interface.upstream_do53,
              (std::vector{*net::IpAddress::parse("9.9.9.9"), *net::IpAddress::parse("2620:fe::fe")}));
    EXPECT_EQ(init.resources.size(), 2U) << "a pool is not for this generation";
    const auto config = decoded<ConfigChanged, ToClient>(Role::kClient, Dialect::kV2, newer::kConfigChanged);
    EXPECT_EQ(config.interface.upstream_doh, std::vector<std::string>{"https://dns.quad9.net/dns-query"});

    const auto created =
        decoded<FlowCreated, ToClient>(Role::kClient, Dialect::kV2, newer::kAuthorizationCreatedForClient);
    EXPECT_THAT(created.flow_logs_ingest_token.value_or(""), HasSubstr("eyJhbGciOiJIUzI1NiJ9."));
    EXPECT_EQ(created.site_id.to_string(), "6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01");
    const auto failed = decoded<FlowCreationFailed, ToClient>(Role::kClient, Dialect::kV2,
                                                              newer::kAuthorizationCreationFailedVersionMismatch);
    EXPECT_EQ(failed.reason, FlowFailure::kVersionMismatch);

    const auto gateway = decoded<GatewayInit, ToGateway>(Role::kGateway, Dialect::kV2, newer::kGatewayInit);
    EXPECT_EQ(gateway.flow_logs, (FlowLogSettings{"https://logs.example/", 0, 0}));
    const auto authorize = decoded<AuthorizeFlow, ToGateway>(Role::kGateway, Dialect::kV2, newer::kCreateAuthorization);
    EXPECT_THAT(authorize.flow_logs_ingest_token.value_or(""), HasSubstr("eyJhbGciOiJIUzI1NiJ9."));
}

// --- Names follow the path (sections 1 and 6.1) ---

std::string renamed(std::string_view text, std::string_view from, std::string_view to) {
    std::string result{text};
    result.replace(result.find(from), from.size(), to);
    return result;
}

TEST(Dialect, KnowsANameOnItsOwnPathOnly) {
    struct Name {
        Role role;
        std::string_view v1_frame;
        std::string_view v1;
        std::string_view v2;
    };
    for (const auto& name :
         {Name{Role::kGateway, spec_examples::kAuthorizeFlow, "authorize_flow", "create_authorization"},
          Name{Role::kClient, spec_examples::kFlowCreated, "flow_created", "authorization_created"},
          Name{Role::kClient, spec_examples::kFlowCreationFailed, "flow_creation_failed",
               "authorization_creation_failed"}}) {
        const auto v2_frame = renamed(name.v1_frame, name.v1, name.v2);
        EXPECT_EQ(error_of(name.role, Dialect::kV1, name.v1_frame), "decoded") << name.v1;
        EXPECT_EQ(error_of(name.role, Dialect::kV2, v2_frame), "decoded") << name.v2;
        EXPECT_THAT(error_of(name.role, Dialect::kV2, name.v1_frame), HasSubstr("event: unknown")) << name.v1;
        EXPECT_THAT(error_of(name.role, Dialect::kV1, v2_frame), HasSubstr("event: unknown")) << name.v2;
    }
    for (const auto& name :
         {Name{Role::kClient, spec_examples::kCreateFlow, "create_flow", "request_authorization"},
          Name{Role::kGateway, spec_examples::kFlowAuthorized, "flow_authorized", "authorization_created"}}) {
        const auto v2_frame = renamed(name.v1_frame, name.v1, name.v2);
        EXPECT_FALSE(is_unknown(name.role, Dialect::kV1, name.v1_frame)) << name.v1;
        EXPECT_FALSE(is_unknown(name.role, Dialect::kV2, v2_frame)) << name.v2;
        EXPECT_TRUE(is_unknown(name.role, Dialect::kV2, name.v1_frame)) << name.v1;
        EXPECT_TRUE(is_unknown(name.role, Dialect::kV1, v2_frame)) << name.v2;
    }
}

/// Devices drop an object that has two (2.4).
TEST(Dialect, SpellsSitesInOneWay) {
    const auto init = decode_to_device(Role::kClient, Dialect::kV2, newer::kClientInit);
    const auto created = decode_to_device(Role::kClient, Dialect::kV2, newer::kAuthorizationCreatedForClient);
    for (const auto* frame : {&init, &created}) {
        const auto& message = std::get<MessageFrame>(**frame).message;
        const auto v1 = encode_to_device(message, Dialect::kV1);
        const auto v2 = encode_to_device(message, Dialect::kV2);
        EXPECT_THAT(v1, HasSubstr("gateway_group"));
        EXPECT_THAT(v1, ::testing::Not(::testing::ContainsRegex(R"("sites"|"site_id")")));
        EXPECT_THAT(v2, ::testing::ContainsRegex(R"("sites"|"site_id")"));
        EXPECT_THAT(v2, ::testing::Not(HasSubstr("gateway_group")));
    }
}

// --- Whatever the dialect ---

/// Which kinds there were of a role's messages; all, if none was forgotten where random ones are made.
class Kinds {
public:
    template <typename OfRole>
    void note(const OfRole& message) {
        std::visit([this](const auto& of_role) { seen_[typeid(of_role)].insert(of_role.index()); }, message);
    }
    template <typename Messages>
    void expect_all() const {
        const auto seen = seen_.find(typeid(Messages));
        ASSERT_NE(seen, seen_.end());
        EXPECT_EQ(seen->second.size(), std::variant_size_v<Messages>) << "not every kind of message was tried";
    }

private:
    std::map<std::type_index, std::set<std::size_t>> seen_;
};

TEST(Dialect, ChangesNothingButNames) {
    Kinds kinds;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        RandomMessages messages{seed};
        for (const auto role : {Role::kClient, Role::kGateway, Role::kRelay}) {
            const auto to = messages.to_device(role);
            kinds.note(to);
            for (const auto dialect : {Dialect::kV1, Dialect::kV2}) {
                const auto text = encode_to_device(to, dialect);
                const auto received = decode_to_device(role, dialect, text);
                ASSERT_TRUE(received) << received.error().text << " in " << text << ", seed " << seed;
                EXPECT_EQ(std::get<MessageFrame>(*received).message, to) << text << ", seed " << seed;
            }
        }
        for (const auto role : {Role::kClient, Role::kGateway}) {
            const auto from = messages.from_device(role);
            kinds.note(from);
            for (const auto dialect : {Dialect::kV1, Dialect::kV2}) {
                const auto sent = encode_from_device(from, dialect, seed);
                const auto heard = decode_from_device(role, dialect, sent);
                ASSERT_TRUE(heard) << sent << ", seed " << seed;
                ASSERT_TRUE(std::holds_alternative<DeviceMessageFrame>(*heard)) << sent << ", seed " << seed;
                EXPECT_EQ(std::get<DeviceMessageFrame>(*heard).message, from) << sent << ", seed " << seed;
            }
        }
    }
    kinds.expect_all<ToClient>();
    kinds.expect_all<ToGateway>();
    kinds.expect_all<ToRelay>();
    kinds.expect_all<FromClient>();
    kinds.expect_all<FromGateway>();
}

/// A portal that does not know them loses all candidates of a client of the years between (section 1).
TEST(Dialect, TakesCandidatesForOneGatewayOnBothPaths) {
    for (const auto dialect : {Dialect::kV1, Dialect::kV2}) {
        const auto added = decoded_from_device<BroadcastGatewayIceCandidates, FromClient>(
            Role::kClient, dialect, newer::kNewGatewayIceCandidates);
        ASSERT_EQ(added.gateway_ids.size(), 1U);
        EXPECT_EQ(added.gateway_ids[0].to_string(), "b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35");
        EXPECT_THAT(added.candidates.at(0), HasSubstr("ufrag vf5y"));
        const auto removed = decoded_from_device<BroadcastInvalidatedGatewayIceCandidates, FromClient>(
            Role::kClient, dialect, newer::kInvalidatedGatewayIceCandidates);
        EXPECT_EQ(removed.candidates.size(), 1U);

        const auto broadcast = decoded_from_device<BroadcastGatewayIceCandidates, FromClient>(
            Role::kClient, dialect, spec_examples::kBroadcastGatewayIceCandidates);
        EXPECT_EQ(broadcast.gateway_ids.size(), 1U);
    }
    EXPECT_TRUE(is_unknown(Role::kGateway, Dialect::kV2, newer::kNewGatewayIceCandidates));
}

TEST(Dialect, NamesOneGatewayAtATimeOnTheNewPathIfItCan) {
    const auto event = [](const FromClient& message, Dialect dialect) {
        return parse(encode_from_device(message, dialect, 1)).at("event");
    };
    const BroadcastGatewayIceCandidates to_one{{GatewayId{}}, {"c"}};
    const BroadcastGatewayIceCandidates to_two{{GatewayId{}, GatewayId{}}, {"c"}};
    EXPECT_EQ(event(to_one, Dialect::kV1), "broadcast_ice_candidates");
    EXPECT_EQ(event(to_one, Dialect::kV2), "new_gateway_ice_candidates");
    EXPECT_EQ(event(to_two, Dialect::kV2), "broadcast_ice_candidates");
    EXPECT_EQ(event(BroadcastInvalidatedGatewayIceCandidates{{GatewayId{}}, {"c"}}, Dialect::kV2),
              "invalidate_gateway_ice_candidates");
}

TEST(Dialect, HearsOfCandidatesOfGatewaysUnderBothNames) {
    const auto withdrawn = decoded<InvalidateGatewayIceCandidates, ToClient>(Role::kClient, Dialect::kV2,
                                                                             newer::kInvalidateGatewayIceCandidates);
    EXPECT_TRUE(withdrawn.candidates.empty());
    const auto added = decoded<GatewayIceCandidates, ToClient>(
        Role::kClient, Dialect::kV2, renamed(newer::kGatewayIceCandidates, "ice_candidates", "gateway_ice_candidates"));
    EXPECT_EQ(added.candidates.size(), 1U);
}

TEST(Dialect, TakesACapabilityForAbsentUnlessItIsClear) {
    const auto iceless = [](const std::string& payload) {
        return decoded_from_device<SnownetCapabilities, FromGateway>(
                   Role::kGateway, Dialect::kV2,
                   R"({"topic":"gateway","event":"set_snownet_capabilities","ref":1,"payload":)" + payload + "}")
            .iceless;
    };
    EXPECT_TRUE(iceless(R"({"iceless":true,"other":[1]})"));
    for (const auto* payload : {"{}", R"({"iceless":false})", R"({"iceless":"true"})", R"({"iceless":null})"}) {
        EXPECT_FALSE(iceless(payload)) << payload;
    }
}

TEST(Dialect, AsksForRelaysInBothDialects) {
    for (const auto dialect : {Dialect::kV1, Dialect::kV2}) {
        decoded_from_device<NoRelays, FromClient>(Role::kClient, dialect, newer::kNoRelays);
        decoded_from_device<NoRelays, FromGateway>(Role::kGateway, dialect,
                                                   R"({"topic":"gateway","event":"no_relays","ref":1,"payload":{}})");
    }
}

TEST(Dialect, AcceptsAnInitWithoutFlowLogsButNoNonsenseInItsPlace) {
    const auto with = [](const std::string& settings) {
        return renamed(newer::kGatewayInit,
                       R"({"api_url":"https://logs.example/","upload_interval_secs":0,"upload_batch_size":0})",
                       settings);
    };
    const auto read = [&](const std::string& settings) {
        return decoded<GatewayInit, ToGateway>(Role::kGateway, Dialect::kV2, with(settings)).flow_logs;
    };
    const auto without = renamed(newer::kGatewayInit, R"("flow_logs")", R"("other")");
    EXPECT_EQ((decoded<GatewayInit, ToGateway>(Role::kGateway, Dialect::kV2, without).flow_logs), std::nullopt);
    EXPECT_EQ(read(R"({"api_url":"x","upload_interval_secs":60,"upload_batch_size":18446744073709551615,"more":1})"),
              (FlowLogSettings{"x", 60, 4'294'967'295}));
    for (const auto* settings : {"null", "[]", R"({"api_url":"x","upload_interval_secs":60})",
                                 R"({"api_url":7,"upload_interval_secs":60,"upload_batch_size":0})",
                                 R"({"api_url":"x","upload_interval_secs":-1,"upload_batch_size":0})",
                                 R"({"api_url":"x","upload_interval_secs":1.5,"upload_batch_size":0})"}) {
        EXPECT_THAT(error_of(Role::kGateway, Dialect::kV2, with(settings)), HasSubstr("flow_logs")) << settings;
    }
}

TEST(Dialect, AcceptsServersByAddressOnly) {
    const auto with = [](const std::string& servers) {
        return renamed(newer::kConfigChanged, R"("upstream_do53":[])", R"("upstream_do53":)" + servers);
    };
    const auto config =
        decoded<ConfigChanged, ToClient>(Role::kClient, Dialect::kV2, with(R"([{"ip":"9.9.9.9","port":5}])"));
    EXPECT_EQ(config.interface.upstream_do53, std::vector{*net::IpAddress::parse("9.9.9.9")});
    for (const auto* servers : {"null", R"(["9.9.9.9"])", R"([{"ip":"9.9.9.9:53"}])", R"([{"ip":"dns.example"}])"}) {
        EXPECT_THAT(error_of(Role::kClient, Dialect::kV2, with(servers)), HasSubstr("upstream_do53")) << servers;
    }
}

TEST(Dialect, NeedsNoExpiryInAnAuthorization) {
    for (const auto& text : {renamed(newer::kCreateAuthorization, R"("expires_at":1788220800)", R"("expires_at":null)"),
                             renamed(newer::kCreateAuthorization, R"("expires_at")", R"("other")")}) {
        EXPECT_EQ((decoded<AuthorizeFlow, ToGateway>(Role::kGateway, Dialect::kV2, text).expires_at), std::nullopt);
    }
    EXPECT_THAT(error_of(Role::kGateway, Dialect::kV2,
                         renamed(newer::kGatewayInit, R"("expires_at":1788220800}])", R"("expires_at":null}])")),
                HasSubstr("expires_at"));
}

}  // namespace
}  // namespace culvert::portal_api
