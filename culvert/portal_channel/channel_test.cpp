#include "culvert/portal_channel/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/portal_channel/advice.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {
namespace {

using namespace std::chrono_literals;
using portal_api::Dialect;
using portal_api::Role;
using ::testing::AllOf;
using ::testing::HasSubstr;

crypto::PublicKey key(int number) {
    crypto::PublicKey key;
    key.bytes[0] = static_cast<std::byte>(number);
    return key;
}

portal_api::FromDevice flow(int number) {
    portal_api::CreateFlow message;
    message.resource_id = ResourceId{Uuid{std::array<std::uint8_t, 16>{static_cast<std::uint8_t>(number)}}};
    return portal_api::FromClient{message};
}

GatewayId gateway(int number) {
    return GatewayId{Uuid{std::array<std::uint8_t, 16>{static_cast<std::uint8_t>(number)}}};
}

portal_api::FromDevice candidates(const std::vector<std::string>& texts, int number = 1) {
    return portal_api::FromClient{portal_api::BroadcastGatewayIceCandidates{{gateway(number)}, texts}};
}

/// In the dialect that is spoken unless a test says otherwise.
std::string encoded(const portal_api::FromDevice& message, std::uint64_t ref, Dialect dialect = Dialect::kV2) {
    return portal_api::encode_from_device(message, dialect, ref);
}
std::string pushed(const portal_api::ToDevice& message, Dialect dialect = Dialect::kV2) {
    return portal_api::encode_to_device(message, dialect);
}

std::string ok_reply(std::uint64_t ref, std::string_view topic = "client") {
    return portal_api::encode_ok_reply(topic, {std::to_string(ref)});
}

template <typename Poll>
auto drain(Poll poll) {
    std::vector<typename decltype(poll())::value_type> result;
    while (auto item = poll()) {
        result.push_back(*std::move(item));
    }
    return result;
}

/// A channel, the portal's end of the wire and a clock.
class Channel {
public:
    explicit Channel(Role role = Role::kClient, std::optional<Duration> max_partition_time = std::nullopt)
        : channel{{.role = role,
                   .stamp_secret = role == Role::kRelay ? std::optional<std::string>{"secret"} : std::nullopt,
                   .max_partition_time = max_partition_time},
                  Rng::from_number(7)} {}

    std::vector<Action> actions() {
        return drain([&] { return channel.poll_action(); });
    }
    std::vector<Event> events() {
        return drain([&] { return channel.poll_event(); });
    }
    std::vector<std::string> frames() {
        return drain([&] { return channel.poll_frame(now); });
    }

    template <typename T>
    std::vector<T> events_of() {
        std::vector<T> result;
        for (auto& event : events()) {
            if (auto* wanted = std::get_if<T>(&event)) {
                result.push_back(std::move(*wanted));
            }
        }
        return result;
    }

    /// Lets time pass, with a time-out whenever the channel asked for one.
    void advance(Duration duration) {
        const auto end = now + duration;
        for (auto at = channel.poll_timeout(); at && *at <= end; at = channel.poll_timeout()) {
            now = std::max(now, *at);
            channel.handle_timeout(now);
        }
        now = end;
    }

    void connect(int number = 1) { channel.connect(key(number), now); }

    /// Ends in the joined state, with the first `ref` used.
    void join() {
        connect();
        channel.handle_connected(now);
        EXPECT_EQ(frames().size(), 1U);
        channel.handle_text(ok_reply(0), now);
        actions();
        events();
    }

    /// The portal accepts the connection, and the join with that `ref`.
    void accept_join(std::uint64_t ref) {
        channel.handle_connected(now);
        EXPECT_EQ(frames().size(), 1U);
        channel.handle_text(ok_reply(ref), now);
    }

    void lose_connection() { channel.handle_connection_lost("reset", now); }

