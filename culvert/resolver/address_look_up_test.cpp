#include "culvert/resolver/address_look_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "culvert/dns/test_messages.h"
#include "culvert/resolver/constants.h"
#include "culvert/resolver/testing/loop.h"
#include "culvert/resolver/testing/servers.h"
#include "culvert/tcp/message_reader.h"

namespace culvert::resolver {
namespace {

using namespace std::chrono_literals;
using dns::RecordType;
using dns::test::a_record;
using dns::test::cname_record;
using dns::test::ip;
using test::TcpServer;
using test::UdpServer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint16_t kNxDomain = 0x8183;
constexpr std::uint16_t kServFail = 0x8182;
constexpr std::uint16_t kTruncated = 0x8380;

class AddressLookUpTest : public ::testing::Test {
protected:
    struct Answer {
        std::vector<dns::Record> records;
        std::uint16_t flags = 0x8180;
    };

    /// Answers all queries that are there.
    void serve() {
        while (const auto datagram = server_.receive()) {
            ports_.insert(datagram->from.port);
            if (const auto response = answer_to(datagram->bytes, answers_)) {
                server_.send(datagram->from, *response);
            }
        }
        while (auto stream = tcp_server_.accept()) {
            streams_.push_back(std::move(*stream));
        }
        for (auto& stream : streams_) {
            std::size_t taken = 0;
            if (const auto query = tcp::MessageReader{}.read(stream.received(), taken)) {
                stream.send(tcp::with_length(*answer_to(*query, tcp_answers_)));
            }
        }
    }

    static std::optional<Bytes> answer_to(ByteSpan query, const std::map<RecordType, Answer>& answers) {
        const auto found = answers.find(dns::Message::parse_query(query)->question().type);
        return found == answers.end()
                   ? std::nullopt
                   : std::optional{dns::test::response(query, found->second.records, found->second.flags)};
    }

    std::optional<AddressLookUp::Found> look_up(const std::string& name, Duration limit = 10s,
                                                std::vector<net::IpAddress> servers = {ip("127.0.0.1")}) {
        std::optional<std::optional<AddressLookUp::Found>> result;
        AddressLookUp look_up{loop_.context(),
                              {.servers = std::move(servers), .limit = limit, .port = server_.address().port},
                              [&](auto found) { result = std::move(found); }};
        look_up.start(name);
        EXPECT_TRUE(loop_.run_until([&] {
            serve();
            return result.has_value();
        }));
        return result.value_or(std::nullopt);
    }

    struct Servers {
        UdpServer udp;
        TcpServer tcp;
    };
    /// On one port, which others may have for TCP.
    static Servers make_servers() {
        while (true) {
            try {
                UdpServer udp;
                const auto address = udp.address();
                return {std::move(udp), TcpServer{address}};
            } catch (const std::runtime_error&) {
                continue;
            }
        }
    }

