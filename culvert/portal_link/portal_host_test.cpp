#include "culvert/portal_link/portal_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "culvert/dns/test_messages.h"
#include "culvert/resolver/testing/loop.h"
#include "culvert/resolver/testing/servers.h"

namespace culvert::portal_link {
namespace {

using dns::RecordType;
using dns::test::a_record;
using dns::test::ip;
using resolver::test::UdpServer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::uint16_t kServFail = 0x8182;
constexpr std::uint16_t kSuccess = 0x8180;

class PortalHostTest : public ::testing::Test {
protected:
    std::unique_ptr<PortalHost> make(const std::string& name) {
        auto host = std::make_unique<PortalHost>(
            loop_.context(), PortalHost::Options{.host = name, .port = 8081, .dns_port = server_.address().port});
        host->set_name_servers({ip("127.0.0.1")});
        return host;
    }

    void serve() {
        while (const auto datagram = server_.receive()) {
            const auto type = dns::Message::parse_query(datagram->bytes)->question().type;
            server_.send(datagram->from, dns::test::response(datagram->bytes, answers_[type], flags_));
        }
    }

    std::vector<std::string> find(PortalHost& host) {
        std::optional<std::vector<std::string>> found;
        host.find([&](const auto& endpoints) {
            found.emplace();
            for (const auto& endpoint : endpoints) {
                EXPECT_EQ(endpoint.port(), 8081);
                found->push_back(endpoint.address().to_string());
            }
        });
        EXPECT_FALSE(found) << "whoever asks must not be called from within";
        EXPECT_TRUE(loop_.run_until([&] {
            serve();
            return found.has_value();
        }));
        return found.value_or(std::vector<std::string>{});
    }

    resolver::test::Loop loop_;
    UdpServer server_;
    std::map<RecordType, std::vector<dns::Record>> answers_;
    std::uint16_t flags_ = kSuccess;
};

TEST(Interleaved, GivesTheFamiliesByTurnsAndIpv6First) {
    EXPECT_THAT(interleaved({ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"), ip("2001:db8::1")}),
                ElementsAre(ip("2001:db8::1"), ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")));
    EXPECT_THAT(interleaved({ip("2001:db8::1"), ip("2001:db8::2"), ip("192.0.2.1")}),
                ElementsAre(ip("2001:db8::1"), ip("192.0.2.1"), ip("2001:db8::2")));
}

TEST_F(PortalHostTest, IsWhatItIsIfItIsAnAddressOrThisHost) {
    const auto literal = make("192.0.2.1");
    EXPECT_THAT(find(*literal), ElementsAre("192.0.2.1"));
    const auto own = make("localhost");
    EXPECT_THAT(find(*own), ElementsAre("::1", "127.0.0.1"));
}

TEST_F(PortalHostTest, FollowsANameThatMoves) {
    const auto portal = make("portal.example");
    answers_[RecordType::kA] = {a_record("portal.example", 3600, "192.0.2.1")};
    EXPECT_THAT(find(*portal), ElementsAre("192.0.2.1"));

    answers_[RecordType::kA] = {a_record("portal.example", 3600, "192.0.2.2"),
                                a_record("portal.example", 3600, "192.0.2.3")};
    EXPECT_THAT(find(*portal), UnorderedElementsAre("192.0.2.2", "192.0.2.3"));
}

TEST_F(PortalHostTest, KeepsToWhatItKnewWhileNobodyAnswersForTheName) {
    const auto portal = make("portal.example");
    flags_ = kServFail;
    EXPECT_THAT(find(*portal), IsEmpty());

    flags_ = kSuccess;
    answers_[RecordType::kA] = {a_record("portal.example", 60, "192.0.2.1")};
    EXPECT_THAT(find(*portal), ElementsAre("192.0.2.1"));

    flags_ = kServFail;
    answers_.clear();
    EXPECT_THAT(find(*portal), ElementsAre("192.0.2.1"));
}

TEST_F(PortalHostTest, CallsNobodyOnceItWasCancelledOrAskedAgain) {
    const auto portal = make("192.0.2.1");
    bool was_called = false;
    portal->find([&](const auto&) { was_called = true; });
    EXPECT_THAT(find(*portal), ElementsAre("192.0.2.1"));
    portal->find([&](const auto&) { was_called = true; });
    portal->cancel();
    const auto other = make("192.0.2.2");
    EXPECT_THAT(find(*other), ElementsAre("192.0.2.2"));
    EXPECT_FALSE(was_called);
}

}  // namespace
}  // namespace culvert::portal_link