    PhoenixChannel channel;
    Instant now{};
};

DialError transient() {
    return {.text = "connection refused"};
}
DialError status(unsigned code) {
    return {.kind = DialError::Kind::kHttpStatus, .status = code, .text = "HTTP " + std::to_string(code)};
}

TEST(PhoenixChannel, WaitsForNameServersHoweverLongItTakes) {
    Channel c;
    c.connect();
    const DialError unknown{.kind = DialError::Kind::kUnknownHost, .text = "Cannot resolve"};
    for (int attempt = 0; attempt < 100; ++attempt) {
        c.channel.handle_dial_error(unknown, c.now);
        const auto hiccups = c.events_of<Hiccup>();
        ASSERT_EQ(hiccups.size(), 1U);
        EXPECT_THAT(hiccups.front().cause, AllOf(HasSubstr("Cannot resolve"), HasSubstr("name servers")));
        c.actions();
        c.advance(hiccups.front().delay);
        ASSERT_EQ(c.actions(), std::vector<Action>{Dial{key(1)}}) << attempt;
    }
    c.accept_join(0);
    EXPECT_EQ(c.events_of<Joined>().size(), 1U);
}

TEST(PhoenixChannel, DialsWithTheKeyAndJoinsFirst) {
    Channel c;
    c.connect();
    EXPECT_EQ(c.actions(), std::vector<Action>{Dial{key(1)}});
    EXPECT_TRUE(c.frames().empty());

    c.channel.handle_connected(c.now);

    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_join(Role::kClient, 0, std::nullopt)});
    c.channel.send(candidates({"a"}));
    EXPECT_TRUE(c.frames().empty()) << "nothing may overtake the answer to the join";

    c.channel.handle_text(ok_reply(0), c.now);
    EXPECT_EQ(c.events_of<Joined>().size(), 1U);
    EXPECT_EQ(c.frames(), std::vector<std::string>{encoded(candidates({"a"}), 1)});
}

TEST(PhoenixChannel, AsksForTheNewerDialectFirstAndForTheOlderOneIfThereIsNone) {
    Channel c;
    c.connect();
    EXPECT_EQ(c.actions(), std::vector<Action>{(Dial{key(1), Dialect::kV2})});
    c.channel.handle_dial_error(status(404), c.now);
    EXPECT_EQ(c.actions(), std::vector<Action>{(Dial{key(1), Dialect::kV1})}) << "at once";
    EXPECT_TRUE(c.events().empty()) << "that is no failure";
    c.accept_join(0);

    c.lose_connection();
    c.advance(1s);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1), Dialect::kV1}})) << "it is remembered";

    c.accept_join(1);
    c.now += kAskNewerAgainAfter;
    c.lose_connection();
    c.advance(1s);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1), Dialect::kV2}})) << "but not for ever";
}

TEST(PhoenixChannel, AsksAPortalThatHasNeitherPathForBothAgain) {
    Channel c;
    for (int attempt = 0; attempt < 3; ++attempt) {
        attempt == 0 ? c.connect() : c.advance(1s);
        EXPECT_EQ(c.actions(), std::vector<Action>{(Dial{key(1), Dialect::kV2})});
        c.channel.handle_dial_error(status(404), c.now);
        EXPECT_EQ(c.actions(), std::vector<Action>{(Dial{key(1), Dialect::kV1})});
        c.channel.handle_dial_error(status(404), c.now);
        EXPECT_THAT(c.events_of<Hiccup>().at(0).cause, HasSubstr("No portal answers at this URL"));
    }
}

TEST(PhoenixChannel, SpeaksTheDialectOfThePathThatWasFound) {
    Channel c;
    c.connect();
    c.channel.handle_dial_error(status(404), c.now);
    c.accept_join(0);
    c.channel.send(flow(1));
    EXPECT_EQ(c.frames(), std::vector<std::string>{encoded(flow(1), 1, Dialect::kV1)});
    portal_api::FlowCreationFailed refusal;
    c.events();
    c.channel.handle_text(pushed(portal_api::ToClient{refusal}, Dialect::kV1), c.now);
    EXPECT_EQ(c.events_of<MessageReceived>().size(), 1U);
    c.channel.handle_text(pushed(portal_api::ToClient{refusal}, Dialect::kV2), c.now);
    EXPECT_TRUE(c.events_of<MessageReceived>().empty()) << "a name of the other dialect";
}

TEST(PhoenixChannel, ConnectsAnewToAnOlderPortalThatCannotBeAskedForRelays) {
    const portal_api::FromDevice no_relays = portal_api::FromClient{portal_api::NoRelays{}};
    for (const bool is_older : {true, false}) {
        Channel c;
        c.connect();
        if (is_older) {
            c.channel.handle_dial_error(status(404), c.now);
        }
        c.accept_join(0);
        c.channel.send(no_relays);
        EXPECT_EQ(c.frames().size(), 1U);
        c.actions();
        c.channel.handle_text(portal_api::encode_error_reply("client", {"7"}, "unknown_message"), c.now);
        EXPECT_TRUE(c.actions().empty()) << "about another message";

        c.channel.handle_text(portal_api::encode_error_reply("client", {"1"}, "unknown_message"), c.now);

        const auto expected = std::vector<Action>{Leave{}, Dial{key(1), Dialect::kV1}};
        EXPECT_EQ(c.actions(), is_older ? expected : std::vector<Action>{});
    }
}

