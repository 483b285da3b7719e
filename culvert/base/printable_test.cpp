#include "culvert/base/printable.h"

#include <gtest/gtest.h>

namespace culvert {
namespace {

TEST(Printable, LeavesTextAlone) {
    for (const auto* text : {"", "hq", "B\xc3\xbcro \"7\" \\", "\xe6\x9d\xb1\xe4\xba\xac", "\xf0\x9f\x9a\x80", "~ "}) {
        EXPECT_EQ(escape_unprintable(text), text);
        EXPECT_TRUE(is_printable(text)) << text;
        EXPECT_FALSE(has_control_characters(text)) << text;
    }
}

TEST(Printable, ShowsWhatWouldActOnATerminal) {
    EXPECT_EQ(escape_unprintable("a\x1b[31mb\r\nc\x7f"), "a\\u001b[31mb\\u000d\\u000ac\\u007f");
    EXPECT_EQ(escape_unprintable(std::string_view{"\0x", 2}), "\\u0000x");
    EXPECT_EQ(escape_unprintable("\xc2\x9b"
                                 "31m"),
              "\\u009b31m")
        << "the one-character form of ESC [";
    EXPECT_EQ(escape_unprintable("\xe2\x80\xae"
                                 "exe.txt\xe2\x81\xa6"),
              "\\u202eexe.txt\\u2066");
    EXPECT_EQ(escape_unprintable("\xef\xbb\xbfx"), "\\ufeffx");
    EXPECT_TRUE(has_control_characters("a\x1b"));
    EXPECT_TRUE(has_control_characters("\xc2\x9b"));
    EXPECT_FALSE(has_control_characters("\xe2\x80\xae")) << "only escaped when shown";
}

TEST(Printable, ReplacesWhatIsNoUtf8) {
    EXPECT_EQ(escape_unprintable("\xff"), "\\ufffd");
    EXPECT_EQ(escape_unprintable("\xc0\x9b"), "\\ufffd\\ufffd") << "an overlong ESC";
    EXPECT_EQ(escape_unprintable("\xe2\x80"), "\\ufffd\\ufffd") << "cut off";
    EXPECT_EQ(escape_unprintable("\xed\xa0\x80x"), "\\ufffd\\ufffd\\ufffdx") << "a surrogate";
    EXPECT_EQ(escape_unprintable("\xf4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd");
    EXPECT_FALSE(is_printable("\xff"));
    EXPECT_FALSE(is_utf8("a\xff"));
    EXPECT_TRUE(is_utf8("a\x1b\xc3\xbc"));
}

}  // namespace
}  // namespace culvert
