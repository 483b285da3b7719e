#include "culvert/sign_in/form_fields.h"

#include <gtest/gtest.h>

namespace culvert::sign_in {
namespace {

TEST(FormFields, AreDecoded) {
    const auto form = FormFields::parse("email=jo%40example.com&password=a+b%2Bc%26&empty=&bare");

    ASSERT_TRUE(form);
    EXPECT_EQ(form->get("email"), "jo@example.com");
    EXPECT_EQ(form->get("password"), "a b+c&");
    ASSERT_NE(form->find("empty"), nullptr);
    ASSERT_NE(form->find("bare"), nullptr);
    EXPECT_EQ(form->get("bare"), "");
    EXPECT_EQ(form->find("other"), nullptr);
}

TEST(FormFields, ThatStandTwiceAreNotThere) {
    const auto form = FormFields::parse("nonce=a&nonce=b");

    ASSERT_TRUE(form);
    EXPECT_EQ(form->find("nonce"), nullptr);
}

TEST(FormFields, AreRefusedWhenTheyAreBroken) {
    EXPECT_FALSE(FormFields::parse("a=%"));
    EXPECT_FALSE(FormFields::parse("a=%4"));
    EXPECT_FALSE(FormFields::parse("a=%zz"));
    EXPECT_FALSE(FormFields::parse("a=%ff")) << "no UTF-8";
    std::string many;
    for (int i = 0; i < 17; ++i) {
        many += "a=b&";
    }
    EXPECT_FALSE(FormFields::parse(many));
    EXPECT_TRUE(FormFields::parse(""));
}

TEST(PercentEncode, LeavesNothingThatAUrlReads) {
    EXPECT_EQ(percent_encode("aZ0-._~"), "aZ0-._~");
    EXPECT_EQ(percent_encode(" +&=?#%\n\""), "%20%2B%26%3D%3F%23%25%0A%22");
    EXPECT_EQ(percent_encode("\xc3\xb6"), "%C3%B6");
}

}  // namespace
}  // namespace culvert::sign_in