TEST(PhoenixChannel, OfRelaysHasOnePath) {
    Channel c{Role::kRelay};
    c.channel.connect(std::nullopt, c.now);
    c.actions();
    c.channel.handle_dial_error(status(404), c.now);
    EXPECT_TRUE(c.actions().empty());
    EXPECT_EQ(c.events_of<Hiccup>().size(), 1U);
}

TEST(PhoenixChannel, StartsOverAtOnceInAnotherNetwork) {
    Channel c;
    c.channel.reconnect(c.now);
    EXPECT_TRUE(c.actions().empty()) << "nobody asked for a connection yet";
    c.connect();
    c.actions();
    c.channel.reconnect(c.now);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}})) << "while dialling";

    c.channel.handle_dial_error(transient(), c.now);
    c.actions();
    c.channel.reconnect(c.now);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}})) << "while waiting";

    c.channel.handle_connected(c.now);
    c.channel.reconnect(c.now);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}})) << "while connected";

    c.channel.close(c.now);
    c.actions();
    c.channel.reconnect(c.now);
    EXPECT_TRUE(c.actions().empty()) << "after the end";
}

TEST(PhoenixChannel, JoinsAsARelayWithItsSecret) {
    Channel c{Role::kRelay};
    c.channel.connect(std::nullopt, c.now);
    EXPECT_EQ(c.actions(), std::vector<Action>{(Dial{std::nullopt, Dialect::kV1})});
    c.channel.handle_connected(c.now);
    ASSERT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_join(Role::kRelay, 0, "secret")});
    c.channel.handle_text(ok_reply(0, "relay"), c.now);
    c.channel.handle_text(R"({"event":"init","payload":{},"ref":null,"topic":"relay"})", c.now);
    EXPECT_EQ(c.events().size(), 2U);
}

TEST(PhoenixChannel, NeverReusesARef) {
    Channel c;
    c.join();
    c.channel.send(flow(1));
    EXPECT_EQ(c.frames(), std::vector<std::string>{encoded(flow(1), 1)});

    c.lose_connection();
    c.advance(1s);
    c.channel.handle_connected(c.now);

    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_join(Role::kClient, 2, std::nullopt)});
    c.channel.handle_text(ok_reply(0), c.now);
    EXPECT_TRUE(c.events_of<Joined>().empty()) << "an answer to the join of an earlier connection";
}

TEST(PhoenixChannel, DeliversMessages) {
    Channel c;
    c.join();
    c.channel.handle_text(pushed(portal_api::ToClient{portal_api::ResourceDeleted{}}), c.now);
    const auto messages = c.events_of<MessageReceived>();
    ASSERT_EQ(messages.size(), 1U);
    const auto& message = std::get<portal_api::ToClient>(messages[0].message);
    EXPECT_TRUE(std::holds_alternative<portal_api::ResourceDeleted>(message));
}

TEST(PhoenixChannel, SurvivesFramesThatItCannotRead) {
    Channel c;
    c.join();
    for (const auto* text :
         {"nonsense", "[]", "{}", R"({"topic":"client","event":"new_thing","payload":{},"ref":null})",
          R"({"topic":"client","event":"disconnect","payload":{"reason":"other"},"ref":null})", "\xff\xfe"}) {
        c.channel.handle_text(text, c.now);
    }
    EXPECT_TRUE(c.events().empty());
    EXPECT_TRUE(c.actions().empty());
}

TEST(PhoenixChannel, ReconnectsAfterHalfAMessage) {
    for (const auto* text : {"", R"({"topic":"client")"}) {
        Channel c;
        c.join();
        c.channel.handle_text(text, c.now);
        EXPECT_EQ(c.actions(), std::vector<Action>{Drop{}});
        ASSERT_EQ(c.events_of<Hiccup>().size(), 1U);
        c.advance(1s);
        EXPECT_EQ(c.actions(), std::vector<Action>{Dial{key(1)}});
    }
}

