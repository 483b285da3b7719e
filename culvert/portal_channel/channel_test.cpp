#include "culvert/portal_channel/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {
namespace {

using namespace std::chrono_literals;
using portal_api::Role;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

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

    PhoenixChannel channel;
    Instant now{};
};

DialError transient() {
    return {.text = "connection refused"};
}
DialError status(unsigned code) {
    return {.kind = DialError::Kind::kHttpStatus, .status = code, .text = "HTTP " + std::to_string(code)};
}

TEST(PhoenixChannel, DialsWithTheKeyAndJoinsFirst) {
    Channel c;
    c.channel.send(flow(1));
    c.connect();
    EXPECT_EQ(c.actions(), std::vector<Action>{Dial{key(1)}});
    EXPECT_TRUE(c.frames().empty());

    c.channel.handle_connected(c.now);

    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_join(Role::kClient, 0, std::nullopt)});
    EXPECT_TRUE(c.frames().empty()) << "nothing may overtake the answer to the join";

    c.channel.handle_text(ok_reply(0), c.now);
    EXPECT_EQ(c.events_of<Joined>().size(), 1U);
    EXPECT_EQ(c.frames(),
              std::vector<std::string>{portal_api::encode_from_device(flow(1), portal_api::Dialect::kV1, 1)});
}

TEST(PhoenixChannel, StartsOverAtOnceInAnotherNetwork) {
    Channel c;
    c.channel.reconnect();
    EXPECT_TRUE(c.actions().empty()) << "nobody asked for a connection yet";
    c.connect();
    c.actions();
    c.channel.reconnect();
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}})) << "while dialling";

    c.channel.handle_dial_error(transient(), c.now);
    c.advance(Duration{1});
    c.channel.handle_dial_error(transient(), c.now);
    c.actions();
    c.channel.reconnect();
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}})) << "while waiting";

    c.channel.handle_connected(c.now);
    c.channel.reconnect();
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}})) << "while connected";

    c.channel.close(c.now);
    c.actions();
    c.channel.reconnect();
    EXPECT_TRUE(c.actions().empty()) << "after the end";
}

TEST(PhoenixChannel, JoinsAsARelayWithItsSecret) {
    Channel c{Role::kRelay};
    c.channel.connect(std::nullopt, c.now);
    EXPECT_EQ(c.actions(), std::vector<Action>{Dial{std::nullopt}});
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
    EXPECT_EQ(c.frames(),
              std::vector<std::string>{portal_api::encode_from_device(flow(1), portal_api::Dialect::kV1, 1)});

    c.channel.handle_connection_lost("reset", c.now);
    c.advance(0s);
    c.channel.handle_connected(c.now);

    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_join(Role::kClient, 2, std::nullopt)});
    c.channel.handle_text(ok_reply(0), c.now);
    EXPECT_TRUE(c.events_of<Joined>().empty()) << "an answer to the join of an earlier connection";
}

TEST(PhoenixChannel, DeliversMessages) {
    Channel c;
    c.join();
    c.channel.handle_text(
        portal_api::encode_to_device(portal_api::ToClient{portal_api::ResourceDeleted{}}, portal_api::Dialect::kV1),
        c.now);
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
        c.advance(0s);
        EXPECT_EQ(c.actions(), std::vector<Action>{Dial{key(1)}});
    }
}

TEST(PhoenixChannel, ReconnectsAtOnceIfThePortalClosesTheChannel) {
    Channel c;
    c.join();
    c.channel.handle_text(portal_api::encode_channel_closed("client"), c.now);
    const auto hiccups = c.events_of<Hiccup>();
    ASSERT_EQ(hiccups.size(), 1U);
    EXPECT_EQ(hiccups[0].delay, 0s);
    c.advance(0s);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}}));
}

