#include "culvert/resolver/host_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "culvert/dns/test_messages.h"
#include "culvert/resolver/constants.h"
#include "culvert/resolver/testing/loop.h"
#include "culvert/resolver/testing/servers.h"

namespace culvert::resolver {
namespace {

using dns::test::name;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HostNames, KnowsWhatIsAHostName) {
    EXPECT_EQ(host_name_of(name("www.example.com")), "www.example.com");
    EXPECT_EQ(host_name_of(name("intranet")), "intranet");
    EXPECT_EQ(host_name_of(name("_srv.a-b.1e")), "_srv.a-b.1e");
    EXPECT_EQ(host_name_of(name("Bücher.example")), std::nullopt);
    EXPECT_EQ(host_name_of(name("a\\.b.example")), std::nullopt);
    EXPECT_EQ(host_name_of(name("a\\000b.example")), std::nullopt);
    EXPECT_EQ(host_name_of(name("a b.example")), std::nullopt);
    EXPECT_EQ(host_name_of(dns::Name{}), std::nullopt);
}

TEST(HostNames, TakesNoAddressForAName) {
    EXPECT_EQ(host_name_of(name("10.0.0.1")), std::nullopt);
    EXPECT_EQ(host_name_of(name("2130706433")), std::nullopt);
    EXPECT_EQ(host_name_of(name("fd00::1")), std::nullopt);
}

TEST(HostNames, FindsNothingForWhatIsNoHostName) {
    test::Loop loop;
    HostNames names{loop.context(), {}};
    std::optional<AddressLookUp::Found> result;
    names.look_up(name("10.0.0.1"), [&](auto found) { result = std::move(found); });

    ASSERT_TRUE(result);
    EXPECT_THAT(result->addresses, IsEmpty());
}

TEST(HostNames, LeavesTheHostItselfOut) {
    EXPECT_EQ(host_name_of(name("localhost")), std::nullopt);
    EXPECT_EQ(host_name_of(name("www.LocalHost")), std::nullopt);
    EXPECT_EQ(host_name_of(name("localhost.example")), "localhost.example");
}

class HostNamesTest : public ::testing::Test {
protected:
    HostNamesTest() { configure("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"); }
    ~HostNamesTest() override { std::filesystem::remove(resolv_conf_); }

    void configure(const std::string& text) const { std::ofstream{resolv_conf_} << text; }

    void serve() {
        while (const auto datagram = server_.receive()) {
            server_.send(datagram->from, answer(datagram->bytes));
        }
    }

    /// Waits for all names; those that were found.
    std::vector<std::string> look_up(const std::vector<std::string>& asked) {
        std::vector<std::string> found;
        std::size_t ended = 0;
        for (const auto& text : asked) {
            names_.look_up(name(text), [&, text](const auto& result) {
                ++ended;
                if (result && !result->addresses.empty()) {
                    found.push_back(text);
                }
            });
        }
        EXPECT_TRUE(loop_.run_until([&] {
            serve();
            return ended == asked.size();
        }));
        EXPECT_EQ(names_.size(), 0U);
        return found;
    }

    /// Whatever ends in "corp.example" is known.
    static Bytes answer(ByteSpan query) {
        const auto question = dns::Message::parse_query(query)->question();
        const auto text = question.name.to_string();
        if (!text.ends_with("corp.example")) {
            return dns::test::response(query, {}, 0x8183);
        }
        return question.type == dns::RecordType::kA
                   ? dns::test::response(query, {dns::test::a_record(text, 60, "10.1.0.1")})
                   : dns::test::response(query, {});
    }

    std::string resolv_conf_ = ::testing::TempDir() + "culvert-resolv-conf-" + std::to_string(::getpid());
    test::Loop loop_;
    test::UdpServer server_;
    HostNames names_{loop_.context(), {.port = server_.address().port, .resolv_conf = resolv_conf_}};
};

TEST_F(HostNamesTest, AsksTheHostsNameServers) {
    EXPECT_THAT(look_up({"www.corp.example", "www.unknown.example"}), ElementsAre("www.corp.example"));
}

TEST_F(HostNamesTest, NoticesAnotherConfiguration) {
    EXPECT_THAT(look_up({"www"}), IsEmpty());

    configure("nameserver 127.0.0.1\nsearch corp.example\n");

    EXPECT_THAT(look_up({"www"}), ElementsAre("www"));
}

TEST_F(HostNamesTest, LooksUpManyNamesAtOnceButNotAnyNumber) {
    std::size_t refused = 0;
    std::size_t ended = 0;
    for (std::size_t i = 0; i < kMaxLookUps + 10; ++i) {
        names_.look_up(name("h" + std::to_string(i) + ".corp.example"), [&](const auto& result) {
            refused += result ? 0 : 1;
            ++ended;
        });
        serve();  // before its socket overflows; the answers wait in the others
    }
    if (names_.size() < kMaxLookUps) {
        GTEST_SKIP() << "the limit of descriptors is lower";
    }
    EXPECT_EQ(refused, 10U);
    EXPECT_TRUE(loop_.run_until([&] {
        serve();
        return ended == kMaxLookUps + 10;
    }));
}

}  // namespace
}  // namespace culvert::resolver
