#include "culvert/dns/records.h"

#include <gtest/gtest.h>

#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::a_record;
using test::name;

std::optional<std::vector<Record>> answers_of(ByteSpan bytes) {
    return read_answers(Message::parse_response(bytes).value());
}

/// A response whose question is `www.example.com`, at 12; "example.com" is at 16.
Bytes with_answers(std::size_t count, std::string_view hex) {
    auto bytes = test::header(1, 0x8180, count);
    test::append_question(bytes, "www.example.com", RecordType::kA, kClassIn);
    append(bytes, *from_hex(hex));
    return bytes;
}

TEST(Records, AreReadInOrder) {
    const std::vector<Record> records{test::cname_record("www.example.com", 10, "cdn.example.net"),
                                      a_record("cdn.example.net", 300, "192.0.2.7"),
                                      a_record("cdn.example.net", 301, "2001:db8::7")};
    EXPECT_EQ(answers_of(test::response(test::query("www.example.com"), records)), records);
}

TEST(Records, NamesInTheirDataAreDecompressed) {
    // MX 10 mail.<example.com>
    const auto bytes = with_answers(1, "c00c000f00010000003c0009000a046d61696cc010");
    Bytes expected = *from_hex("000a");
    append(expected, name("mail.example.com").wire());

    const auto read = answers_of(bytes);

    ASSERT_TRUE(read);
    ASSERT_EQ(read->size(), 1U);
    EXPECT_EQ(read->at(0),
              (Record{.owner = name("www.example.com"), .type = RecordType::kMx, .ttl = 60, .data = expected}));
}

TEST(Records, OfTypesThatNobodyKnowsAreKeptAsTheyAre) {
    const auto read = answers_of(with_answers(1, "c00cff0100010000003c0003c00c01"));
    ASSERT_TRUE(read);
    EXPECT_EQ(to_hex(read->at(0).data), "c00c01");
    const auto https = answers_of(with_answers(1,
                                               "c00c004100010000003c00030001"
                                               "00"));
    ASSERT_TRUE(https);
    EXPECT_EQ(to_hex(https->at(0).data), "000100");
}

TEST(Records, ThatAreMalformedAreNotRead) {
    for (const auto* hex : {
             "c00c000100010000003c0003c00002",    // an address of three bytes
             "c00c000500010000003c0002c0ff",      // a pointer out of the message
             "c00c000500010000003c0002c02d",      // to itself
             "c0ff000100010000003c0004c0000201",  // an owner out of the message
             "c021000100010000003c0004c0000201",  // an owner that points to itself
         }) {
        EXPECT_EQ(answers_of(with_answers(1, hex)), std::nullopt) << hex;
    }
}

TEST(Records, ThatAreTooManyAreNotRead) {
    std::vector<Record> records(kMaxAnswersRead, a_record("www.example.com", 60, "192.0.2.1"));
    EXPECT_TRUE(answers_of(test::response(test::query("www.example.com"), records)));
    records.push_back(records[0]);
    EXPECT_FALSE(answers_of(test::response(test::query("www.example.com"), records)));
}

}  // namespace
}  // namespace culvert::dns