TEST(PhoenixChannel, IgnoresThatThePortalsEndCrashedUntilAMessageIsRefused) {
    Channel c;
    c.join();
    c.channel.handle_text(portal_api::encode_channel_crashed("client"), c.now);
    EXPECT_TRUE(c.actions().empty());
    c.channel.send(flow(1));
    c.channel.send(flow(2));
    EXPECT_EQ(c.channel.poll_frame(c.now), portal_api::encode_from_device(flow(1), portal_api::Dialect::kV1, 1));

    c.channel.handle_text(portal_api::encode_error_reply("client", {"1"}, "unmatched topic"), c.now);

    EXPECT_EQ(c.frames(), std::vector<std::string>{portal_api::encode_join(Role::kClient, 2, std::nullopt)});
    c.channel.handle_text(ok_reply(2), c.now);
    EXPECT_EQ(c.frames(),
              std::vector<std::string>{portal_api::encode_from_device(flow(2), portal_api::Dialect::kV1, 3)});
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
    EXPECT_FALSE(fatal[0].is_authentication_error);
    EXPECT_THAT(fatal[0].text, HasSubstr("unmatched topic"));
}

TEST(PhoenixChannel, FailsWithAnAuthenticationErrorIfTheTokenExpired) {
    Channel c;
    c.join();
    c.channel.handle_text(portal_api::encode_disconnect("client", "token_expired"), c.now);
    const auto fatal = c.events_of<Fatal>();
    ASSERT_EQ(fatal.size(), 1U);
    EXPECT_TRUE(fatal[0].is_authentication_error);
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
        EXPECT_FALSE(fatal[0].is_authentication_error);
        EXPECT_THAT(fatal[0].text, AllOf(HasSubstr(reason), HasSubstr("FIREZONE_ID")));
        EXPECT_EQ(c.actions(), std::vector<Action>{Drop{}});
    }
}

TEST(PhoenixChannel, SaysWhatToDoAboutARefusal) {
    const auto text = [](unsigned code, Role role = Role::kClient) {
        Channel c{role};
        c.channel.connect(std::nullopt, c.now);
        c.channel.handle_dial_error(status(code), c.now);
        const auto fatal = c.events_of<Fatal>();
        return fatal.empty() ? std::string{} : fatal.front().text;
    };
    EXPECT_THAT(text(401), AllOf(HasSubstr("Check the token"), HasSubstr("token create client")));
    EXPECT_THAT(text(401, Role::kRelay), HasSubstr("token create relay"));
    EXPECT_THAT(text(404), AllOf(HasSubstr("FIREZONE_API_URL"), Not(HasSubstr("Check the token"))));
    EXPECT_THAT(text(409), HasSubstr("FIREZONE_ID"));
    EXPECT_THAT(text(426), HasSubstr("WebSockets"));
    for (unsigned code = 400; code < 500; ++code) {
        EXPECT_THAT(text(code), HasSubstr("HTTP " + std::to_string(code) + ". ")) << "and then what to do";
        EXPECT_EQ(text(code).find("Check the token") != std::string::npos, code == 401) << code;
    }
}

TEST(PhoenixChannel, ClassifiesWhatTheServerAnswers) {
    const auto outcome = [](const DialError& error) -> std::string {
        Channel c;
        c.connect();
        c.channel.handle_dial_error(error, c.now);
        for (const auto& event : c.events()) {
            if (const auto* fatal = std::get_if<Fatal>(&event)) {
                return fatal->is_authentication_error ? "authentication" : "fatal";
            }
        }
        return "retry";
    };
    EXPECT_EQ(outcome(status(401)), "authentication");
    EXPECT_EQ(outcome(status(403)), "authentication");
    for (const unsigned code : {400U, 404U, 408U, 422U, 429U, 499U}) {
        EXPECT_EQ(outcome(status(code)), "fatal") << code;
    }
    for (const unsigned code : {200U, 301U, 302U, 500U, 502U, 503U}) {
        EXPECT_EQ(outcome(status(code)), "retry") << code;
    }
    EXPECT_EQ(outcome({.kind = DialError::Kind::kInvalidCertificate, .text = "expired"}), "fatal");
    EXPECT_EQ(outcome(transient()), "retry");
}

