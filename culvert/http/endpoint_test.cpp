#include "culvert/http/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const net::SocketAddress kAnyPort = *net::SocketAddress::parse("127.0.0.1:0");

/// A connection to the server over which `request` went, verbatim.
class Client {
public:
    explicit Client(const net::SocketAddress& server, std::string_view request = {}) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(server.port);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::send(fd_, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    }
    ~Client() { ::close(fd_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Until the server closes.
    [[nodiscard]] std::string read() const {
        std::string answer;
        char buffer[4096];
        for (ssize_t n = 0; (n = ::recv(fd_, buffer, sizeof buffer, 0)) > 0;) {
            answer.append(buffer, static_cast<std::size_t>(n));
        }
        return answer;
    }
    [[nodiscard]] bool is_open() const {
        char byte;
        return ::recv(fd_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
    }

private:
    int fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
};

std::string exchange(const net::SocketAddress& server, std::string_view request) {
    return Client{server, request}.read();
}

std::string request(std::string_view method_and_target) {
    return std::string{method_and_target} + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
}

class EndpointTest : public ::testing::Test {
protected:
    std::unique_ptr<Endpoint> endpoint_ = *Endpoint::start(
        kAnyPort, {{"/healthz", {[](const Request&) { return Response{200, "fine\n"}; }}},
                   {"/long", {[](const Request&) { return Response{200, std::string(65'536, 'x')}; }}},
                   {"/sick", {[](const Request&) { return Response{400, "ill\n"}; }}},
                   {"/broken", {[](const Request&) -> Response { throw std::runtime_error{"oh"}; }}},
                   {"/echo", {[](const Request& r) { return Response{200, r.parameter("a b")}; }, true}}});

    std::string get(std::string_view method_and_target) {
        return exchange(endpoint_->address(), request(method_and_target));
    }
};

TEST_F(EndpointTest, AnswersWithWhatTheHandlerSays) {
    EXPECT_THAT(get("GET /healthz"), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("\r\n\r\nfine\n")));
    EXPECT_THAT(get("GET /sick"), AllOf(StartsWith("HTTP/1.1 400"), EndsWith("ill\n")));
    EXPECT_THAT(get("HEAD /healthz"),
                AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: 5"), EndsWith("\r\n\r\n")));
}

TEST_F(EndpointTest, RefusesUnknownPathsAndMethods) {
    EXPECT_THAT(get("GET /"), StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(get("GET /healthz/"), StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(get("POST /healthz"), StartsWith("HTTP/1.1 405"));
    EXPECT_THAT(get("BREW /healthz"), StartsWith("HTTP/1.1 405"));
}

TEST_F(EndpointTest, DecodesQueryParameters) {
    EXPECT_THAT(get("POST /echo?x=1&a+b=c%3Dd%2&a+b=no"), EndsWith("\r\n\r\nc=d%2"));
    EXPECT_THAT(get("GET /echo?a"), EndsWith("\r\n\r\n"));
}

TEST_F(EndpointTest, SurvivesAThrowingHandler) {
    EXPECT_THAT(get("GET /broken"), StartsWith("HTTP/1.1 500"));
    EXPECT_THAT(get("GET /healthz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(EndpointTest, SurvivesGarbageAndOversizedRequests) {
    EXPECT_THAT(exchange(endpoint_->address(), "\x16\x03\x01 hello\r\n\r\n"), StartsWith("HTTP/1.1 400"));
    // What the server did not read any more may cost the client the answer.
    EXPECT_THAT(exchange(endpoint_->address(), "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n"),
                AnyOf("", StartsWith("HTTP/1.1 431")));
    EXPECT_THAT(exchange(endpoint_->address(), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8193\r\n\r\n"),
                StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(get("GET /healthz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(EndpointTest, HearsOutWhoIsRefusedWhileHeStillSends) {
    const std::string long_body(3'000'000, 'x');
    EXPECT_THAT(
        exchange(endpoint_->address(), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + long_body),
        StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(exchange(endpoint_->address(),
                         "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2dc6c0\r\n" + long_body),
                StartsWith("HTTP/1.1 413"));
}

TEST_F(EndpointTest, ServesSeveralRequestsOfOneConnection) {
    const auto answers =
        exchange(endpoint_->address(), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + request("GET /sick"));

    EXPECT_THAT(answers, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("HTTP/1.1 400")));
}

TEST_F(EndpointTest, MakesRoomForRequestsWhereManySayNothing) {
    std::vector<std::unique_ptr<Client>> silent;
    for (int i = 0; i < 100; ++i) {
        silent.push_back(std::make_unique<Client>(endpoint_->address(), i % 2 == 0 ? "" : "GET /healthz HTT"));
        EXPECT_THAT(get("GET /healthz"), StartsWith("HTTP/1.1 200")) << i;
    }
    EXPECT_EQ(silent.front()->read(), "") << "the one that has waited longest";
    EXPECT_TRUE(silent.back()->is_open());
}

TEST_F(EndpointTest, MakesRoomForRequestsWhereManyDoNotReadTheirAnswers) {
    std::string many;
    for (int i = 0; i < 300; ++i) {
        many += "GET /long HTTP/1.1\r\nHost: x\r\n\r\n";
    }
    std::vector<std::unique_ptr<Client>> deaf;
    for (int i = 0; i < 70; ++i) {
        deaf.push_back(std::make_unique<Client>(endpoint_->address(), many));
    }
    EXPECT_THAT(get("GET /healthz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(EndpointTest, SaysWhyItCannotListen) {
    const auto second = Endpoint::start(endpoint_->address(), {});

    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error(), "cannot listen on " + endpoint_->address().to_string() + ": Address already in use");
}

}  // namespace
}  // namespace culvert::http
