#include "culvert/tcp/message_reader.h"

#include <gtest/gtest.h>

#include "culvert/base/rng.h"

namespace culvert::tcp {
namespace {

std::vector<Bytes> read_in_pieces(MessageReader& reader, ByteSpan stream, std::size_t piece) {
    std::vector<Bytes> messages;
    while (!stream.empty()) {
        auto part = stream.first(std::min(piece, stream.size()));
        stream = stream.subspan(part.size());
        while (!part.empty()) {
            std::size_t taken = 0;
            if (auto message = reader.read(part, taken)) {
                messages.push_back(std::move(*message));
            }
            if (taken == 0) {
                return messages;
            }
            part = part.subspan(taken);
        }
    }
    return messages;
}

TEST(MessageReader, FindsMessagesHoweverTheStreamIsCut) {
    auto rng = Rng::from_number(1);
    std::vector<Bytes> messages;
    Bytes stream;
    for (const std::size_t size : {12U, 13U, 300U, 65'535U, 12U}) {
        messages.emplace_back(size);
        rng.fill(messages.back());
        append(stream, with_length(messages.back()));
    }
    for (const std::size_t piece : {1U, 2U, 3U, 11U, 500U, 100'000U}) {
        MessageReader reader;
        EXPECT_TRUE(read_in_pieces(reader, stream, piece) == messages) << piece;
        EXPECT_FALSE(reader.is_inside_message());
    }
}

TEST(MessageReader, KnowsThatAMessageIsNotComplete) {
    MessageReader reader;
    std::size_t taken = 0;

    EXPECT_EQ(reader.read(*from_hex("00"), taken), std::nullopt);
    EXPECT_TRUE(reader.is_inside_message());
    EXPECT_EQ(reader.read(*from_hex("0c0102"), taken), std::nullopt);
    EXPECT_EQ(taken, 3U);
    EXPECT_TRUE(reader.is_inside_message());
}

TEST(MessageReader, StopsAtALengthThatNoMessageHas) {
    for (const auto* stream : {"0000", "000b0000000000000000000000"}) {
        MessageReader reader;
        EXPECT_TRUE(read_in_pieces(reader, *from_hex(stream), 100).empty());
        EXPECT_TRUE(reader.is_broken());
        std::size_t taken = 1;
        EXPECT_EQ(reader.read(with_length(Bytes(12)), taken), std::nullopt);
        EXPECT_EQ(taken, 0U);
    }
}

}  // namespace
}  // namespace culvert::tcp