TEST(PhoenixChannel, RetriesAtOnceThenWithGrowingDelays) {
    Channel c;
    c.connect();
    double interval = 500;
    for (int failure = 0; failure < 20; ++failure) {
        c.actions();
        c.channel.handle_dial_error(transient(), c.now);
        const auto hiccups = c.events_of<Hiccup>();
        ASSERT_EQ(hiccups.size(), 1U);
        const auto delay = std::chrono::duration<double, std::milli>(hiccups[0].delay).count();
        if (failure == 0) {
            EXPECT_EQ(delay, 0);
        } else {
            EXPECT_GE(delay, interval * 0.5 - 0.001);
            EXPECT_LE(delay, interval * 1.5 + 0.001);
            interval = std::min(interval * 1.5, 60'000.0);
        }
        if (hiccups[0].delay > 1ns) {
            c.advance(hiccups[0].delay - 1ns);
            EXPECT_TRUE(std::ranges::count(c.actions(), Action{Dial{key(1)}}) == 0);
            c.advance(1ns);
        } else {
            c.advance(0s);
        }
        EXPECT_EQ(c.actions().size(), 1U);
    }
}

TEST(PhoenixChannel, JitterCoversTheWholeRange) {
    auto rng = Rng::from_number(3);
    Duration least = 1h;
    Duration most{};
    for (int i = 0; i < 1000; ++i) {
        Backoff backoff{Instant{}, std::nullopt};
        const auto delay = *backoff.next(rng, Instant{});
        least = std::min(least, delay);
        most = std::max(most, delay);
    }
    EXPECT_GE(least, 250ms);
    EXPECT_LT(least, 260ms);
    EXPECT_LE(most, 750ms);
    EXPECT_GT(most, 740ms);
}

TEST(PhoenixChannel, ForgetsDelaysAfterASuccessfulConnect) {
    Channel c;
    c.connect();
    for (int i = 0; i < 10; ++i) {
        c.channel.handle_dial_error(transient(), c.now);
        c.advance(2min);
    }
    c.channel.handle_connected(c.now);
    c.events();
    c.channel.handle_connection_lost("reset", c.now);
    EXPECT_EQ(c.events_of<Hiccup>().at(0).delay, 0s);
}

TEST(PhoenixChannel, GivesUpAfterTheMaximumPartitionTime) {
    Channel c{Role::kGateway, 15min};
    c.connect();
    std::vector<Fatal> fatal;
    while (fatal.empty() && c.now < Instant{} + 1h) {
        c.channel.handle_dial_error(transient(), c.now);
        fatal = c.events_of<Fatal>();
        if (const auto at = c.channel.poll_timeout()) {
            c.now = *at;
            c.channel.handle_timeout(c.now);
        }
    }
    ASSERT_EQ(fatal.size(), 1U);
    EXPECT_FALSE(fatal[0].is_authentication_error);
    EXPECT_THAT(fatal[0].text, HasSubstr("max retries reached"));
    EXPECT_GT(c.now, Instant{} + 13min);
    EXPECT_LE(c.now, Instant{} + 15min);
}

TEST(PhoenixChannel, IgnoresAConnectWithTheSameKeyWhileConnecting) {
    Channel c;
    c.connect();
    c.channel.handle_dial_error(transient(), c.now);
    c.advance(0s);
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

TEST(PhoenixChannel, ReconnectsWhenConnectedEvenWithTheSameKey) {
    Channel c;
    c.join();
    c.connect();
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}}));
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
    EXPECT_EQ(c.channel.poll_frame(c.now), portal_api::encode_from_device(flow(0), portal_api::Dialect::kV1, 1));
    c.advance(10s);
    EXPECT_EQ(c.channel.poll_frame(c.now), portal_api::encode_heartbeat(2));
    EXPECT_EQ(c.channel.poll_frame(c.now), portal_api::encode_from_device(flow(1), portal_api::Dialect::kV1, 3));
}

