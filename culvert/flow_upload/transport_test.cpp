#include "culvert/flow_upload/transport.h"

#include <gtest/gtest.h>

namespace culvert::flow_upload {
namespace {

std::string url(const std::string& api_url, bool allows_plain_text = false) {
    const auto destination = destination_of(api_url, allows_plain_text);
    return destination ? destination->url : "none";
}
std::string redirected(const std::string& location) {
    const auto destination = redirected_to(location);
    return destination ? destination->url : "none";
}

TEST(Destination, HasAFixedPathAndThePortThatTheUrlNames) {
    EXPECT_EQ(url("https://logs.example/"), "https://logs.example:443/ingestion/flow_logs");
    EXPECT_EQ(url("https://logs.example"), "https://logs.example:443/ingestion/flow_logs");
    EXPECT_EQ(url("https://logs.example:8443/base/?x=1"), "https://logs.example:8443/ingestion/flow_logs");
    EXPECT_EQ(url("https://[2001:db8::1]:1/"), "https://[2001:db8::1]:1/ingestion/flow_logs");
    const auto literal = destination_of("https://[2001:db8::1]/", false);
    ASSERT_TRUE(literal);
    EXPECT_EQ(literal->host, "2001:db8::1");
    EXPECT_EQ(literal->port, 443);
}

TEST(Destination, IsEncryptedUnlessThePortalIsNotEither) {
    EXPECT_EQ(url("http://logs.example/"), "none");
    EXPECT_EQ(url("http://logs.example/", true), "http://logs.example:80/ingestion/flow_logs");
    EXPECT_EQ(url("http://192.0.2.1:8081/", true), "http://192.0.2.1:8081/ingestion/flow_logs");
}

TEST(Destination, IsNothingElse) {
    for (const auto* text : {"", "logs.example", "/ingestion", "ws://logs.example", "ftp://logs.example", "https://",
                             "https://user:secret@logs.example/", "https://logs.example:0/", "https://logs.example:x/",
                             "https://logs.example:70000/", "file:///etc/passwd"}) {
        EXPECT_EQ(url(text, true), "none") << text;
    }
}

TEST(Destination, OfARedirectIsHttpsOnItsOwnPort) {
    EXPECT_EQ(redirected("https://other.example/elsewhere?x=1"), "https://other.example:443/elsewhere?x=1");
    EXPECT_EQ(redirected("https://other.example"), "https://other.example:443/");
    for (const auto* text : {"", "http://other.example/", "https://other.example:8443/", "https://user@other.example/",
                             "/relative", "javascript:alert(1)"}) {
        EXPECT_EQ(redirected(text), "none") << text;
    }
}

}  // namespace
}  // namespace culvert::flow_upload