TEST(PhoenixChannel, ReconnectsSoonIfThePortalClosesTheChannel) {
    Channel c;
    c.join();
    c.channel.handle_text(portal_api::encode_channel_closed("client"), c.now);
    const auto hiccups = c.events_of<Hiccup>();
    ASSERT_EQ(hiccups.size(), 1U);
    EXPECT_GE(hiccups[0].delay, 500ms) << "all devices of a portal that ends come back, and not all at once";
    EXPECT_LE(hiccups[0].delay, 1s);
    c.advance(1s);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}}));
}

TEST(PhoenixChannel, IgnoresThatThePortalsEndCrashedUntilAMessageIsRefused) {
    Channel c;
    c.join();
    c.channel.handle_text(portal_api::encode_channel_crashed("client"), c.now);
    EXPECT_TRUE(c.actions().empty());
    c.channel.send(flow(1));
    c.channel.send(flow(2));
    EXPECT_EQ(c.channel.poll_frame(c.now), encoded(flow(1), 1));

    c.channel.handle_text(portal_api::encode_error_reply("client", {"1"}, "unmatched topic"), c.now);

    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_join(Role::kClient, 2, std::nullopt)});
    c.channel.handle_text(ok_reply(2), c.now);
    EXPECT_EQ(c.frames(), std::vector<std::string>{encoded(flow(2), 3)});
    EXPECT_EQ(c.events_of<Joined>().size(), 1U);
}

TEST(PhoenixChannel, DoesNotJoinAgainAsARelay) {
    Channel c{Role::kRelay};
    c.channel.connect(std::nullopt, c.now);
    c.channel.handle_connected(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(ok_reply(0, "relay"), c.now);
    c.channel.handle_text(portal_api::encode_error_reply("relay", {"5"}, "unmatched topic"), c.now);
    EXPECT_TRUE(c.frames().empty());
}

TEST(PhoenixChannel, ReportsOtherRefusals) {
    Channel c;
    c.join();
    c.channel.handle_text(portal_api::encode_error_reply("client", {"9"}, "disabled"), c.now);
    const auto refused = c.events_of<MessageRefused>();
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].reason, portal_api::ErrorReason::kDisabled);
    EXPECT_TRUE(c.frames().empty());
}