TEST(PhoenixChannel, GivesUpAConnectionThatLeavesThreeHeartbeatsUnanswered) {
    Channel c;
    c.join();
    c.advance(40s - 1ns);
    EXPECT_EQ(c.frames().size(), 1U) << "a writer that is stuck makes no difference";
    EXPECT_TRUE(c.events_of<Hiccup>().empty());
    EXPECT_TRUE(c.actions().empty());

    c.advance(1ns);

    const auto hiccups = c.events_of<Hiccup>();
    ASSERT_EQ(hiccups.size(), 1U);
    EXPECT_EQ(hiccups[0].delay, 0s);
    EXPECT_THAT(hiccups[0].cause, HasSubstr("stopped answering"));
    c.advance(0s);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}}));

    c.channel.handle_connected(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(ok_reply(2), c.now);
    c.advance(40s - 1ns);
    EXPECT_TRUE(c.events_of<Hiccup>().empty()) << "the next connection starts from nothing";
}

TEST(PhoenixChannel, GivesUpADeadConnectionHoweverMuchItHasToSay) {
    Channel c;
    c.join();
    for (int second = 0; second < 40; ++second) {
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
            c.advance(29s);
            c.frames();
            sign(c);
        }
        EXPECT_TRUE(c.events_of<Hiccup>().empty());
    }
}

TEST(PhoenixChannel, DoesNotTakePushesForAnswers) {
    Channel c;
    c.join();
    for (int second = 0; second < 40; ++second) {
        c.channel.handle_text(
            portal_api::encode_to_device(portal_api::ToClient{portal_api::ResourceDeleted{}}, portal_api::Dialect::kV1),
            c.now);
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
        EXPECT_EQ(frames[i],
                  portal_api::encode_from_device(flow(static_cast<int>(i) % 200), portal_api::Dialect::kV1, 1 + i));
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
        c.channel.send(flow(1));
    }
    EXPECT_NE(c.channel.poll_frame(c.now), std::nullopt) << "so much it may leave";
    c.channel.send(flow(2));
    c.channel.send(flow(3));

    EXPECT_TRUE(c.frames().empty());

    EXPECT_THAT(c.events_of<Hiccup>().at(0).cause, HasSubstr("too slowly"));
    c.advance(0s);
    EXPECT_EQ(c.actions(), (std::vector<Action>{Drop{}, Dial{key(1)}}));
    c.channel.handle_connected(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(ok_reply(2), c.now);
    EXPECT_EQ(c.frames(),
              std::vector<std::string>{portal_api::encode_from_device(flow(3), portal_api::Dialect::kV1, 3)});
}

TEST(PhoenixChannel, DropsAllWaitingMessagesWhenMoreThan32Wait) {
    Channel c;
    c.connect();
    for (int i = 0; i < 33; ++i) {
        c.channel.send(flow(i));
    }
    c.channel.send(flow(100));
    c.channel.handle_connected(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(ok_reply(0), c.now);
    EXPECT_EQ(c.frames(),
              std::vector<std::string>{portal_api::encode_from_device(flow(100), portal_api::Dialect::kV1, 1)});
}

TEST(PhoenixChannel, Keeps33MessagesInOrderAcrossReconnects) {
    Channel c;
    c.join();
    c.channel.handle_connection_lost("reset", c.now);
    for (int i = 0; i < 33; ++i) {
        c.channel.send(flow(i));
    }
    c.advance(0s);
    c.channel.handle_connected(c.now);
    EXPECT_EQ(c.frames().size(), 1U);
    c.channel.handle_text(ok_reply(1), c.now);
    const auto frames = c.frames();
    ASSERT_EQ(frames.size(), 33U);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        EXPECT_EQ(frames[i],
                  portal_api::encode_from_device(flow(static_cast<int>(i)), portal_api::Dialect::kV1, 2 + i));
    }
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
