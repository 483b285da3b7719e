#include "tests/model/reference/relay_answer.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

Bytes message(std::uint16_t type, Bytes attributes) {
    Bytes bytes(20);
    store_be<std::uint16_t>(bytes, type);
    store_be<std::uint16_t>(MutableByteSpan{bytes}.subspan(2), static_cast<std::uint16_t>(attributes.size()));
    store_be<std::uint32_t>(MutableByteSpan{bytes}.subspan(4), 0x2112'A442);
    append(bytes, attributes);
    return bytes;
}

Bytes attribute(std::uint16_t type, std::initializer_list<unsigned> value) {
    Bytes bytes(4);
    store_be<std::uint16_t>(bytes, type);
    store_be<std::uint16_t>(MutableByteSpan{bytes}.subspan(2), static_cast<std::uint16_t>(value.size()));
    for (const auto byte : value) {
        bytes.push_back(static_cast<std::byte>(byte));
    }
    bytes.resize((bytes.size() + 3) / 4 * 4);
    return bytes;
}

TEST(RelayAnswer, IsAnAllocation) {
    EXPECT_EQ(read_relay_answer(message(0x0103, {})), RelayAnswer::kAllocated);
}

TEST(RelayAnswer, IsThatNoPortIsLeftAfterWhateverAttributes) {
    auto attributes = attribute(0x8022, {'x', 'y', 'z', '1', '2'});
    append(attributes, attribute(0x0009, {0, 0, 5, 8, 'n', 'o'}));
    EXPECT_EQ(read_relay_answer(message(0x0113, attributes)), RelayAnswer::kNoPortLeft);
}

TEST(RelayAnswer, IsNothingElse) {
    EXPECT_FALSE(read_relay_answer({}));
    EXPECT_FALSE(read_relay_answer(Bytes(100)));
    EXPECT_FALSE(read_relay_answer(message(0x0101, {})));                                          // Binding
    EXPECT_FALSE(read_relay_answer(message(0x0113, {})));                                          // no code
    EXPECT_FALSE(read_relay_answer(message(0x0113, attribute(0x0009, {0, 0, 4, 1}))));             // another code
    EXPECT_FALSE(read_relay_answer(message(0x0118, attribute(0x0009, {0, 0, 5, 8}))));             // of another request
    EXPECT_FALSE(read_relay_answer(message(0x0113, {std::byte{0}, std::byte{9}, std::byte{0}})));  // cut short
}

}  // namespace
}  // namespace culvert::model