TEST(PhoenixChannel, FailsIfTheLoginIsRefused) {
    Channel c;
    c.connect();
    c.channel.handle_connected(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(portal_api::encode_error_reply("client", {"0"}, "unmatched topic"), c.now);
    const auto fatal = c.events_of<Fatal>();
    ASSERT_EQ(fatal.size(), 1U);
    EXPECT_EQ(fatal[0].cause, FatalCause::kRefused);
    EXPECT_THAT(fatal[0].text, HasSubstr("unmatched topic"));
}

TEST(PhoenixChannel, FailsWithAnAuthenticationErrorIfTheTokenExpired) {
    Channel c;
    c.join();
    c.channel.handle_text(portal_api::encode_disconnect("client", "token_expired"), c.now);
    const auto fatal = c.events_of<Fatal>();
    ASSERT_EQ(fatal.size(), 1U);
    EXPECT_EQ(fatal[0].cause, FatalCause::kDeadToken);
    EXPECT_EQ(c.actions(), std::vector<Action>{Drop{}});
    EXPECT_EQ(c.channel.poll_timeout(), std::nullopt);
}

TEST(PhoenixChannel, EndsWhenAnotherMachineTakesItsPlace) {
    for (const auto* reason : {"duplicate_device", "replaced"}) {
        Channel c;
        c.join();
        c.channel.handle_text(portal_api::encode_disconnect("client", reason), c.now);
        const auto fatal = c.events_of<Fatal>();
        ASSERT_EQ(fatal.size(), 1U);
        EXPECT_EQ(fatal[0].cause, FatalCause::kReplaced);
        EXPECT_THAT(fatal[0].text, AllOf(HasSubstr(reason), HasSubstr("FIREZONE_ID")));
        EXPECT_EQ(c.actions(), std::vector<Action>{Drop{}});
    }
}

TEST(PhoenixChannel, EndsOnA401AndAsksForAnotherSignInOnlyIfTheTokenIsDead) {
    const auto outcome = [](const std::string& code) {
        Channel c;
        c.connect();
        auto error = status(401);
        error.code = code;
        error.retry_after = 1s;
        c.channel.handle_dial_error(error, c.now);
        const auto fatal = c.events_of<Fatal>();
        EXPECT_EQ(fatal.size(), 1U) << code;
        EXPECT_EQ(c.channel.poll_timeout(), std::nullopt);
        EXPECT_THAT(fatal.at(0).text, HasSubstr("HTTP 401. " + advice_on_refusal(401, code, Role::kClient)));
        return fatal.at(0).cause == FatalCause::kDeadToken;
    };
    EXPECT_TRUE(outcome("invalid_token"));
    EXPECT_TRUE(outcome("missing_token"));
    EXPECT_FALSE(outcome(""));
    EXPECT_FALSE(outcome("unauthenticated"));
}

TEST(PhoenixChannel, TriesAgainAfterEveryOtherRefusalAndSaysWhatToDo) {
    for (const unsigned code : {200U, 302U, 400U, 402U, 403U, 408U, 409U, 422U, 426U, 429U, 499U, 500U, 503U}) {
        Channel c;
        c.connect();
        c.channel.handle_dial_error(status(code), c.now);
        const auto hiccups = c.events_of<Hiccup>();
        ASSERT_EQ(hiccups.size(), 1U) << code;
        EXPECT_EQ(hiccups[0].delay, 1s);
        EXPECT_THAT(hiccups[0].cause, HasSubstr("HTTP " + std::to_string(code)));
        EXPECT_THAT(hiccups[0].cause, HasSubstr(advice_on_refusal(code, "", Role::kClient)));
    }
    Channel c;
    c.connect();
    c.channel.handle_dial_error({.kind = DialError::Kind::kInvalidCertificate, .text = "expired"}, c.now);
    EXPECT_THAT(c.events_of<Hiccup>().at(0).cause, HasSubstr("expired. Check the API URL"));
}

TEST(PhoenixChannel, GivesUpAfterSixteenAttemptsIfItWasNeverJoined) {
    Channel c;
    c.connect();
    int attempts = 0;
    std::vector<Fatal> fatal;
    while (fatal.empty() && attempts < 100) {
        ++attempts;
        c.advance(4s);  // how long attempts take does not count
        c.channel.handle_dial_error(status(403), c.now);
        fatal = c.events_of<Fatal>();
        c.advance(1s);
        c.actions();
    }
    EXPECT_EQ(attempts, 16);
    EXPECT_EQ(fatal.at(0).cause, FatalCause::kGaveUp);
    EXPECT_THAT(fatal.at(0).text, AllOf(HasSubstr("max retries reached: HTTP 403"), HasSubstr("firewall")));
}

TEST(PhoenixChannel, WaitsForAsLongAsThePortalAsksForAndDoesNotCountIt) {
    Channel c;
    c.connect();
    auto busy = status(503);
    busy.retry_after = 7s;
    for (int attempt = 0; attempt < 100; ++attempt) {
        EXPECT_EQ(std::ranges::count(c.actions(), Action{Dial{key(1)}}), 1);
        c.channel.handle_dial_error(busy, c.now);
        EXPECT_EQ(c.events_of<Hiccup>().at(0).delay, 7s);
        c.advance(7s - 1ns);
        EXPECT_TRUE(c.actions().empty());
        c.advance(1ns);
    }
    c.actions();
    c.channel.handle_dial_error(transient(), c.now);
    EXPECT_EQ(c.events_of<Hiccup>().at(0).delay, 1s) << "the first retry that counts";

    c.advance(1s);
    busy.retry_after = 0s;
    c.channel.handle_dial_error(busy, c.now);
    EXPECT_EQ(c.events_of<Hiccup>().at(0).delay, kMinRetryAfter) << "or it would never rest";
}

TEST(PhoenixChannel, CountsWaitsFromTheLastJoin) {
    Channel c{Role::kGateway, 10s};
    c.channel.connect(key(1), c.now);
    for (int outage = 0; outage < 10; ++outage) {
        c.channel.handle_connected(c.now);
        c.frames();
        c.channel.handle_text(ok_reply(static_cast<std::uint64_t>(outage), "gateway"), c.now);
        c.lose_connection();
        EXPECT_TRUE(c.events_of<Fatal>().empty()) << outage;
        c.advance(1s);
    }
    // An upgrade alone proves nothing.
    for (int failure = 0; failure < 20; ++failure) {
        c.channel.handle_connected(c.now);
        c.lose_connection();
        c.advance(5s);
    }
    EXPECT_EQ(c.events_of<Fatal>().size(), 1U);
}

TEST(PhoenixChannel, GivesUpAfterTheMaximumPartitionTime) {
    Channel c{Role::kGateway, 15min};
    c.channel.connect(key(1), c.now);
    c.channel.handle_connected(c.now);
    c.frames();
    c.channel.handle_text(ok_reply(0, "gateway"), c.now);
    c.lose_connection();
    std::vector<Fatal> fatal;
    while (fatal.empty() && c.now < Instant{} + 1h) {
        c.now = c.channel.poll_timeout().value();
        c.channel.handle_timeout(c.now);
        c.channel.handle_dial_error(transient(), c.now);
        fatal = c.events_of<Fatal>();
    }
    ASSERT_EQ(fatal.size(), 1U);
    EXPECT_EQ(fatal[0].cause, FatalCause::kGaveUp);
    EXPECT_THAT(fatal[0].text, AllOf(HasSubstr("max retries reached"), HasSubstr("host and port")));
    EXPECT_GT(c.now, Instant{} + 12min);
    EXPECT_LE(c.now, Instant{} + 15min);
}

TEST(PhoenixChannel, IgnoresAConnectWithTheSameKeyWhileConnecting) {
    Channel c;
    c.connect();
    c.channel.handle_dial_error(transient(), c.now);
    c.actions();
    const auto redial_at = c.channel.poll_timeout();

    c.connect();

    EXPECT_TRUE(c.actions().empty());
    EXPECT_EQ(c.channel.poll_timeout(), redial_at);
}

TEST(PhoenixChannel, DialsAtOnceWithANewKeyWhileConnecting) {
    Channel c;
    c.connect(1);
    c.channel.handle_dial_error(transient(), c.now);
    c.actions();
    c.connect(2);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(2)}}));
}

