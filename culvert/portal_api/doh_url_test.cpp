#include "culvert/portal_api/doh_url.h"

#include <string>

#include <gtest/gtest.h>

namespace culvert::portal_api {
namespace {

TEST(DohUrl, IsAnAbsoluteHttpsUrlOnTheUsualPort) {
    for (const auto* url : {"https://dns.quad9.net/dns-query", "https://dns.google/dns-query",
                            "https://9.9.9.9/dns-query", "https://[2620:fe::fe]/dns-query", "https://dns.example",
                            "https://dns.example:443/a/b", "HTTPS://dns.example/"}) {
        EXPECT_TRUE(is_doh_url(url)) << url;
    }
    for (const auto* url : {"", "dns.example", "/dns-query", "http://dns.example/dns-query", "https://",
                            "https:///dns-query", "https://dns.example:8443/dns-query",
                            "https://dns.example/dns-query?a=b", "https://dns.example/dns-query{?dns}",
                            "https://dns.example/#x", "https://me@dns.example/", "https://me:secret@dns.example/",
                            "https://dns.example/a b", "ftp://dns.example/", "https://dns.example/\n"}) {
        EXPECT_FALSE(is_doh_url(url)) << url;
    }
    EXPECT_FALSE(is_doh_url("https://dns.example/" + std::string(2048, 'a')));
}

}  // namespace
}  // namespace culvert::portal_api
