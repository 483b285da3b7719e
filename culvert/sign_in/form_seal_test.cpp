#include "culvert/sign_in/form_seal.h"

#include <gtest/gtest.h>

namespace culvert::sign_in {
namespace {

using enum FormSeal::Verdict;

UnixSeconds at(int seconds) {
    return UnixSeconds{std::chrono::seconds{seconds}};
}

const AppRequest kRequest{"client", "state", "nonce"};

TEST(FormSeal, CountsForItsBrowserItsAppAndItsTime) {
    const FormSeal seal{{"key", "salt"}};
    const auto text = seal.make(kRequest, "browser", at(100), "1");

    EXPECT_EQ(seal.judge(text, kRequest, "browser", at(99)), kGood);
    EXPECT_EQ(seal.judge(text, kRequest, "browser", at(100)), kExpired);
    EXPECT_EQ(seal.judge(text, kRequest, "another", at(99)), kForged);
    EXPECT_EQ(seal.judge(text, {"client", "other", "nonce"}, "browser", at(99)), kForged);
    EXPECT_EQ(seal.judge(text, {"client", "state", "other"}, "browser", at(99)), kForged);
    EXPECT_EQ(seal.judge(text, {"gui-client", "state", "nonce"}, "browser", at(99)), kForged);
    EXPECT_EQ(FormSeal({"other", "salt"}).judge(text, kRequest, "browser", at(99)), kForged);
}

TEST(FormSeal, CannotBeStretched) {
    const FormSeal seal{{"key", "salt"}};
    const auto text = seal.make(kRequest, "browser", at(100), "1");

    EXPECT_EQ(seal.judge("9" + text, kRequest, "browser", at(101)), kForged);
    EXPECT_EQ(seal.judge("0" + text, kRequest, "browser", at(99)), kForged);
    EXPECT_EQ(seal.judge("100.2" + text.substr(5), kRequest, "browser", at(99)), kForged);
    EXPECT_EQ(seal.judge("100.x", kRequest, "browser", at(99)), kForged);
    EXPECT_EQ(seal.judge(text + "A", kRequest, "browser", at(99)), kForged);
    EXPECT_EQ(seal.judge("", kRequest, "browser", at(99)), kForged);
    EXPECT_EQ(seal.judge("99999999999999999999.x", kRequest, "browser", at(99)), kForged);
}

TEST(FormSeal, NeedsABrowserThatKeepsCookies) {
    const FormSeal seal{{"key", "salt"}};

    EXPECT_EQ(seal.judge(seal.make(kRequest, "", at(100), "1"), kRequest, "", at(99)), kForged);
}

TEST(FormSeal, OutlivesRestarts) {
    const auto text = FormSeal{{"key", "salt"}}.make(kRequest, "browser", at(100), "1");

    EXPECT_EQ(FormSeal({"key", "salt"}).judge(text, kRequest, "browser", at(99)), kGood);
}

}  // namespace
}  // namespace culvert::sign_in
