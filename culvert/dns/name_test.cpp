#include "culvert/dns/name.h"

#include <string>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::name;

Bytes behind_header(std::string_view hex) {
    return *from_hex(std::string(24, '0') + std::string{hex});
}

TEST(Name, IsReadAndWrittenInPresentationForm) {
    EXPECT_EQ(name("www.example.com").to_string(), "www.example.com");
    EXPECT_EQ(name("www.example.com.").to_string(), "www.example.com");
    EXPECT_EQ(name("WWW.Example.com").to_string(), "WWW.Example.com");
    EXPECT_EQ(name(".").to_string(), ".");
    EXPECT_EQ(name("a\\.b.\\007\\\\\\032").to_string(), "a\\.b.\\007\\\\\\ ");
    EXPECT_EQ(name("a\\.b.c").label_count(), 2U);
    EXPECT_EQ(to_hex(name("ab.c").wire()),
              "0261620163"
              "00");
    EXPECT_TRUE(Name{}.is_root());
}

TEST(Name, OfWhichALabelIsEmptyOrTooLongIsRefused) {
    for (const auto* text : {"", "..", ".a", "a..b", "a..", "\\", "a\\25", "\\256", "\\1x2"}) {
        EXPECT_FALSE(Name::parse(text)) << text;
    }
    EXPECT_TRUE(Name::parse(std::string(63, 'a')));
    EXPECT_FALSE(Name::parse(std::string(64, 'a')));
    const auto label = std::string(63, 'a') + '.';
    EXPECT_TRUE(Name::parse(label + label + label + std::string(61, 'a')));
    EXPECT_FALSE(Name::parse(label + label + label + std::string(62, 'a')));
}

TEST(Name, IsTheSameInUpperAndLowerCase) {
    EXPECT_EQ(name("App.Example.COM"), name("app.example.com"));
    EXPECT_NE(name("app.example.com"), name("app.example.co"));
    EXPECT_NE(name("a.b"), name("a\\.b"));
    EXPECT_NE(name("[.a"), name("{.a"));  // 0x5b and 0x7b differ as letters' cases do
}

TEST(Name, IsReadFromAMessage) {
    const auto bytes = behind_header("03777777076578616d706c6503636f6d00ff");
    std::size_t at = 12;

    const auto read = Name::read(bytes, at);

    ASSERT_TRUE(read);
    EXPECT_EQ(*read, name("www.example.com"));
    EXPECT_EQ(at, 12U + 17U);
}

TEST(Name, IsComparedAsOctetByOctet) {
    auto rng = Rng::from_number(1);
    const auto lower = [](const Name& name) {
        std::basic_string<unsigned char> octets;
        for (const auto octet : as_text(name.wire())) {
            octets += static_cast<unsigned char>(to_lower(octet));
        }
        return octets;
    };
    const auto some_name = [&] {
        // Few different octets, at the ends of ranges of letters, so that many names are alike.
        constexpr std::string_view kOctets = "@AZ[`az{\x7f\x80\xc1\xda\xff";
        Bytes wire;
        for (auto labels = rng.below(4); labels > 0; --labels) {
            const auto size = 1 + rng.below(6);
            wire.push_back(static_cast<std::byte>(size));
            for (std::uint64_t i = 0; i < size; ++i) {
                wire.push_back(static_cast<std::byte>(kOctets[rng.below(i == size - 1 ? kOctets.size() : 3)]));
            }
        }
        wire.push_back(std::byte{0});
        std::size_t at = 0;
        return Name::read(wire, at).value();
    };
    for (int i = 0; i < 20'000; ++i) {
        const auto a = some_name();
        const auto b = some_name();
        ASSERT_EQ(a == b, lower(a) == lower(b)) << a.to_string() << ' ' << b.to_string();
        ASSERT_EQ(a <=> b, std::weak_ordering{lower(a) <=> lower(b)}) << a.to_string() << ' ' << b.to_string();
        ASSERT_TRUE(a != b || a.hash() == b.hash()) << a.to_string() << ' ' << b.to_string();
    }
}