TEST(PhoenixChannel, ReconnectsWhenConnectedEvenWithTheSameKeyAndPartsProperly) {
    Channel c;
    c.join();
    c.connect();
    EXPECT_EQ(c.actions(), (std::vector<Action>{Leave{}, Dial{key(1)}}));
    EXPECT_TRUE(c.events_of<Hiccup>().empty());
}

TEST(PhoenixChannel, LosesTheConnectionIfTheJoinIsNotAnswered) {
    Channel c;
    c.connect();
    c.channel.handle_connected(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    c.advance(5s - 1ns);
    EXPECT_TRUE(c.events_of<Hiccup>().empty());
    c.advance(1ns);
    EXPECT_EQ(c.events_of<Hiccup>().size(), 1U);
}

TEST(PhoenixChannel, SendsAHeartbeatEachTenSecondsHoweverBusyItIs) {
    Channel c;
    c.join();
    c.advance(9s);
    c.channel.send(flow(1));
    EXPECT_EQ(c.frames().size(), 1U);
    c.advance(1s - 1ns);
    EXPECT_TRUE(c.frames().empty());
    c.advance(1ns);
    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_heartbeat(2)});
    EXPECT_EQ(c.events_of<HeartbeatSent>().size(), 1U);
    c.advance(10s);
    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_heartbeat(3)});
}

TEST(PhoenixChannel, SendsHeartbeatsBeforeWhatWaits) {
    Channel c;
    c.join();
    for (int i = 0; i < 50; ++i) {
        c.channel.send(flow(i));
    }
    EXPECT_EQ(c.channel.poll_frame(c.now), encoded(flow(0), 1));
    c.advance(10s);
    EXPECT_EQ(c.channel.poll_frame(c.now), portal_api::encode_heartbeat(2));
    EXPECT_EQ(c.channel.poll_frame(c.now), encoded(flow(1), 3));
}

TEST(PhoenixChannel, SendsHeartbeatsWhileAJoinIsOutstanding) {
    Channel c;
    c.join();
    c.advance(9s);
    c.channel.send(flow(1));
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(portal_api::encode_error_reply("client", {"1"}, "unmatched topic"), c.now);
    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_join(Role::kClient, 2, std::nullopt)});
    c.advance(1s);
    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_heartbeat(3)});
}