    test::Loop loop_;
    Servers servers_ = make_servers();
    UdpServer& server_ = servers_.udp;
    TcpServer& tcp_server_ = servers_.tcp;
    std::vector<TcpServer::Stream> streams_;
    std::map<RecordType, Answer> answers_;
    std::map<RecordType, Answer> tcp_answers_;
    std::set<std::uint16_t> ports_;
};

TEST_F(AddressLookUpTest, FindsBothFamiliesInOrder) {
    answers_[RecordType::kA] = {{a_record("www.example.com", 300, "192.0.2.9"),
                                 a_record("www.example.com", 200, "192.0.2.1"),
                                 a_record("www.example.com", 300, "192.0.2.9")}};
    answers_[RecordType::kAaaa] = {{a_record("www.example.com", 100, "2001:db8::1")}};

    const auto found = look_up("www.example.com");

    ASSERT_TRUE(found);
    EXPECT_THAT(found->addresses, ElementsAre(ip("192.0.2.1"), ip("192.0.2.9"), ip("2001:db8::1")));
    EXPECT_EQ(found->lifetime, 100s) << "the least of all";
}

TEST_F(AddressLookUpTest, FollowsAliasesWithTheirLifetime) {
    answers_[RecordType::kA] = {{cname_record("www.example.com", 30, "cdn.example.com"),
                                 cname_record("cdn.example.com", 300, "a.cdn.example.com"),
                                 a_record("a.cdn.example.com", 600, "192.0.2.1")}};
    answers_[RecordType::kAaaa] = {};

    const auto found = look_up("www.example.com");

    ASSERT_TRUE(found);
    EXPECT_THAT(found->addresses, ElementsAre(ip("192.0.2.1")));
    EXPECT_EQ(found->lifetime, 30s);
}

TEST_F(AddressLookUpTest, FindsNothingIfThereIsNoSuchName) {
    answers_[RecordType::kA] = {{}, kNxDomain};
    answers_[RecordType::kAaaa] = {{}, kNxDomain};

    const auto found = look_up("www.example.com");

    ASSERT_TRUE(found);
    EXPECT_THAT(found->addresses, IsEmpty());
    EXPECT_EQ(found->lifetime, kMinLifetime);
}

TEST_F(AddressLookUpTest, FindsNothingIfTheNameHasNoAddresses) {
    answers_[RecordType::kA] = {};
    answers_[RecordType::kAaaa] = {};

    const auto found = look_up("www.example.com");

    ASSERT_TRUE(found);
    EXPECT_THAT(found->addresses, IsEmpty());
}

TEST_F(AddressLookUpTest, TakesOneFamilyIfTheOtherFails) {
    answers_[RecordType::kA] = {{}, kServFail};
    answers_[RecordType::kAaaa] = {{a_record("www.example.com", 100, "2001:db8::1")}};

    const auto found = look_up("www.example.com");

    ASSERT_TRUE(found);
    EXPECT_THAT(found->addresses, ElementsAre(ip("2001:db8::1")));
}

TEST_F(AddressLookUpTest, KnowsNothingIfOneFamilyFailsAndTheOtherHasNone) {
    answers_[RecordType::kA] = {{}, kServFail};
    answers_[RecordType::kAaaa] = {};

    EXPECT_FALSE(look_up("www.example.com"));
}

TEST_F(AddressLookUpTest, FailsIfNobodyAnswersInTime) {
    EXPECT_FALSE(look_up("www.example.com", 50ms));
}

TEST_F(AddressLookUpTest, WaitsForTheOtherFamilyAsLongAsItIsTold) {
    answers_[RecordType::kAaaa] = {{a_record("www.example.com", 100, "2001:db8::1")}};
    std::optional<std::optional<AddressLookUp::Found>> result;
    AddressLookUp look_up{
        loop_.context(),
        {.servers = std::vector{ip("127.0.0.1")}, .limit = 20s, .patience = 20ms, .port = server_.address().port},
        [&](auto found) { result = std::move(found); }};
    look_up.start("www.example.com");
    EXPECT_TRUE(loop_.run_until([&] {
        serve();
        return result.has_value();
    }));
    ASSERT_TRUE(result && *result);
    EXPECT_THAT((*result)->addresses, ElementsAre(ip("2001:db8::1")));
}

TEST_F(AddressLookUpTest, FailsWithoutServers) {
    EXPECT_FALSE(look_up("www.example.com", 10s, {}));
    EXPECT_FALSE(server_.receive());
}

TEST_F(AddressLookUpTest, AsksTheNextServerIfOneIsSilent) {
    UdpServer silent{{ip("127.0.0.2"), server_.address().port}};
    answers_[RecordType::kA] = {{a_record("www.example.com", 100, "192.0.2.1")}};
    answers_[RecordType::kAaaa] = {};

    const auto found = look_up("www.example.com", 10s, {ip("127.0.0.2"), ip("127.0.0.1")});

    ASSERT_TRUE(found);
    EXPECT_THAT(found->addresses, ElementsAre(ip("192.0.2.1")));
}

TEST_F(AddressLookUpTest, AsksAgainOverTcpIfTheAnswerIsTruncated) {
    answers_[RecordType::kA] = {{}, kTruncated};
    tcp_answers_[RecordType::kA] = {{a_record("www.example.com", 100, "192.0.2.1")}};
    answers_[RecordType::kAaaa] = {};

    const auto found = look_up("www.example.com");

    ASSERT_TRUE(found);
    EXPECT_THAT(found->addresses, ElementsAre(ip("192.0.2.1")));
}

TEST_F(AddressLookUpTest, TakesNoMoreAddressesThanAnybodyNeeds) {
    answers_[RecordType::kA] = {{}, kTruncated};
    for (int i = 0; i < 200; ++i) {
        tcp_answers_[RecordType::kA].records.push_back(
            a_record("www.example.com", 100, "192.0.2." + std::to_string(i)));
    }
    answers_[RecordType::kAaaa] = {{a_record("www.example.com", 100, "2001:db8::1")}};

    const auto found = look_up("www.example.com");

    ASSERT_TRUE(found);
    ASSERT_EQ(found->addresses.size(), kMaxAddressesPerFamily + 1);
    EXPECT_EQ(found->addresses.front(), ip("192.0.2.0"));
    EXPECT_EQ(found->addresses.back(), ip("2001:db8::1"));
}

TEST_F(AddressLookUpTest, KeepsLifetimesWithinBounds) {
    answers_[RecordType::kAaaa] = {};
    answers_[RecordType::kA] = {{a_record("www.example.com", 0, "192.0.2.1")}};
    EXPECT_EQ(look_up("www.example.com")->lifetime, kMinLifetime);

    answers_[RecordType::kA] = {{a_record("www.example.com", 0x7fffffff, "192.0.2.1")}};
    EXPECT_EQ(look_up("www.example.com")->lifetime, kMaxLifetime);
}

TEST_F(AddressLookUpTest, AsksFromAnotherPortEachTime) {
    answers_[RecordType::kA] = {{a_record("www.example.com", 100, "192.0.2.1")}};
    answers_[RecordType::kAaaa] = {};
    for (int i = 0; i < 30; ++i) {
        EXPECT_TRUE(look_up("www.example.com"));
    }
    EXPECT_GT(ports_.size(), 24U);
}

TEST_F(AddressLookUpTest, MayBeDestroyedAtAnyTime) {
    auto look_up = std::make_unique<AddressLookUp>(
        loop_.context(),
        AddressLookUp::Options{.servers = std::vector{ip("127.0.0.1")}, .limit = 10s, .port = server_.address().port},
        [](auto) { FAIL(); });
    look_up->start("www.example.com");
    EXPECT_TRUE(loop_.run_until([&] { return server_.receive().has_value(); }));

    look_up.reset();

    loop_.run_for(20ms);
}

}  // namespace
}  // namespace culvert::resolver
