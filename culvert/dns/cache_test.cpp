#include "culvert/dns/cache.h"

#include <string>

#include <gtest/gtest.h>

#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using namespace std::chrono_literals;
using test::a_record;
using test::query;
using test::response;

class DnsCache : public testing::Test {
protected:
    void insert(const Bytes& asked, const std::vector<Record>& answers, std::uint16_t flags = 0x8180) {
        insert_response(asked, response(asked, answers, flags));
    }
    void insert_response(const Bytes& asked, const Bytes& answered) {
        cache.insert(Message::parse_query(asked).value(), Message::parse_response(answered).value(), now);
    }
    std::optional<Bytes> find(const Bytes& asked) { return cache.find(Message::parse_query(asked).value(), now); }
    std::string summary(const Bytes& asked) {
        const auto found = find(asked);
        return found ? test::summary(*found) : "nothing";
    }
    std::vector<std::uint32_t> ttls(const Bytes& asked) {
        const auto found = find(asked);
        return found ? test::ttls(*found) : std::vector<std::uint32_t>{};
    }

    Cache cache;
    Instant now{};
    const Bytes www = query("www.example.com");
};

TEST_F(DnsCache, AnswersWithTheTimeThatIsLeft) {  // C1
    insert(www, {a_record("www.example.com", 3600, "192.0.2.1")});
    now += 100s;

    const auto found = find(query("WWW.example.com", RecordType::kA, {.id = 9}));

    ASSERT_TRUE(found);
    EXPECT_EQ(test::summary(*found), "NOERROR 192.0.2.1");
    EXPECT_EQ(test::ttls(*found), std::vector<std::uint32_t>{3500});
    EXPECT_EQ(Message::parse_response(*found)->id(), 9);
    EXPECT_EQ(Message::parse_response(*found)->flags(), 0x8100);
}

