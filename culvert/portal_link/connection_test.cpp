#include "culvert/portal_link/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fstream>
#include <mutex>

#include "culvert/portal_api/codec.h"
#include "culvert/portal_link/test_support/test_server.h"

namespace culvert::portal_link {
namespace {

using namespace std::chrono_literals;
using portal_api::Role;
using portal_channel::Closed;
using portal_channel::Event;
using portal_channel::Fatal;
using portal_channel::FatalCause;
using portal_channel::Hiccup;
using portal_channel::Joined;
using portal_channel::MessageReceived;
using test::frame;
using test::Script;
using test::Server;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Far longer than anything here takes; only a failing test waits for it.
constexpr auto kPatience = 20s;

crypto::PublicKey key(int number) {
    crypto::PublicKey key;
    key.bytes[0] = static_cast<std::byte>(number);
    return key;
}

const std::string kPush =
    portal_api::encode_to_device(portal_api::ToClient{portal_api::ResourceDeleted{}}, portal_api::Dialect::kV2);

std::string response(int status, const std::string& body = "", const std::string& headers = "") {
    return "HTTP/1.1 " + std::to_string(status) + " Reason\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           headers + "\r\n" + body;
}

/// A connection to a server on loopback and the events that it delivered.
class Connection {
public:
    explicit Connection(std::uint16_t port, const std::function<void(ConnectionOptions&)>& adjust = {},
                        std::string_view scheme = "ws", std::string_view host = "127.0.0.1") {
        const auto base = std::string{scheme} + "://" + std::string{host} + ":" + std::to_string(port);
        const auto url = portal_api::LoginUrl::build(
            base, {.role = Role::kClient, .token = "secret", .external_id = "id", .name = "n"});
        ConnectionOptions options{.url = url.value(), .user_agent = "Linux/1 headless-client/1.5.5"};
        if (adjust) {
            adjust(options);
        }
        auto created = PortalConnection::create(std::move(options), [this](Event event) {
            const std::scoped_lock lock{mutex_};
            events_.push_back(std::move(event));
            changed_.notify_all();
        });
        connection_ = std::move(created.value());
    }
    ~Connection() { connection_.reset(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    PortalConnection* operator->() { return connection_.get(); }

    /// The next event, which must be a T. Heartbeats are too slow to appear.
    template <typename T>
    T expect() {
        std::unique_lock lock{mutex_};
        if (!changed_.wait_for(lock, kPatience, [&] { return !events_.empty(); })) {
            ADD_FAILURE() << "no event came";
            return {};
        }
        auto event = std::move(events_.front());
        events_.pop_front();
        if (auto* wanted = std::get_if<T>(&event)) {
            return std::move(*wanted);
        }
        ADD_FAILURE() << "another event came, number " << event.index() << describe(event);
        return {};
    }

private:
    static std::string describe(const Event& event) {
        if (const auto* hiccup = std::get_if<Hiccup>(&event)) {
            return ": " + hiccup->cause;
        }
        const auto* fatal = std::get_if<Fatal>(&event);
        return fatal ? ": " + fatal->text : "";
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Event> events_;
    std::unique_ptr<PortalConnection> connection_;
};

/// A PEM file that goes away.
class File {
public:
    explicit File(const std::string& content) {
        const int fd = ::mkstemp(path_.data());
        ::close(fd);
        std::ofstream{path_} << content;
    }
    ~File() { std::remove(path_.c_str()); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/culvert-test-XXXXXX";
};

template <typename Condition>
bool eventually(Condition condition) {
    for (int i = 0; i < 1000; ++i) {
        if (condition()) {
            return true;
        }
        ::usleep(10'000);
    }
    return false;
}

TEST(PortalConnection, JoinsAndExchangesMessages) {
    Server server{{{.after_join = frame(1, kPush)}}};
    Connection connection{server.port()};
    connection->connect(key(1));

    connection.expect<Joined>();
    const auto message = connection.expect<MessageReceived>();
    EXPECT_EQ(message.message, portal_api::ToDevice{portal_api::ToClient{portal_api::ResourceDeleted{}}});
    connection->send(portal_api::FromClient{portal_api::CreateFlow{}});
    EXPECT_TRUE(eventually([&] { return server.messages().size() == 2; }));

    connection->close();
    connection.expect<Closed>();
    EXPECT_TRUE(eventually([&] { return server.messages().size() == 3; }));
    EXPECT_THAT(server.messages(),
                ElementsAre(portal_api::encode_join(Role::kClient, 0, std::nullopt),
                            portal_api::encode_from_device(portal_api::FromClient{portal_api::CreateFlow{}},
                                                           portal_api::Dialect::kV2, 1),
                            "<close>"));
}

TEST(PortalConnection, SendsEverythingThatAGatewaySaysAtOnce) {
    constexpr std::size_t kClients = 200;
    constexpr std::size_t kMessagesEach = 5;
    Server server{{{}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    connection.expect<Joined>();

    std::vector<std::string> expected{portal_api::encode_join(Role::kClient, 0, std::nullopt)};
    for (std::size_t i = 0; i < kClients * kMessagesEach; ++i) {
        portal_api::CreateFlow message;
        message.resource_id = ResourceId{Uuid{std::array<std::uint8_t, 16>{static_cast<std::uint8_t>(i % kClients)}}};
        expected.push_back(
            portal_api::encode_from_device(portal_api::FromClient{message}, portal_api::Dialect::kV2, 1 + i));
        connection->send(portal_api::FromClient{message});
    }

    EXPECT_TRUE(eventually([&] { return server.messages().size() == expected.size(); })) << server.messages().size();
    EXPECT_EQ(server.messages(), expected);
}

TEST(PortalConnection, SendsOnlyTheHeadersThatPortalsExpect) {
    Server server{{{}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    connection.expect<Joined>();

    const auto request = server.requests().at(0);
    EXPECT_THAT(request, AllOf(HasSubstr("GET /client/v2/websocket?external_id=id&name=n&public_key=AQAA"),
                               HasSubstr("\r\nX-Authorization: Bearer secret\r\n"),
                               HasSubstr("\r\nHost: 127.0.0.1\r\n"), HasSubstr("\r\nConnection: Upgrade\r\n"),
                               HasSubstr("\r\nUpgrade: websocket\r\n"), HasSubstr("\r\nSec-WebSocket-Version: 13\r\n"),
                               HasSubstr("\r\nUser-Agent: Linux/1 headless-client/1.5.5\r\n")));
    EXPECT_EQ(std::ranges::count(request, '\n'), 9) << request;
}

TEST(PortalConnection, SpeaksTheOlderDialectWithAPortalThatHasNoOther) {
    Server server{{{.http_response = response(404)}, {}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    connection.expect<Joined>();

    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_THAT(requests[0], HasSubstr("GET /client/v2/websocket?"));
    EXPECT_THAT(requests[1],
                AllOf(HasSubstr("GET /client/websocket?token=secret&external_id=id&name=n&public_key=AQAA"),
                      HasSubstr("\r\nX-Authorization: Bearer secret\r\n")));
}

TEST(PortalConnection, WaitsForAsLongAsThePortalAsksFor) {
    std::vector<Script> scripts(20, {.http_response = response(503, "", "Retry-After: 0\r\n")});
    scripts.push_back({});
    Server server{std::move(scripts)};
    Connection connection{server.port()};
    connection->connect(key(1));
    for (int attempt = 0; attempt < 20; ++attempt) {
        EXPECT_EQ(connection.expect<Hiccup>().delay, portal_channel::kMinRetryAfter);
    }
    connection.expect<Joined>();
}

TEST(PortalConnection, ReconnectsWithANewKey) {
    Server server{{{}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    connection.expect<Joined>();
    connection->connect(key(2));
    connection.expect<Joined>();
    EXPECT_THAT(server.requests().at(1), HasSubstr("public_key=AgAA"));
    EXPECT_THAT(server.messages(), ::testing::Contains("<close>")) << "the old connection ends as it should";
}

TEST(PortalConnection, EndsOnlyIfItsTokenIsRefused) {
    const auto dead = R"({"status":401,"detail":"Why not","code":"invalid_token"})";
    for (const auto& [body, cause] : {std::pair{dead, FatalCause::kDeadToken}, {"Why not", FatalCause::kRefused}}) {
        Server server{{{.http_response = response(401, body)}}};
        Connection connection{server.port()};
        connection->connect(key(1));
        const auto fatal = connection.expect<Fatal>();
        EXPECT_EQ(fatal.cause, cause) << body;
        EXPECT_THAT(fatal.text, AllOf(HasSubstr("HTTP 401 Reason: Why not. "), Not(HasSubstr("secret"))));
    }
    for (const int status : {400, 403, 409, 422, 429, 500, 503}) {
        Server server{{{.http_response = response(status, "Why not")}, {}}};
        Connection connection{server.port()};
        connection->connect(key(1));
        EXPECT_THAT(connection.expect<Hiccup>().cause, AllOf(HasSubstr(std::to_string(status)), HasSubstr("Why not")));
        connection.expect<Joined>();
    }
}

TEST(PortalConnection, NeverRepeatsTheTokenThatAServerQuotes) {
    const auto body = std::string(200, '.') + " Cannot GET /client/websocket?token=secret&name=n, token: secret; " +
                      "/client/websocket?token=secr";
    Server server{{{.http_response = response(500, body)}, {.http_response = response(404, body)}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    EXPECT_THAT(connection.expect<Hiccup>().cause, AllOf(HasSubstr("token=[token]&name=n"), Not(HasSubstr("secr"))));
    EXPECT_THAT(connection.expect<Hiccup>().cause, AllOf(HasSubstr("token=[token]&name=n"), Not(HasSubstr("secr"))));
}

TEST(PortalConnection, DoesNotFollowRedirects) {
    Server elsewhere{{{}}};
    Server server{{{.http_response =
                        response(302, "", "Location: http://127.0.0.1:" + std::to_string(elsewhere.port()) + "/\r\n")},
                   {}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    EXPECT_THAT(connection.expect<Hiccup>().cause, HasSubstr("302"));
    connection.expect<Joined>();
    EXPECT_TRUE(elsewhere.requests().empty());
}

TEST(PortalConnection, RetriesWhenTheServerTalksNonsense) {
    for (const auto* nonsense : {"\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
        Server server{{{.http_response = nonsense}, {}}};
        Connection connection{server.port()};
        connection->connect(key(1));
        connection.expect<Hiccup>();
        connection.expect<Joined>();
    }
}

TEST(PortalConnection, RetriesWhenNobodyListens) {
    std::uint16_t port = 0;
    {
        const Server server{{{}}};
        port = server.port();
    }
    Connection connection{port};
    connection->connect(key(1));
    EXPECT_THAT(connection.expect<Hiccup>().cause,
                HasSubstr("TCP connection to 127.0.0.1:" + std::to_string(port) + " failed"));
}

TEST(PortalConnection, GivesUpOnASlowServerInTime) {
    Server server{{{.is_silent = true}, {}}};
    Connection connection{server.port(), [](ConnectionOptions& options) { options.dial_timeout = 200ms; }};
    connection->connect(key(1));
    EXPECT_THAT(connection.expect<Hiccup>().cause, HasSubstr("WebSocket handshake failed"));
    connection.expect<Joined>();
}

TEST(PortalConnection, SurvivesFramesThatItCannotUse) {
    const auto unknown = R"({"topic":"client","event":"news","payload":{},"ref":null})";
    Server server{{{.after_join = frame(1, "garbage") + frame(2, "\xff\xfe") + frame(9, "") + frame(1, unknown) +
                                  frame(1, kPush)}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    connection.expect<Joined>();
    connection.expect<MessageReceived>();
    EXPECT_TRUE(eventually([&] { return server.messages().size() == 2; }));
    EXPECT_EQ(server.messages().at(1), "<pong>");
}

TEST(PortalConnection, ReadsFragmentsAndBinaryMessages) {
    Server server{{{.after_join = frame(1, kPush.substr(0, 10), false) + frame(0, kPush.substr(10, 10), false) +
                                  frame(9, "now") + frame(0, kPush.substr(20)) + frame(2, kPush)}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    connection.expect<Joined>();
    connection.expect<MessageReceived>();
    connection.expect<MessageReceived>();
}

TEST(PortalConnection, ReadsMessagesOfManyMegabytes) {
    portal_api::GatewayIceCandidates candidates;
    candidates.candidates.assign(100'000, std::string(100, 'x'));
    Server server{{{.after_join = frame(
                        1, portal_api::encode_to_device(portal_api::ToClient{candidates}, portal_api::Dialect::kV2))}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    connection.expect<Joined>();
    const auto message = connection.expect<MessageReceived>();
    EXPECT_EQ(message.message, portal_api::ToDevice{portal_api::ToClient{candidates}});
}

TEST(PortalConnection, ReconnectsWhenTheConnectionBreaks) {
    const auto half = frame(1, kPush).substr(0, 20);
    const std::string too_long{"\x81\x7f\x00\x00\x00\x00\x10\x00\x00\x00", 10};
    for (const auto& script : {
             Script{.hangs_up = true},
             Script{.after_join = half, .hangs_up = true},
             Script{.after_join = frame(8, std::string{"\x03\xe9", 2})},
             Script{.after_join = frame(8, "")},
             Script{.after_join = frame(1, R"({"topic":"client")")},
             Script{.after_join = frame(1, "")},
             Script{.after_join = frame(1, "\xff\xfe")},
             Script{.after_join = frame(1, portal_api::encode_channel_closed("client"))},
             Script{.after_join = std::string(20, '\xff')},
             Script{.after_join = too_long},
         }) {
        Server server{{script, {.after_join = frame(1, kPush)}}};
        Connection connection{server.port()};
        connection->connect(key(1));
        connection.expect<Joined>();
        EXPECT_LE(connection.expect<Hiccup>().delay, 1s);
        connection.expect<Joined>();
        connection.expect<MessageReceived>();
    }
}

TEST(PortalConnection, EndsWhenTheTokenExpires) {
    Server server{{{.after_join = frame(1, portal_api::encode_disconnect("client", "token_expired"))}}};
    Connection connection{server.port()};
    connection->connect(key(1));
    connection.expect<Joined>();
    EXPECT_EQ(connection.expect<Fatal>().cause, FatalCause::kDeadToken);
}

TEST(PortalConnection, TrustsACertificateOfAKnownAuthority) {
    const auto certificate = test::make_certificate("DNS:localhost,IP:127.0.0.1");
    const File authority{certificate.certificate};
    for (const auto* host : {"localhost", "127.0.0.1"}) {
        Server server{{{.after_join = frame(1, kPush)}}, certificate};
        Connection connection{server.port(), [&](ConnectionOptions& options) { options.ca_file = authority.path(); },
                              "wss", host};
        connection->connect(key(1));
        connection.expect<Joined>();
        connection.expect<MessageReceived>();
        connection->close();
        connection.expect<Closed>();
    }
}

TEST(PortalConnection, TellsNothingToAPortalWithAnInvalidCertificate) {
    const auto good = test::make_certificate("DNS:localhost,IP:127.0.0.1");
    const auto expired = test::make_certificate("DNS:localhost,IP:127.0.0.1", true);
    const auto foreign = test::make_certificate("DNS:portal.example");
    const auto outcome = [](const test::Certificate& certificate, const std::optional<std::string>& ca_file) {
        Server server{{{}}, certificate};
        Connection connection{server.port(), [&](ConnectionOptions& options) { options.ca_file = ca_file; }, "wss",
                              "localhost"};
        connection->connect(key(1));
        const auto cause = connection.expect<Hiccup>().cause;
        EXPECT_THAT(cause, HasSubstr("clock"));
        EXPECT_TRUE(server.requests().empty()) << "the token must not be sent";
        return cause;
    };
    EXPECT_THAT(outcome(good, std::nullopt), HasSubstr("invalid peer certificate"));
    EXPECT_THAT(outcome(expired, File{expired.certificate}.path()), HasSubstr("invalid peer certificate"));
    const File foreign_file{foreign.certificate};
    EXPECT_THAT(outcome(foreign, foreign_file.path()), HasSubstr("hostname mismatch"));
}

TEST(PortalConnection, RetriesWhenTheServerDoesNotSpeakTls) {
    Server server{{{}}};
    Connection connection{server.port(), [](ConnectionOptions& options) { options.dial_timeout = 300ms; }, "wss"};
    connection->connect(key(1));
    EXPECT_THAT(connection.expect<Hiccup>().cause, HasSubstr("TLS handshake failed"));
}

TEST(PortalConnection, CanBeClosedAndDestroyedAtAnyTime) {
    Server server{{{.is_silent = true}}};
    {
        Connection connection{server.port()};
        connection->connect(key(1));
        connection->close();
        connection.expect<Closed>();
        connection->connect(key(2));
        connection->send(portal_api::FromClient{portal_api::CreateFlow{}});
    }
    {
        Connection connection{server.port()};
        connection->connect(key(1));
        EXPECT_TRUE(eventually([&] { return !server.requests().empty(); }));
    }
    {
        Connection connection{server.port()};
    }
}

TEST(PortalConnection, WaitsForAHostThatNobodyKnows) {
    Connection connection{80, {}, "ws", "no-such-host.invalid"};
    connection->connect(key(1));
    EXPECT_THAT(connection.expect<Hiccup>().cause, AllOf(HasSubstr("no-such-host.invalid"), HasSubstr("name servers")));
}

TEST(PortalConnection, TellsTheAddressesThatItUses) {
    Server server{{{}}};
    std::vector<net::IpAddress> addresses;
    Connection connection{server.port(), [&](ConnectionOptions& options) {
                              options.on_addresses = [&](const auto& found) { addresses = found; };
                          }};
    connection->connect(key(1));
    connection.expect<Joined>();
    EXPECT_THAT(addresses, ElementsAre(*net::IpAddress::parse("127.0.0.1")));
}

}  // namespace
}  // namespace culvert::portal_link