TEST(Name, IsDecompressed) {
    const auto bytes = behind_header(
        "03636f6d00"
        "016ac00c"
        "0169c011"
        "00");
    std::size_t at = 12 + 5 + 4;

    const auto read = Name::read(bytes, at);

    ASSERT_TRUE(read);
    EXPECT_EQ(read->to_string(), "i.j.com");
    EXPECT_EQ(at, 12U + 5U + 4U + 4U);
}

TEST(Name, WithPointersThatLeadNowhereBetterIsRefused) {
    const auto error = [](std::string_view hex, std::size_t at) {
        const auto bytes = behind_header(hex);
        return Name::read(bytes, at).error();
    };
    EXPECT_EQ(error("c00c", 12), NameError::kBadPointer);        // to itself
    EXPECT_EQ(error("c00ec00c", 14), NameError::kBadPointer);    // to each other
    EXPECT_EQ(error("0161c00e00", 12), NameError::kBadPointer);  // forward, into itself
    EXPECT_EQ(error("0161c00c", 12), NameError::kBadPointer);    // its own beginning
    EXPECT_EQ(error("00c000", 13), NameError::kBadPointer);      // the header
    EXPECT_EQ(error("c0", 12), NameError::kTooShort);
    EXPECT_EQ(error("0561", 12), NameError::kTooShort);
    EXPECT_EQ(error("0161", 12), NameError::kTooShort);
    EXPECT_EQ(error("40", 12), NameError::kBadLabel);
    EXPECT_EQ(error("8041", 12), NameError::kBadLabel);
}

TEST(Name, OfMorePointersThanLabelsIsRefused) {
    std::string hex = "00";  // the root, then pointers each to the one before
    std::uint16_t previous = 12;
    for (std::uint16_t i = 0; i < 200; ++i) {
        Bytes pointer;
        append_be(pointer, static_cast<std::uint16_t>(0xc000 | previous));
        hex += to_hex(pointer);
        previous = static_cast<std::uint16_t>(13 + 2 * i);
    }
    const auto bytes = behind_header(hex);
    std::size_t last_allowed = 13 + 2 * 126;
    std::size_t next = last_allowed + 2;

    EXPECT_TRUE(Name::read(bytes, last_allowed));
    EXPECT_EQ(Name::read(bytes, next).error(), NameError::kBadPointer);
}

TEST(Name, LongerThanNamesMayBeIsRefused) {
    std::string hex;
    for (int i = 0; i < 128; ++i) {
        hex += "0161";
    }
    const auto bytes = behind_header(hex + "00");
    std::size_t at = 12;
    EXPECT_EQ(Name::read(bytes, at).error(), NameError::kTooLong);
    at = 14;
    EXPECT_TRUE(Name::read(bytes, at));
}

TEST(Name, SurvivesPresentationForm) {
    auto rng = Rng::from_number(7);
    for (int i = 0; i < 2000; ++i) {
        std::string wire(12, '\0');
        for (auto labels = rng() % 5; labels > 0; --labels) {
            const auto size = 1 + rng() % 20;
            wire += static_cast<char>(size);
            for (std::size_t k = 0; k < size; ++k) {
                wire += static_cast<char>(rng());
            }
        }
        wire += '\0';
        std::size_t at = 12;
        const auto read = Name::read(as_bytes(wire), at);
        ASSERT_TRUE(read);
        ASSERT_EQ(at, wire.size());
        const auto again = Name::parse(read->to_string());
        ASSERT_TRUE(again) << read->to_string();
        ASSERT_TRUE(equal(again->wire(), read->wire()));
    }
}

TEST(Name, IsSkippedWithoutFollowingPointers) {
    const auto bytes = behind_header(
        "0161c0ff"
        "00"
        "0261");
    std::size_t at = 12;
    EXPECT_TRUE(skip_name(bytes, at));
    EXPECT_EQ(at, 16U);
    EXPECT_TRUE(skip_name(bytes, at));
    EXPECT_EQ(at, 17U);
    EXPECT_FALSE(skip_name(bytes, at));
}

}  // namespace
}  // namespace culvert::dns
