#include "culvert/resolver/doh_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "culvert/base/base64.h"
#include "culvert/dns/test_messages.h"
#include "culvert/resolver/constants.h"
#include "culvert/resolver/testing/https_server.h"
#include "culvert/resolver/testing/loop.h"
#include "culvert/resolver/testing/servers.h"

namespace culvert::resolver {
namespace {

using namespace std::chrono_literals;
using dns::AskId;
using dns::RecordType;
using dns::test::a_record;
using dns::test::ip;
using test::http_response;
using test::HttpsServer;
using test::UdpServer;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr AskId kAsk{7};
constexpr const char* kMediaType = "application/dns-message";

/// What the process trusts while this exists.
class Trust {
public:
    explicit Trust(const std::string& certificate) {
        const int fd = ::mkstemp(path_.data());
        ::close(fd);
        std::ofstream{path_} << certificate;
        ::setenv("SSL_CERT_FILE", path_.c_str(), 1);
        ::setenv("SSL_CERT_DIR", "/nonexistent", 1);
    }
    ~Trust() {
        ::unsetenv("SSL_CERT_FILE");
        ::unsetenv("SSL_CERT_DIR");
        std::filesystem::remove(path_);
    }
    Trust(const Trust&) = delete;
    Trust& operator=(const Trust&) = delete;

private:
    std::string path_ = "/tmp/culvert-test-XXXXXX";
};

class DohQueriesTest : public ::testing::Test {
protected:
    DohQueriesTest() : DohQueriesTest{test::make_certificate("DNS:doh.test,IP:127.0.0.1")} {}
    explicit DohQueriesTest(const test::Certificate& certificate)
        : trust_{certificate.certificate}, server_{certificate, [this](const std::string& line) {
                                                       const std::scoped_lock lock{mutex_};
                                                       return responder_(line);
                                                   }} {
        queries_->set_name_servers({ip("127.0.0.1")});
    }

    void respond(std::string response) {
        const std::scoped_lock lock{mutex_};
        responder_ = [response = std::move(response)](const std::string&) { return response; };
    }
    void respond_with(HttpsServer::Responder responder) {
        const std::scoped_lock lock{mutex_};
        responder_ = std::move(responder);
    }

    [[nodiscard]] dns::DohServer at(const std::string& host) const {
        return {"https://" + host + ":" + std::to_string(server_.port()) + "/dns-query"};
    }
    [[nodiscard]] std::string good() const { return std::string{as_text(response_)}; }

    /// Answers what the name server is asked: doh.test is here.
    void serve_names() {
        while (const auto datagram = name_server_.receive()) {
            ++names_asked_;
            const auto question = dns::Message::parse_query(datagram->bytes)->question();
            std::vector<dns::Record> records;
            if (question.name == dns::test::name("doh.test") && question.type == RecordType::kA) {
                records.push_back(a_record("doh.test", 300, "127.0.0.1"));
            }
            name_server_.send(datagram->from, dns::test::response(datagram->bytes, records));
        }
    }
    bool run_until(const std::function<bool()>& condition) {
        return loop_.run_until([&] {
            serve_names();
            return condition();
        });
    }
    bool await_response(AskId id = kAsk) {
        return run_until([&] { return results_.has_response(id) || !results_.failures.empty(); }) &&
               results_.has_response(id);
    }
    bool await_failure() {
        return run_until([&] { return !results_.failures.empty() || !results_.responses.empty(); }) &&
               results_.responses.empty();
    }