TEST_F(DnsCache, LeavesOutWhatMightBeTooLongToSayAgain) {
    std::vector<Record> records{a_record("www.example.com", 3600, "192.0.2.1")};
    const auto size_with = [&](std::size_t padding) {
        auto all = records;
        all.push_back({.owner = test::name("www.example.com"), .type = RecordType::kTxt, .ttl = 3600, .data = {}});
        for (std::size_t left = padding; left > 0; left -= std::min<std::size_t>(left, 255)) {
            const auto part = std::min<std::size_t>(left, 255);
            all.back().data.push_back(static_cast<std::byte>(part));
            all.back().data.resize(all.back().data.size() + part);
        }
        return all;
    };
    insert(www, size_with(1000));
    EXPECT_NE(find(www), std::nullopt);
    cache.clear();

    insert(www, size_with(60'000));

    EXPECT_EQ(find(www), std::nullopt);
}

TEST_F(DnsCache, ForgetsWhenTheFirstRecordExpires) {  // C2
    insert(www, {a_record("www.example.com", 1800, "192.0.2.1"), a_record("www.example.com", 3600, "192.0.2.2")});
    now += 100s;
    EXPECT_EQ(ttls(www), (std::vector<std::uint32_t>{1700, 3500}));
    now += 1699s + 999ms;
    EXPECT_EQ(ttls(www), (std::vector<std::uint32_t>{1, 1801}));
    now += 1ms;
    EXPECT_EQ(summary(www), "nothing");
    EXPECT_EQ(cache.size(), 0U);
    EXPECT_EQ(cache.bytes(), 0U);
}

TEST_F(DnsCache, DoesNotKeepShortLivedAnswers) {  // C3
    insert(www, {a_record("www.example.com", 4, "192.0.2.1")});
    EXPECT_EQ(summary(www), "nothing");
    insert(www, {a_record("www.example.com", 5, "192.0.2.1")});
    EXPECT_EQ(summary(www), "NOERROR 192.0.2.1");
}

TEST_F(DnsCache, DoesNotKeepFailures) {  // C4
    for (const auto flags : {0x8182, 0x8183, 0x8185}) {
        insert(www, {a_record("www.example.com", 60, "192.0.2.1")}, static_cast<std::uint16_t>(flags));
        EXPECT_EQ(summary(www), "nothing");
    }
    insert(www, {});
    EXPECT_EQ(summary(www), "nothing");
    insert(www, {test::cname_record("www.example.com", 60, "cdn.example.net")});
    EXPECT_EQ(summary(www), "nothing");
}

TEST_F(DnsCache, DoesNotKeepWhatIsTruncated) {  // C5
    insert(www, {a_record("www.example.com", 60, "192.0.2.1")}, 0x8380);
    EXPECT_EQ(summary(www), "nothing");
}

TEST_F(DnsCache, KeepsChainsUnderTheNameThatWasAskedFor) {  // C6
    insert(www, {test::cname_record("www.example.com", 10, "cdn.example.net"),
                 a_record("cdn.example.net", 300, "192.0.2.1")});
    now += 20s;
    EXPECT_EQ(summary(www), "NOERROR cdn.example.net 192.0.2.1");
    EXPECT_EQ(ttls(www), (std::vector<std::uint32_t>{0, 280}));
    EXPECT_EQ(summary(query("cdn.example.net")), "nothing");
}

TEST_F(DnsCache, WritesNamesOfAChainOnce) {
    const std::string target = "a-rather-long-name-of-some-network.cdn.example.net";
    std::vector<Record> answers{test::cname_record("www.example.com", 60, target)};
    for (int i = 0; i < 20; ++i) {
        answers.push_back(a_record(target, 60, "192.0.2.1"));
    }
    insert(www, answers);
    EXPECT_EQ(find(www)->size(), 12U + 21U + (12U + target.size() + 2U) + 20U * 16U);
}

TEST_F(DnsCache, TellsTypesClassesAndSignaturesApart) {
    insert(www, {a_record("www.example.com", 60, "192.0.2.1")});
    EXPECT_EQ(summary(query("www.example.com", RecordType::kAaaa)), "nothing");
    EXPECT_EQ(summary(query("www.example.com", RecordType::kA, {.question_class = 3})), "nothing");
    EXPECT_EQ(summary(query("www.example.com", RecordType::kA, {.flags = 0x0110})), "nothing");
    EXPECT_EQ(summary(query("www.example.com", RecordType::kA, {.edns = Edns{1232, true}})), "nothing");
    EXPECT_EQ(summary(query("www.example.com", RecordType::kA, {.edns = Edns{1232, false}})), "NOERROR 192.0.2.1");
    insert(query("www.example.com", RecordType::kA, {.flags = 0x2100}), {a_record("www.example.com", 60, "192.0.2.9")});
    EXPECT_EQ(summary(www), "NOERROR 192.0.2.1");
}

TEST_F(DnsCache, KeepsTheNewest) {
    insert(www, {a_record("www.example.com", 60, "192.0.2.1")});
    insert(www, {a_record("www.example.com", 60, "192.0.2.2")});
    EXPECT_EQ(summary(www), "NOERROR 192.0.2.2");
    EXPECT_EQ(cache.size(), 1U);
    cache.clear();
    EXPECT_EQ(summary(www), "nothing");
}

TEST_F(DnsCache, TakesAbsurdTtlsForNone) {
    insert(www, {a_record("www.example.com", 0x8000'0000, "192.0.2.1")});
    EXPECT_EQ(summary(www), "nothing");
    insert(www, {a_record("www.example.com", 0x7fff'ffff, "192.0.2.1")});
    now += 24h - 1s;
    EXPECT_EQ(summary(www), "NOERROR 192.0.2.1");
    now += 1s;
    EXPECT_EQ(summary(www), "nothing");
}

TEST_F(DnsCache, IsBounded) {
    for (std::size_t i = 0; i < Cache::kMaxEntries + 10; ++i) {
        const auto name = "host" + std::to_string(i) + ".example";
        insert(query(name), {a_record(name, 600, "192.0.2.1")});
        find(query("host0.example"));  // stays in use
    }
    EXPECT_EQ(cache.size(), Cache::kMaxEntries);
    EXPECT_EQ(summary(query("host0.example")), "NOERROR 192.0.2.1");
    EXPECT_EQ(summary(query("host1.example")), "nothing");
    EXPECT_EQ(summary(query("host4105.example")), "NOERROR 192.0.2.1");
}

TEST_F(DnsCache, IsBoundedInBytes) {
    const std::vector<Record> large(20, {.owner = test::name("big.example"),
                                         .type = RecordType::kTxt,
                                         .ttl = 600,
                                         .data = Bytes(10 * 201, std::byte{200})});
    for (int i = 0; i < 200; ++i) {
        auto answers = large;
        insert(query("big" + std::to_string(i) + ".example", RecordType::kTxt), answers);
    }
    EXPECT_LE(cache.bytes(), Cache::kMaxBytes);
    EXPECT_GT(cache.size(), 50U);
}

}  // namespace
}  // namespace culvert::dns
