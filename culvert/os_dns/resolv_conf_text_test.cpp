#include "culvert/os_dns/resolv_conf_text.h"

#include <gmock/gmock.h>

namespace culvert::os_dns {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

net::IpAddress ip(const char* text) {
    return *net::IpAddress::parse(text);
}

/// Without comments.
std::string content(std::string_view text) {
    std::string kept;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (!text.starts_with('#')) {
            kept += text.substr(0, end + 1);
        }
        text.remove_prefix(end + 1);
    }
    return kept;
}

const Settings kSettings{.servers = {ip("100.100.111.1")}};
const Settings kWithDomain{.servers = {ip("100.100.111.1"), ip("fd00:2021:1111:8000:100:100:111:0")},
                           .search_domain = "corp.example"};

TEST(ResolvConfText, NamesItsServersAsTheCLibraryReadsThem) {
    EXPECT_THAT(nameservers("# nameserver 192.0.2.9\n"
                            "nameserver 192.0.2.1\n"
                            "nameserver\t2001:db8::1  \r\n"
                            "nameserver fe80::1%eth0\n"
                            " nameserver 192.0.2.8\n"
                            "nameserver192.0.2.7\n"
                            "nameserver dns.example\n"
                            "nameserver\n"
                            "search nameserver 192.0.2.6\n"
                            "nameserver   192.0.2.2"),
                ElementsAre(ip("192.0.2.1"), ip("2001:db8::1"), ip("fe80::1"), ip("192.0.2.2")));
    EXPECT_THAT(nameservers(""), IsEmpty());
}

TEST(ResolvConfText, IsOursByItsFirstLine) {
    EXPECT_TRUE(is_ours(rewritten("nameserver 192.0.2.1\n", kSettings)));
    EXPECT_FALSE(is_ours("nameserver 192.0.2.1\n# BEGIN Firezone DNS configuration\n"));
    EXPECT_FALSE(is_ours("# BEGIN Firezone DNS"));
}

TEST(ResolvConfText, AsksOnlyTheSentinels) {
    const auto text = rewritten("# by NetworkManager\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n", kWithDomain);
    EXPECT_THAT(text, StartsWith("# BEGIN Firezone DNS configuration\n"));
    EXPECT_THAT(text, Not(HasSubstr("NetworkManager")));
    EXPECT_EQ(content(text),
              "nameserver 100.100.111.1\nnameserver fd00:2021:1111:8000:100:100:111:0\nsearch corp.example\n");
}

TEST(ResolvConfText, PutsTheSearchDomainInPlaceOfTheOldOnes) {
    const std::string original = "search a.example\noptions edns0 ndots:3\nnameserver 192.0.2.1\n";
    EXPECT_EQ(content(rewritten(original, kWithDomain)),
              "nameserver 100.100.111.1\nnameserver fd00:2021:1111:8000:100:100:111:0\n"
              "options edns0\nsearch corp.example\n");
    EXPECT_EQ(content(rewritten(original, kSettings)), "nameserver 100.100.111.1\noptions edns0\n");
    EXPECT_EQ(content(rewritten("options ndots:3", kSettings)), "nameserver 100.100.111.1\n");
}

TEST(ResolvConfText, SearchesItsDomainAlsoBesideADomainLine) {
    EXPECT_EQ(content(rewritten("domain old.example\n", kWithDomain)),
              "nameserver 100.100.111.1\nnameserver fd00:2021:1111:8000:100:100:111:0\n"
              "domain old.example\nsearch corp.example\n")
        << "the last one counts";
}

TEST(ResolvConfText, KeepsWhatItDoesNotKnow) {
    EXPECT_EQ(content(rewritten("sortlist 192.0.2.0/24\n\n; old\nfuture setting\n", kSettings)),
              "nameserver 100.100.111.1\nsortlist 192.0.2.0/24\nfuture setting\n");
}

}  // namespace
}  // namespace culvert::os_dns