TEST(PhoenixChannel, GivesUpAConnectionThatLeavesMoreThanThreeHeartbeatsUnanswered) {
    Channel c;
    c.join();
    c.advance(50s - 1ns);
    EXPECT_EQ(c.frames().size(), 1U) << "a writer that is stuck makes no difference";
    EXPECT_TRUE(c.events_of<Hiccup>().empty());
    EXPECT_TRUE(c.actions().empty());

    c.advance(1ns);

    const auto hiccups = c.events_of<Hiccup>();
    ASSERT_EQ(hiccups.size(), 1U) << "40 s after the first";
    EXPECT_THAT(hiccups[0].cause, HasSubstr("stopped answering"));
    c.advance(1s);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}}));

    c.channel.handle_connected(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(ok_reply(2), c.now);
    c.advance(50s - 1ns);
    EXPECT_TRUE(c.events_of<Hiccup>().empty()) << "the next connection starts from nothing";
}

TEST(PhoenixChannel, GivesUpADeadConnectionHoweverMuchItHasToSay) {
    Channel c;
    c.join();
    for (int second = 0; second < 50; ++second) {
        EXPECT_TRUE(c.events_of<Hiccup>().empty()) << second;
        c.channel.send(flow(second));
        c.frames();
        c.advance(1s);
    }
    EXPECT_EQ(c.events_of<Hiccup>().size(), 1U);
}

TEST(PhoenixChannel, KeepsAConnectionOnWhichAnythingIsAnswered) {
    const std::vector<std::function<void(Channel&)>> signs{
        [](Channel& c) { c.channel.handle_text(ok_reply(1, "phoenix"), c.now); },
        [](Channel& c) { c.channel.handle_text(portal_api::encode_error_reply("client", {"9"}, "disabled"), c.now); },
        [](Channel& c) { c.channel.handle_partial_text(); },
    };
    for (const auto& sign : signs) {
        Channel c;
        c.join();
        for (int minute = 0; minute < 10; ++minute) {
            c.advance(39s);
            c.frames();
            sign(c);
        }
        EXPECT_TRUE(c.events_of<Hiccup>().empty());
    }
}

TEST(PhoenixChannel, DoesNotTakePushesForAnswers) {
    Channel c;
    c.join();
    for (int second = 0; second < 50; ++second) {
        c.channel.handle_text(pushed(portal_api::ToClient{portal_api::ResourceDeleted{}}), c.now);
        c.advance(1s);
    }
    EXPECT_EQ(c.events_of<Hiccup>().size(), 1U) << "the portal speaks, but does not hear us";
}

TEST(PhoenixChannel, AProcessThatWasStoppedAsksBeforeItGivesUp) {
    Channel c;
    c.join();
    c.now += 1h;
    c.channel.handle_timeout(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    EXPECT_TRUE(c.events_of<Hiccup>().empty());
}

TEST(PhoenixChannel, DropsNothingWhileJoined) {
    constexpr int kMessages = 1000;
    Channel c;
    c.join();
    for (int i = 0; i < kMessages; ++i) {
        c.channel.send(flow(i % 200));
    }
    const auto frames = c.frames();
    ASSERT_EQ(frames.size(), std::size_t{kMessages});
    for (std::size_t i = 0; i < frames.size(); ++i) {
        EXPECT_EQ(frames[i], encoded(flow(static_cast<int>(i) % 200), 1 + i));
    }
}

TEST(PhoenixChannel, DropsNothingThatWaitsBehindAMessageWhichIsBeingWritten) {
    Channel c;
    c.join();
    std::size_t written = 0;
    for (int i = 0; i < 200; ++i) {
        c.channel.send(flow(i));
        if (i % 50 == 0) {
            written += c.channel.poll_frame(c.now) ? 1U : 0U;
        }
    }
    EXPECT_EQ(written + c.frames().size(), 200U);
}

TEST(PhoenixChannel, ReconnectsIfThePortalLeavesTooMuchUnread) {
    Channel c;
    c.join();
    for (std::size_t i = 0; i < kMaxUnreadMessages; ++i) {
        c.channel.send(flow(static_cast<int>(i % 200)));
    }
    EXPECT_NE(c.channel.poll_frame(c.now), std::nullopt) << "so much it may leave";
    c.channel.send(flow(201));
    c.channel.send(flow(202));

    EXPECT_TRUE(c.frames().empty());

    EXPECT_THAT(c.events_of<Hiccup>().at(0).cause, HasSubstr("too slowly"));
    c.advance(1s);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}}));
    c.accept_join(2);
    EXPECT_TRUE(c.frames().empty()) << "what was to be said is out of date";
}

