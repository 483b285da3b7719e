#include "culvert/resolver/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/dns/test_messages.h"
#include "culvert/resolver/testing/loop.h"
#include "culvert/resolver/testing/servers.h"

namespace culvert::resolver {
namespace {

using namespace std::chrono_literals;
using dns::AskId;
using dns::Transport;
using dns::test::ip;
using test::UdpServer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ResolverTest : public ::testing::Test {
protected:
    test::Loop loop_;
    test::Results results_;
    UdpServer name_server_;
    Resolver resolver_{loop_.context(), {.dns_port = name_server_.address().port}, results_.observer()};
    Bytes query_ = dns::test::query("www.example.com", dns::RecordType::kA, {.id = 0});
};

TEST_F(ResolverTest, AsksOverTheHostsNetwork) {
    resolver_.ask({.id = {1}, .route = dns::ViaHost{name_server_.address()}, .message = query_});
    std::optional<UdpServer::Datagram> datagram;
    ASSERT_TRUE(loop_.run_until([&] { return (datagram = name_server_.receive()).has_value(); }));

    name_server_.send(datagram->from, dns::test::response(query_, {}));

    EXPECT_TRUE(loop_.run_until([&] { return results_.has_response({1}); }));
}

TEST_F(ResolverTest, StopsAsking) {
    resolver_.ask({.id = {1}, .route = dns::ViaHost{name_server_.address()}, .message = query_});
    std::optional<UdpServer::Datagram> datagram;
    ASSERT_TRUE(loop_.run_until([&] { return (datagram = name_server_.receive()).has_value(); }));
    name_server_.send(datagram->from, dns::test::response(query_, {}));

    resolver_.stop({{1}});
    loop_.run_for(20ms);

    EXPECT_THAT(results_.responses, IsEmpty());
}

TEST_F(ResolverTest, AsksNameServersForTheServersOfHttps) {
    resolver_.set_system_resolvers({ip("127.0.0.1")});
    resolver_.ask({.id = {1}, .route = dns::DohServer{"https://doh.test/dns-query"}, .message = query_});

    std::optional<UdpServer::Datagram> datagram;
    ASSERT_TRUE(loop_.run_until([&] { return (datagram = name_server_.receive()).has_value(); }));
    EXPECT_EQ(dns::Message::parse_query(datagram->bytes)->question().name, dns::test::name("doh.test"));
}

TEST_F(ResolverTest, AsksNoSentinel) {
    resolver_.set_system_resolvers({ip("100.100.111.1"), ip("fd00:2021:1111:8000:100:100:111:0")});
    resolver_.ask({.id = {1}, .route = dns::DohServer{"https://doh.test/dns-query"}, .message = query_});

    EXPECT_THAT(results_.failures, ElementsAre(AskId{1})) << "there is nobody to ask";
}

TEST_F(ResolverTest, LeavesTheTunnelToOthers) {
    resolver_.ask({.id = {1}, .route = dns::ViaTunnel{.server = name_server_.address()}, .message = query_});

    EXPECT_THAT(results_.failures, ElementsAre(AskId{1}));
}

}  // namespace
}  // namespace culvert::resolver
