#include "culvert/portal_channel/advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::portal_channel {
namespace {

using portal_api::Role;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string advice(unsigned status, std::string_view code = "", Role role = Role::kClient) {
    return advice_on_refusal(status, code, role);
}

TEST(Advice, AfterADeadTokenIsToGetAnother) {
    for (const auto* code : {"invalid_token", "missing_token"}) {
        EXPECT_TRUE(is_dead_token(code));
        EXPECT_THAT(advice(401, code), AllOf(HasSubstr("sign in anew"), HasSubstr("token create client")));
        EXPECT_THAT(advice(401, code, Role::kRelay), HasSubstr("token create relay"));
    }
}

TEST(Advice, AfterA401ThatDoesNotBlameTheTokenIsToKeepIt) {
    for (const auto* code : {"", "unauthenticated", "Invalid_token"}) {
        EXPECT_FALSE(is_dead_token(code));
        EXPECT_THAT(advice(401, code), AllOf(HasSubstr("the same one"), Not(HasSubstr("sign in anew"))));
    }
}

TEST(Advice, IsThereForWhateverAPersonHasToSeeTo) {
    EXPECT_THAT(advice(404), AllOf(HasSubstr("FIREZONE_API_URL"), Not(HasSubstr("heck the token"))));
    EXPECT_THAT(advice(409, "gateway_already_connected"), HasSubstr("FIREZONE_ID"));
    EXPECT_THAT(advice(426), HasSubstr("WebSockets"));
    EXPECT_THAT(advice(400), HasSubstr("WebSockets"));
    EXPECT_THAT(advice(400, "invalid_connect_params"), HasSubstr("FIREZONE_NAME"));
    EXPECT_THAT(advice(403), HasSubstr("firewall"));
    EXPECT_THAT(advice(403, "device_untrusted"), HasSubstr("certificate"));
    for (unsigned status = 400; status < 500; ++status) {
        if (status != 408 && status != 425) {
            EXPECT_THAT(advice(status), Not(IsEmpty())) << status;
        }
        EXPECT_EQ(advice(status).find("heck the token") != std::string::npos, status == 401) << status;
    }
}

TEST(Advice, IsNotThereForWhatEndsByItself) {
    for (const unsigned status : {200U, 302U, 408U, 425U, 500U, 502U, 503U}) {
        EXPECT_THAT(advice(status), IsEmpty()) << status;
    }
}

}  // namespace
}  // namespace culvert::portal_channel
