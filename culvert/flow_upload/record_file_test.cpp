#include "culvert/flow_upload/record_file.h"

#include <gtest/gtest.h>

namespace culvert::flow_upload {
namespace {

using Records = std::vector<std::string>;

TEST(RecordFile, IsReadAsItWasWritten) {
    for (const auto& records : {Records{"{}"}, Records{"{\"a\":1}", "{\"b\":\"x\\n\"}"}, Records(250, "{}")}) {
        EXPECT_EQ(decode_record_file(encode_record_file(records)), records);
    }
}

TEST(RecordFile, ShowsDamageAnywhere) {
    const auto text = encode_record_file(Records{"{\"a\":1}", "{\"b\":2}"});
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto damaged = text;
        damaged[i] = static_cast<char>(damaged[i] ^ 1);
        EXPECT_FALSE(decode_record_file(damaged)) << i;
        EXPECT_FALSE(decode_record_file(text.substr(0, i))) << "cut off at " << i;
    }
    EXPECT_FALSE(decode_record_file(text + "\n"));
    EXPECT_FALSE(decode_record_file(text + text));
}

TEST(RecordFile, HasItsNumberOfRecordsInItsName) {
    const auto name = record_file_name(17, 250);
    EXPECT_EQ(name, "000000000017-250.records");
    const auto parsed = parse_record_file_name(name);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->number, 17U);
    EXPECT_EQ(parsed->records, 250U);
    EXPECT_LT(record_file_name(99, 1), record_file_name(100, 1)) << "names sort by number";
    for (const auto* other : {"", "token", "17-1.records", "000000000017-0.records", "000000000017-251.records",
                              "000000000017-1", "000000000017-1.records.x", ".unfinished", "00000000001x-1.records",
                              "000000000017-01.records", "000000000017-.records"}) {
        EXPECT_FALSE(parse_record_file_name(other)) << other;
    }
}

}  // namespace
}  // namespace culvert::flow_upload
