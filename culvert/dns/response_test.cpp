#include "culvert/dns/response.h"

#include <gtest/gtest.h>

#include "culvert/dns/constants.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::query;

Message parsed(ByteSpan bytes) {
    return Message::parse_query(bytes).value();
}

// The vector of spec/dns.md section 4.3, its names compressed.
TEST(Response, IsTheOneOfTheSpecification) {
    const auto asked = query("app.example.com");
    const auto message = parsed(asked);
    ResponseBuilder builder{message, ResponseCode::kNoError};
    for (const auto* address : {"100.96.0.1", "100.96.0.2", "100.96.0.3", "100.96.0.4"}) {
        builder.add(RecordType::kA, kLocalTtl, test::ip(address).bytes());
    }
    const std::string record =
        "c00c"
        "0001"
        "0001"
        "00000001"
        "0004"
        "646000";
    EXPECT_EQ(to_hex(std::move(builder).take()),
              "123481000001000400000000"
              "03617070076578616d706c6503636f6d0000010001" +
                  record + "01" + record + "02" + record + "03" + record + "04");
}

TEST(Response, TakesIdOpcodeRecursionAndSpellingFromTheQuery) {
    const auto asked = query("aPP.Example.com", RecordType::kTxt, {.id = 0xabcd, .flags = 0x5230});
    EXPECT_EQ(to_hex(empty_response(parsed(asked), ResponseCode::kNxDomain)),
              "abcd"
              "d003"
              "0001000000000000"
              "03615050074578616d706c6503636f6d0000100001");
}

TEST(Response, HasNoOptEvenIfTheQueryHas) {
    const auto asked = query("a.b", RecordType::kA, {.edns = Edns{.udp_size = 4096, .wants_dnssec = true}});
    EXPECT_EQ(empty_response(parsed(asked), ResponseCode::kServFail).size(), 12U + 5U + 4U);
}

TEST(Response, OfFourAddressesFitsForEveryName) {
    const auto label = std::string(63, 'a') + '.';
    const auto asked = query(label + label + label + std::string(61, 'a'), RecordType::kAaaa);
    ResponseBuilder builder{parsed(asked), ResponseCode::kNoError};
    for (int i = 0; i < 4; ++i) {
        builder.add(RecordType::kAaaa, kLocalTtl, test::ip("fd00::1").bytes());
    }
    EXPECT_LE(std::move(builder).take().size(), kClassicUdpMessage);
}

TEST(Response, ThatIsTooLongIsCutBehindTheQuestion) {
    const auto asked = query("www.example.com");
    const std::vector<Record> records(40, test::a_record("www.example.com", 60, "192.0.2.1"));
    const auto whole = test::response(asked, records, 0x85b0);

    const auto cut = fit_into(whole.size() - 1, whole);

    EXPECT_EQ(fit_into(whole.size(), whole), whole);
    EXPECT_EQ(to_hex(cut),
              "1234"
              "87b0"
              "0001000000000000" +
                  to_hex(parsed(asked).question_bytes()));
}

TEST(Response, MayBeAsLongAsTheAskerTakes) {
    const auto limit = [](std::optional<std::uint16_t> size) {
        const auto asked =
            query("a.b", RecordType::kA, {.edns = size ? std::optional{Edns{.udp_size = *size}} : std::nullopt});
        return udp_limit(parsed(asked));
    };
    EXPECT_EQ(limit(std::nullopt), 512U);
    EXPECT_EQ(limit(0), 512U);
    EXPECT_EQ(limit(1000), 1000U);
    EXPECT_EQ(limit(1232), 1212U);
    EXPECT_EQ(limit(65535), 1212U);
}

}  // namespace
}  // namespace culvert::dns