TEST(PhoenixChannel, RefusesMessagesWhileNotJoined) {
    Channel c;
    c.channel.send(flow(1));
    c.connect();
    c.channel.send(flow(2));
    c.channel.handle_connected(c.now);
    c.channel.send(flow(3));
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(ok_reply(0), c.now);
    EXPECT_TRUE(c.frames().empty()) << "what was wanted then may not be wanted any more";
    c.channel.send(flow(4));
    EXPECT_EQ(c.frames(), std::vector<std::string>{encoded(flow(4), 1)});
}

TEST(PhoenixChannel, SendsCandidatesThatWereFoundWhileThePortalWasAway) {
    Channel c;
    c.join();
    c.channel.send(candidates({"queued"}));
    c.channel.send(flow(1));
    c.lose_connection();
    c.channel.send(candidates({"found"}));
    c.channel.send(candidates({"other"}, 2));
    c.channel.forget_candidates(gateway(2).uuid());
    c.advance(1s);
    c.accept_join(1);

    EXPECT_EQ(c.frames(), std::vector<std::string>{encoded(candidates({"queued", "found"}), 2)});
}

TEST(PhoenixChannel, ForgetsCandidatesThatBelongToAnotherKey) {
    Channel c;
    c.join();
    c.lose_connection();
    c.channel.send(candidates({"a"}));
    c.connect(2);
    c.accept_join(1);
    EXPECT_TRUE(c.frames().empty());
}

TEST(PhoenixChannel, SaysNothingTwiceAtOnce) {
    Channel c;
    c.join();
    c.channel.send(flow(1));
    c.channel.send(flow(2));
    c.channel.send(flow(1));
    EXPECT_EQ(c.frames().size(), 2U);
    c.channel.send(flow(1));
    EXPECT_EQ(c.frames().size(), 1U) << "the first one is on its way";
}

TEST(PhoenixChannel, KeepsTheOrderOfWhatIsSaidAboutCandidates) {
    Channel c;
    c.join();
    const portal_api::FromDevice gone =
        portal_api::FromClient{portal_api::BroadcastInvalidatedGatewayIceCandidates{{gateway(1)}, {"a"}}};
    c.channel.send(candidates({"a"}));
    c.channel.send(candidates({"a"}));
    c.channel.send(gone);
    c.channel.send(candidates({"a"}));
    EXPECT_EQ(c.frames(), (std::vector<std::string>{encoded(candidates({"a"}), 1), encoded(gone, 2),
                                                    encoded(candidates({"a"}), 3)}));
}

TEST(PhoenixChannel, ClosesProperly) {
    Channel c;
    c.join();
    c.channel.close(c.now);
    EXPECT_EQ(c.actions(), std::vector<Action>{StartClose{}});
    c.channel.handle_connection_lost("closed", c.now);
    EXPECT_EQ(c.events_of<Closed>().size(), 1U);
    EXPECT_EQ(c.channel.poll_timeout(), std::nullopt);
}

TEST(PhoenixChannel, ClosesWithinASecondEvenIfThePeerDoesNotAnswer) {
    Channel c;
    c.join();
    c.channel.close(c.now);
    c.advance(kCloseTimeout);
    EXPECT_EQ(c.actions(), (std::vector<Action>{StartClose{}, Drop{}}));
    EXPECT_EQ(c.events_of<Closed>().size(), 1U);
}

TEST(PhoenixChannel, StopsConnectingWhenClosed) {
    Channel c;
    c.connect();
    c.actions();
    c.channel.close(c.now);
    EXPECT_EQ(c.actions(), std::vector<Action>{Drop{}});
    EXPECT_EQ(c.events_of<Closed>().size(), 1U);
    c.channel.handle_connected(c.now);
    EXPECT_TRUE(c.frames().empty());
}

TEST(PhoenixChannel, DoesNothingWhenItsTimeHasNotCome) {
    Channel c;
    c.connect();
    c.channel.handle_dial_error(transient(), c.now);
    c.actions();
    c.events();
    contract::expect_spurious_timeout_is_invisible(c.channel, c.now);  // waits to dial again

    c.advance(1min);
    c.actions();
    contract::expect_spurious_timeout_is_invisible(c.channel, c.now);  // dials

    c.channel.handle_connected(c.now);
    c.frames();
    contract::expect_spurious_timeout_is_invisible(c.channel, c.now);  // joins

    c.channel.close(c.now);
    c.actions();
    contract::expect_spurious_timeout_is_invisible(c.channel, c.now);  // closes
}

}  // namespace
}  // namespace culvert::portal_channel
