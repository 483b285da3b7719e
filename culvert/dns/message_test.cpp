#include "culvert/dns/message.h"

#include <gtest/gtest.h>

#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::a_record;
using test::query;
using test::response;

TEST(Message, IsAQueryOrAResponse) {
    const auto asked = query("app.example.com");
    const auto answered = response(asked, {a_record("app.example.com", 60, "192.0.2.1")});

    ASSERT_TRUE(Message::parse_query(asked));
    ASSERT_TRUE(Message::parse_response(answered));
    EXPECT_EQ(Message::parse_query(answered).error(), MessageError::kWrongDirection);
    EXPECT_EQ(Message::parse_response(asked).error(), MessageError::kWrongDirection);
}

TEST(Message, HasIdFlagsAndQuestion) {
    const auto bytes = query("App.Example.com", RecordType::kSrv, {.id = 7, .flags = 0x2110, .question_class = 3});

    const auto message = Message::parse_query(bytes);

    ASSERT_TRUE(message);
    EXPECT_EQ(message->id(), 7);
    EXPECT_EQ(message->opcode(), 4U);
    EXPECT_TRUE(message->is_checking_disabled());
    EXPECT_FALSE(message->is_truncated());
    EXPECT_EQ(message->question(),
              (Question{.name = test::name("app.example.com"), .type = RecordType::kSrv, .question_class = 3}));
    EXPECT_EQ(message->question_bytes().size(), 17U + 4U);
    EXPECT_EQ(message->question_end(), bytes.size());
}

TEST(Message, CutAnywhereIsRefused) {
    const auto whole = response(query("app.example.com"), {a_record("app.example.com", 60, "192.0.2.1"),
                                                           a_record("app.example.com", 60, "192.0.2.2")});
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(Message::parse_response(ByteSpan{whole}.first(size))) << size;
    }
    EXPECT_TRUE(Message::parse_response(whole));
}

TEST(Message, HasExactlyOneQuestion) {
    auto bytes = query("app.example.com");
    bytes[5] = std::byte{2};
    EXPECT_EQ(Message::parse_query(bytes).error(), MessageError::kNotOneQuestion);
    bytes[5] = std::byte{0};
    EXPECT_EQ(Message::parse_query(bytes).error(), MessageError::kNotOneQuestion);
}

TEST(Message, WithAnswersThatAreNotThereIsRefused) {
    auto bytes = query("app.example.com");
    bytes[7] = std::byte{1};
    EXPECT_EQ(Message::parse_query(bytes).error(), MessageError::kBadAnswer);
}

TEST(Message, MayHaveAnythingBehindItsAnswers) {
    auto bytes = query("app.example.com");
    bytes[9] = std::byte{200};
    append(bytes, as_bytes("garbage"));
    const auto message = Message::parse_query(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->edns(), std::nullopt);
}

TEST(Message, SaysWhatItsSenderTakes) {
    const Edns edns{.udp_size = 1400, .wants_dnssec = true};
    const auto with = query("app.example.com", RecordType::kA, {.edns = edns});
    const auto without = query("app.example.com");
    EXPECT_EQ(Message::parse_query(with)->edns(), edns);
    EXPECT_EQ(Message::parse_query(without)->edns(), std::nullopt);
}

TEST(Message, IsRecognizedAsTheAnswerByItsId) {
    const auto asked = query("app.example.com", RecordType::kA, {.id = 0x0102});
    const auto answered = response(asked, {});
    EXPECT_TRUE(is_response_to(answered, 0x0102));
    EXPECT_FALSE(is_response_to(answered, 0x0201));
    EXPECT_FALSE(is_response_to(asked, 0x0102));
    EXPECT_FALSE(is_response_to(ByteSpan{answered}.first(11), 0x0102));
    EXPECT_TRUE(is_response_to(with_id(answered, 9), 9));
}

}  // namespace
}  // namespace culvert::dns
