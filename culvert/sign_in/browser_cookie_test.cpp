#include "culvert/sign_in/browser_cookie.h"

#include <gtest/gtest.h>

namespace culvert::sign_in {
namespace {

TEST(BrowserCookie, IsFoundAmongOthers) {
    auto rng = Rng::from_number(1);
    const auto secret = new_browser_secret(rng);

    EXPECT_EQ(browser_secret_in("a=b; culvert_sign_in=" + secret + "; c", kFormCookie), secret);
    EXPECT_EQ(browser_secret_in("culvert_signed_in=" + secret, kFormCookie), "") << "another one's name";
    EXPECT_EQ(browser_secret_in("culvert_sign_in=short", kFormCookie), "");
    EXPECT_EQ(browser_secret_in("culvert_sign_in=" + std::string(43, '!'), kFormCookie), "");
    EXPECT_EQ(browser_secret_in("", kFormCookie), "");
    EXPECT_EQ(browser_secret_in(";=;;", kFormCookie), "");
}

TEST(BrowserCookie, IsKeptFromScriptsAndOtherSites) {
    EXPECT_EQ(set_browser_secret(kFormCookie, "x", std::chrono::seconds{60}, false),
              "culvert_sign_in=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=60");
    EXPECT_TRUE(set_browser_secret(kFormCookie, "x", std::chrono::seconds{60}, true).ends_with("; Secure"));
}

}  // namespace
}  // namespace culvert::sign_in