    Bytes query_ = dns::test::query("www.example.com", RecordType::kA, {.id = 0});
    Bytes response_ = dns::test::response(query_, {a_record("www.example.com", 60, "192.0.2.1")});
    test::Loop loop_;
    test::Results results_;
    Trust trust_;
    std::mutex mutex_;
    HttpsServer::Responder responder_ = [text = good()](const std::string&) { return http_response(text, kMediaType); };
    HttpsServer server_;
    UdpServer name_server_;
    int names_asked_ = 0;
    std::unique_ptr<DohQueries> queries_ = std::make_unique<DohQueries>(
        loop_.context(), DohQueries::Options{.https_port = server_.port(), .dns_port = name_server_.address().port},
        results_.observer());
};

TEST_F(DohQueriesTest, AsksAsTheStandardSays) {
    queries_->ask(kAsk, at("127.0.0.1"), query_);

    ASSERT_TRUE(await_response());
    EXPECT_THAT(results_.responses[kAsk], ElementsAre(response_));
    ASSERT_THAT(server_.requests(), SizeIs(1));
    EXPECT_THAT(server_.requests().front(),
                AllOf(StartsWith("GET /dns-query?dns=" + to_base64(query_, Base64::kUrlNoPadding) + " HTTP/1.1\r\n"),
                      HasSubstr("\r\nAccept: application/dns-message\r\n"), Not(HasSubstr("User-Agent"))));
    EXPECT_EQ(queries_->size(), 0U);
}

TEST_F(DohQueriesTest, AsksTheHostsNameServersForTheServersAddress) {
    queries_->ask({1}, at("doh.test"), query_);
    queries_->ask({2}, at("doh.test"), query_);
    ASSERT_TRUE(await_response({1}));
    ASSERT_TRUE(await_response({2}));
    EXPECT_EQ(names_asked_, 2) << "once for each family";

    queries_->ask({3}, at("doh.test"), query_);

    ASSERT_TRUE(await_response({3}));
    EXPECT_EQ(names_asked_, 2) << "it is remembered";
}

TEST_F(DohQueriesTest, KeepsItsConnection) {
    for (std::uint64_t i = 0; i < 5; ++i) {
        queries_->ask({i}, at("127.0.0.1"), query_);
        ASSERT_TRUE(await_response({i}));
    }
    EXPECT_EQ(server_.connections(), 1U);
}

TEST_F(DohQueriesTest, ConnectsAnewIfTheServerClosed) {
    respond("");
    queries_->ask({1}, at("127.0.0.1"), query_);
    ASSERT_TRUE(await_failure());

    respond(http_response(good(), kMediaType));
    queries_->ask({2}, at("127.0.0.1"), query_);

    EXPECT_TRUE(run_until([&] { return results_.has_response({2}); }));
}

TEST_F(DohQueriesTest, FailsIfTheServersNameIsUnknown) {
    queries_->ask(kAsk, at("elsewhere.test"), query_);

    EXPECT_TRUE(await_failure());
    EXPECT_EQ(server_.connections(), 0U);
}

TEST_F(DohQueriesTest, TrustsNobodyWhoIsNotKnown) {
    ::setenv("SSL_CERT_FILE", "/nonexistent", 1);
    queries_->ask(kAsk, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_failure());
    EXPECT_THAT(server_.requests(), IsEmpty());
}

class DohQueriesToAnotherHostTest : public DohQueriesTest {
protected:
    DohQueriesToAnotherHostTest() : DohQueriesTest{test::make_certificate("DNS:other.test")} {}
};

TEST_F(DohQueriesToAnotherHostTest, TrustsNobodyWithACertificateForAnotherName) {
    queries_->ask({1}, at("doh.test"), query_);
    ASSERT_TRUE(await_failure());
    results_.failures.clear();

    queries_->ask({2}, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_failure());
    EXPECT_THAT(server_.requests(), IsEmpty());
}

TEST_F(DohQueriesTest, TakesNothingButDnsMessages) {
    respond(http_response(good(), "text/html"));
    queries_->ask(kAsk, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_failure());
}

TEST_F(DohQueriesTest, TakesNoOtherStatus) {
    respond(http_response(good(), kMediaType, "203 Non-Authoritative Information"));
    queries_->ask(kAsk, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_failure());
}

TEST_F(DohQueriesTest, FollowsNoRedirects) {
    respond_with([&, text = good()](const std::string& line) {
        return line.starts_with("GET /elsewhere")
                   ? http_response(text, kMediaType)
                   : http_response("", kMediaType, "307 Temporary Redirect", "Location: /elsewhere\r\n");
    });
    queries_->ask(kAsk, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_failure());
    EXPECT_THAT(server_.requests(), SizeIs(1));
}

TEST_F(DohQueriesTest, TakesTheLongestMessageButNothingLonger) {
    auto body = good();
    body.resize(65'535);
    respond(http_response(body, kMediaType));
    queries_->ask({1}, at("127.0.0.1"), query_);
    ASSERT_TRUE(await_response({1}));
    EXPECT_EQ(results_.responses[{1}].front().size(), 65'535U);
    results_.responses.clear();

    body.resize(65'536);
    respond(http_response(body, kMediaType));
    queries_->ask({2}, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_failure());
}

TEST_F(DohQueriesTest, EndsABodyWithoutEnd) {
    auto response = "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n\r\n" + good();
    response.resize(8'000'000);
    respond(std::move(response));
    queries_->ask(kAsk, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_failure());
}

TEST_F(DohQueriesTest, EndsHeadersWithoutEnd) {
    std::string headers;
    for (int i = 0; i < 2000; ++i) {
        headers += "X-More-" + std::to_string(i) + ": and more\r\n";
    }
    respond(http_response(good(), kMediaType, "200 OK", headers));
    queries_->ask(kAsk, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_failure());
}

TEST_F(DohQueriesTest, TakesNoMessageThatIsNoResponse) {
    respond(http_response(std::string{as_text(query_)}, kMediaType));
    queries_->ask({1}, at("127.0.0.1"), query_);
    ASSERT_TRUE(await_failure());

    respond(http_response("short", kMediaType));
    queries_->ask({2}, at("127.0.0.1"), query_);
    EXPECT_TRUE(run_until([&] { return results_.failures.size() == 2; }));
}

TEST_F(DohQueriesTest, AsksNoProxyOfTheEnvironment) {
    for (const auto* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) {
        ::setenv(name, "http://127.0.0.1:1", 1);
    }
    queries_->ask(kAsk, at("127.0.0.1"), query_);

    EXPECT_TRUE(await_response());
    for (const auto* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) {
        ::unsetenv(name);
    }
}

TEST_F(DohQueriesTest, SaysNothingMoreAfterStop) {
    queries_->ask({1}, at("127.0.0.1"), query_);  // connecting
    queries_->ask({2}, at("doh.test"), query_);   // looking up
    queries_->stop({1});
    queries_->stop({2});
    loop_.run_for(50ms);

    EXPECT_THAT(results_.responses, IsEmpty());
    EXPECT_THAT(results_.failures, IsEmpty());
    EXPECT_EQ(queries_->size(), 0U);
}

TEST_F(DohQueriesTest, StartsAfreshInAnotherNetwork) {
    queries_->ask({1}, at("doh.test"), query_);
    ASSERT_TRUE(await_response({1}));
    queries_->ask({2}, at("doh.test"), query_);

    queries_->handle_network_change();

    EXPECT_THAT(results_.failures, ElementsAre(AskId{2}));
    queries_->ask({3}, at("doh.test"), query_);
    EXPECT_TRUE(run_until([&] { return results_.has_response({3}); }));
    EXPECT_EQ(names_asked_, 4);
    EXPECT_EQ(server_.connections(), 2U);
}

TEST_F(DohQueriesTest, FailsWhatWaitsForANameInAnotherNetwork) {
    queries_->ask(kAsk, at("doh.test"), query_);

    queries_->handle_network_change();

    EXPECT_THAT(results_.failures, ElementsAre(kAsk));
}

TEST_F(DohQueriesTest, MarksItsSockets) {
    constexpr std::uint32_t kMark = 0xfd002021;
    DohQueries queries{loop_.context(),
                       {.mark = kMark, .https_port = server_.port(), .dns_port = name_server_.address().port},
                       results_.observer()};
    queries.set_name_servers({ip("127.0.0.1")});
    queries.ask(kAsk, at("127.0.0.1"), query_);
    if (::geteuid() != 0) {
        EXPECT_TRUE(await_failure()) << "unmarked it must not be used";
        return;
    }
    ASSERT_TRUE(await_response());
    int marked = 0;
    for (int fd = 0; fd < 1024; ++fd) {
        std::uint32_t mark = 0;
        socklen_t size = sizeof mark;
        marked += ::getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &size) == 0 && mark == kMark ? 1 : 0;
    }
    EXPECT_EQ(marked, 1);
}

TEST_F(DohQueriesTest, RefusesQueriesWithAnId) {
    queries_->ask(kAsk, at("127.0.0.1"), dns::with_id(query_, 1));

    EXPECT_THAT(results_.failures, ElementsAre(kAsk));
}

TEST_F(DohQueriesTest, RefusesUrlsOfAnotherForm) {
    queries_->ask(kAsk, {"http://127.0.0.1:" + std::to_string(server_.port()) + "/dns-query"}, query_);

    EXPECT_THAT(results_.failures, ElementsAre(kAsk));
    loop_.run_for(20ms);
    EXPECT_EQ(server_.connections(), 0U);
}

TEST(DohUrl, IsHttpsWithAHost) {
    const auto parse = [](const std::string& url) { return parse_doh_url(url, 443); };

    EXPECT_EQ(parse("https://Dns.Quad9.net/dns-query"), (DohUrl{.host = "dns.quad9.net"}));
    EXPECT_EQ(parse("https://dns.quad9.net:443/"), (DohUrl{.host = "dns.quad9.net"}));
    EXPECT_EQ(parse("https://9.9.9.9/dns-query"), (DohUrl{.host = "9.9.9.9", .address = ip("9.9.9.9")}));
    EXPECT_EQ(parse("https://[2620:fe::9]/dns-query"), (DohUrl{.host = "2620:fe::9", .address = ip("2620:fe::9")}));
    for (const auto* url : {"", "dns.quad9.net", "//dns.quad9.net/", "http://dns.quad9.net/", "file:///etc/passwd",
                            "https://dns.quad9.net:8443/", "https://dns.quad9.net/?", "https://dns.quad9.net/?dns=AAAA",
                            "https://dns.quad9.net/#", "https://me@dns.quad9.net/", "https://me:secret@dns.quad9.net/",
                            "https://dns.quad9.net./",
                            "https://b\xc3\xbc"
                            "cher.example/",
                            "https://[fe80::1%25eth0]/"}) {
        EXPECT_EQ(parse(url), std::nullopt) << url;
    }
}

}  // namespace
}  // namespace culvert::resolver
