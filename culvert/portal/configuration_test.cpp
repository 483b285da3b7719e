#include "culvert/portal/configuration.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/portal/constants.h"
#include "culvert/portal/memory_storage.h"
#include "culvert/portal/resource_address.h"
#include "culvert/portal_api/external_id.h"

namespace culvert::portal {
namespace {

constexpr std::string_view kAcme = R"({
  "account":   {"name": "Acme", "slug": "acme",
                "dns": {"search_domain": "corp.example", "upstream": ["203.0.113.53:53"]}},
  "sites":     [{"name": "hq"}],
  "actors":    [{"name": "alice", "type": "account_admin_user", "email": "alice@example.com"},
                {"name": "robot", "type": "service_account"}],
  "groups":    [{"name": "engineers", "members": ["alice", "robot"]}],
  "resources": [{"name": "lan", "type": "cidr", "address": "10.20.0.9/24", "sites": ["hq"],
                 "filters": [{"protocol": "tcp", "ports": ["80", "5201 - 5210"]}, {"protocol": "icmp"}]},
                {"name": "wiki", "type": "dns", "address": "*.corp.example", "ip_stack": "ipv4_only", "sites": ["hq"]},
                {"name": "internet", "type": "internet", "sites": ["hq"]}],
  "policies":  [{"group": "engineers", "resource": "lan", "disabled": true}]
})";

std::string error_of(std::string_view json) {
    const auto configuration = Configuration::parse(json);
    return configuration ? "" : configuration.error();
}

TEST(ConfigurationFile, NamesThePlaceOfAMistake) {
    EXPECT_EQ(
        error_of(R"({"sitez": []})"),
        "top level: unknown key \"sitez\" (known: account, sites, actors, groups, resources, policies, flow_logs)");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "a"}, {"nam": "b"}]})"),
              "sites[1]: unknown key \"nam\" (known: name, renamed_from)");
    EXPECT_EQ(error_of(R"({"sites": [{}]})"), "sites[0]: \"name\" is missing");
    EXPECT_EQ(error_of(R"({"sites": {}})"), "sites: must be a list");
    EXPECT_EQ(error_of(R"({"sites": [7]})"), "sites[0]: must be an object");
    EXPECT_EQ(error_of(R"({"sites": [{"name": 7}]})"), "sites[0].name: must be a string: write \"7\"");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "  "}]})"), "sites[0].name: must have 1 to 64 characters");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "a"}, {"name": "a"}]})"), "sites[1]: \"a\" is listed twice");
    EXPECT_EQ(error_of(R"({"actors": [{"name": "a", "type": "king"}]})"),
              "actors[0].type: \"king\" is not one of account_user, account_admin_user, service_account, api_client");
    EXPECT_EQ(error_of(R"({"account": {"dns": {"doh": ["https://dns.example/", "x"]}}})"),
              "account.dns.doh[1]: must be a URL such as https://dns.example/dns-query, with port 443 and no query");
    EXPECT_EQ(error_of(R"({"account": {"dns": {"upstream": ["1.1.1.1"], "doh": ["https://dns.example/"]}}})"),
              "account.dns.doh: would never be asked, since there are \"upstream\" servers; leave out one of the two");
    EXPECT_EQ(error_of(R"({"account": {"dns": {"upstream": ["1.1.1.1", "x"]}}})"),
              "account.dns.upstream[1]: must be an IP address, or one with a port such as 203.0.113.53:53");
    EXPECT_EQ(error_of("[]"), "top level: must be an object");
    EXPECT_TRUE(error_of("").starts_with("line 1: not valid JSON")) << error_of("");
    EXPECT_TRUE(error_of("{} {}").starts_with("line 1: not valid JSON"));
    EXPECT_TRUE(error_of("{\n  \"sites\": [\n    }\n}\n").starts_with("line 3: not valid JSON"));
    EXPECT_TRUE(error_of(std::string(100'000, '[')).starts_with("line 1: not valid JSON"));
}

TEST(ConfigurationFile, NamesAnEncodingItDoesNotRead) {
    using namespace std::string_view_literals;
    for (const auto& [text, name] :
         std::vector<std::pair<std::string_view, std::string_view>>{{"\xef\xbb\xbf{}"sv, "byte-order mark"},
                                                                    {"\xff\xfe{\0}\0"sv, "UTF-16"},
                                                                    {"\xfe\xff\0{\0}"sv, "UTF-16"},
                                                                    {"{\0}\0"sv, "UTF-16"},
                                                                    {"\0{\0}"sv, "UTF-16"},
                                                                    {"\xff\xfe\0\0{\0\0\0"sv, "UTF-32"},
                                                                    {"\0\0\xfe\xff\0\0\0{"sv, "UTF-32"},
                                                                    {"{\0\0\0}\0\0\0"sv, "UTF-32"},
                                                                    {"\0\0\0{\0\0\0}"sv, "UTF-32"},
                                                                    {"{\"\xfc\": 1}"sv, "is not UTF-8"}}) {
        const auto error = error_of(text);
        EXPECT_NE(error.find(name), std::string::npos) << name << ": " << error;
        EXPECT_NE(error.find("save it as UTF-8"), std::string::npos) << error;
    }
}

TEST(ConfigurationFile, SaysWhatIsNoJson) {
    EXPECT_EQ(error_of(" \n"), "line 1: not valid JSON: it is empty; without anything to change, write {}");
    EXPECT_NE(error_of("{\"sites\": [").find("it ends too early"), std::string::npos);
    EXPECT_NE(error_of("{\n \"sites\": [],\n}").find("line 3: not valid JSON: "), std::string::npos);
    EXPECT_NE(error_of("{\n \"sites\": [],\n}").find("at column 1, \"}\": remove the comma"), std::string::npos)
        << error_of("{\n \"sites\": [],\n}");
    EXPECT_NE(error_of("{} // all").find("JSON has no comments"), std::string::npos) << error_of("{} // all");
    EXPECT_NE(error_of("{'sites': []}").find("use double quotes"), std::string::npos) << error_of("{'sites': []}");
    EXPECT_EQ(error_of(R"({"resources": [{"name": "r", "type": "ip", "address": "10.0.0.1", "sites": ["s"],
                          "filters": [{"protocol": "tcp", "ports": [80]}]}]})"),
              "resources[0].filters[0].ports[0]: must be a string: write \"80\"");
}

TEST(ConfigurationFile, RefusesNamesThatActOnATerminal) {
    for (const auto* name : {"a\\u001b[2J", "a\\nb", "a\\u009b", "\\u202eexe", "a\\u0000b"}) {
        const auto error = error_of(R"({"sites": [{"name": ")" + std::string{name} + R"("}]})");
        EXPECT_NE(error.find("sites[0].name: must not have control characters"), std::string::npos) << name << error;
    }
    EXPECT_EQ(error_of(R"({"sites": [{"name": "B\u00fcro \u6771"}]})"), "");
}

TEST(ConfigurationFile, ChecksFormerNames) {
    EXPECT_EQ(error_of(R"({"sites": [{"name": "a", "renamed_from": "a"}]})"),
              "sites[0].renamed_from: is the same as the name; leave it out");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "a", "renamed_from": "c"}, {"name": "b", "renamed_from": "c"}]})"),
              "sites[1].renamed_from: \"c\" is listed twice");
}

TEST(ConfigurationFile, ChecksResources) {
    const auto resource = [](const std::string& rest) {
        return error_of(R"({"resources": [{"name": "r", "sites": ["s"], )" + rest + "}]}");
    };
    EXPECT_EQ(resource(R"("type": "ip", "address": "10.0.0.1")"), "");
    EXPECT_EQ(resource(R"("type": "cidr", "address": "10.0.0.1")"),
              "resources[0].address: must have a prefix length: write 10.0.0.1/32 for this one address, or use a "
              "resource of type \"ip\"");
    EXPECT_EQ(resource(R"("type": "cidr", "address": "10.0.0.0/8", "ip_stack": "dual")"),
              "resources[0].ip_stack: is for resources of type dns only");
    EXPECT_EQ(resource(R"("type": "ip", "address": "10.0.0.1", "filters": [{"protocol": "tcp", "ports": ["9-1"]}])"),
              "resources[0].filters[0].ports[0]: must not have its lower port above the higher one");
    EXPECT_EQ(resource(R"("type": "ip", "address": "10.0.0.1", "filters": [{"protocol": "icmp", "ports": ["1"]}])"),
              "resources[0].filters[0].ports: must be empty for icmp, which has no ports");
    EXPECT_EQ(resource(R"("type": "internet", "address": "10.0.0.1")"),
              "resources[0].address: must be absent: the Internet resource has none");
    EXPECT_EQ(error_of(R"({"resources": [{"name": "r", "sites": [], "type": "internet"}]})"),
              "resources[0].sites: must name at least one site");
}

TEST(ConfigurationFile, ChecksPoolsOfDevices) {
    const auto pool = [](const std::string& rest) {
        return error_of(R"({"resources": [{"name": "r", "type": "static_device_pool", )" + rest + "}]}");
    };
    const std::string one = R"({"actor": "bob", "external_id": "build-1"})";
    EXPECT_EQ(pool(R"("devices": [)" + one + R"(], "filters": [{"protocol": "tcp", "ports": ["22"]}])"), "");
    EXPECT_EQ(pool(R"("devices": [])"), "");
    EXPECT_NE(pool(R"("sites": ["s"])").find("resources[0].sites: a static_device_pool has none"), std::string::npos);
    EXPECT_NE(pool(R"("devices": [], "address": "10.0.0.1")").find("resources[0].address: "), std::string::npos);
    EXPECT_NE(pool(R"("devices": [], "ip_stack": "dual")").find("is for resources of type dns only"),
              std::string::npos);
    EXPECT_EQ(pool(R"("devices": [)" + one + "," + one + "]"),
              "resources[0].devices[1]: \"bob\", \"build-1\" is listed twice");
    EXPECT_NE(pool(R"("devices": ["build-1"])").find("resources[0].devices[0]"), std::string::npos);
    EXPECT_NE(pool(R"("devices": [{"actor": "bob"}])").find("external_id"), std::string::npos);
    EXPECT_NE(pool("\"filters\": []").find("devices"), std::string::npos) << "is missing";
    EXPECT_EQ(error_of(R"({"resources": [{"name": "r", "type": "ip", "address": "10.0.0.1", "sites": ["s"],
                          "devices": []}]})"),
              "resources[0].devices: is for resources of type static_device_pool only");
    EXPECT_NE(error_of(R"({"resources": [{"name": "r", "type": "dynamic_device_pool"}]})").find("static_device_pool"),
              std::string::npos);
    std::string many;
    for (std::size_t i = 0; i <= kMaxPoolDevices; ++i) {
        many += (i > 0 ? "," : "") + std::string{R"({"actor": "bob", "external_id": "d)"} + std::to_string(i) + "\"}";
    }
    EXPECT_NE(pool(R"("devices": [)" + many + "]").find("make several pools"), std::string::npos);
}

TEST(ConfigurationFile, RefusesAKeyThatAppearsTwice) {
    EXPECT_EQ(error_of(R"({"sites": [], "actors": [], "sites": []})"),
              "sites: appears twice in the same object; keep one of the two");
    EXPECT_EQ(error_of(R"({"sites": [1, {"name": "a"}, {"name": "b", "n\u0061me": "c"}]})"),
              "sites[2].name: appears twice in the same object; keep one of the two");
    EXPECT_EQ(error_of(R"({"account": {"x": [[], [null, {"y": {}, "y": {}}]]}})"),
              "account.x[1][1].y: appears twice in the same object; keep one of the two");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "a"}, {"name": "b"}]})"), "") << "other objects may have the same keys";
}

TEST(ConfigurationFile, RefusesConditionsThatItCannotMeetRatherThanGrantWithoutThem) {
    const auto region =
        error_of(R"({"policies": [{"group": "g", "resource": "r", "conditions": [)"
                 R"({"property": "remote_ip_location_region", "operator": "is_in", "values": ["DE"]}]}]})");
    EXPECT_TRUE(region.starts_with("policies[0].conditions[0].property: remote_ip_location_region is not supported"))
        << region;
    const auto incomplete =
        error_of(R"({"policies": [{"group": "g", "resource": "r", "conditions": [{"property": "remote_ip"}]}]})");
    EXPECT_TRUE(incomplete.starts_with("policies[0].conditions[0]: \"operator\" is missing")) << incomplete;
    EXPECT_EQ(error_of(R"({"policies": [{"group": "g", "resource": "r", "conditions": []}]})"), "");
}

TEST(ConfigurationFile, HasConditionsOfPolicies) {
    const auto configuration = Configuration::parse(
        R"({"policies": [{"group": "g", "resource": "r", "conditions": [)"
        R"({"property": "remote_ip", "operator": "is_in_cidr", "values": ["203.0.113.0/24", "2001:db8::1"]}]}]})");
    ASSERT_TRUE(configuration) << configuration.error();
    EXPECT_EQ(configuration->policies->at(0).conditions,
              (PolicyConditions{RemoteIpCondition{
                  true, {*net::IpNetwork::parse("203.0.113.0/24"), *net::IpNetwork::parse("2001:db8::1/128")}}}));
}

TEST(ResourceAddress, AcceptsAndNormalisesNetworks) {
    EXPECT_EQ(canonical_address(ResourceType::kCidr, "10.20.0.9/24"), "10.20.0.0/24");
    EXPECT_EQ(canonical_address(ResourceType::kCidr, "2001:DB8::1/32"), "2001:db8::/32");
    EXPECT_EQ(canonical_address(ResourceType::kIp, "2001:DB8:0::1"), "2001:db8::1");
    for (const auto* text : {"10.0.0.0/8", "240.0.0.0/8", "1.2.3.4/32", "169.0.0.0/8", "8000::/2"}) {
        EXPECT_EQ(canonical_address(ResourceType::kCidr, text), text);
    }
}

TEST(ResourceAddress, RefusesWhatTheTunnelNeedsOrCannotCarry) {
    for (const auto* text :
         {"0.0.0.0/0", "0.0.0.0/1", "::/0", "64.0.0.0/2", "100.64.0.0/10", "100.100.0.0/16", "127.1.0.0/16", "::1/128",
          "fd00:2021:1111::/64", "fd00::/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0/8", "::/129"}) {
        EXPECT_FALSE(canonical_address(ResourceType::kCidr, text)) << text;
    }
    for (const auto* text : {"0.0.0.0", "::", "127.0.0.1", "100.64.0.1", "10.0.0.0/32", "host", ""}) {
        EXPECT_FALSE(canonical_address(ResourceType::kIp, text)) << text;
    }
}

TEST(ResourceAddress, RefusesWhatNoGatewayCanReach) {
    const auto problem = [](ResourceType type, std::string_view text) {
        const auto address = canonical_address(type, text);
        return address ? "" : address.error();
    };
    const std::vector<std::pair<std::string_view, std::string_view>> networks = {{"169.254.0.0/16", "link-local"},
                                                                                 {"169.254.169.254/32", "link-local"},
                                                                                 {"fe80::/10", "link-local"},
                                                                                 {"fe80:1::/64", "link-local"},
                                                                                 {"224.0.0.0/4", "multicast"},
                                                                                 {"239.1.0.0/16", "multicast"},
                                                                                 {"ff00::/8", "multicast"},
                                                                                 {"ff02::/16", "multicast"},
                                                                                 {"127.0.0.0/8", "loopback"},
                                                                                 {"::1/128", "loopback"},
                                                                                 {"0.1.0.0/16", "0.0.0.0/8"},
                                                                                 {"255.255.255.255/32", "broadcast"},
                                                                                 {"::ffff:10.0.0.0/104", "IPv4"},
                                                                                 {"100.64.0.0/16", "the tunnel"},
                                                                                 {"fd00:2021:1111::/64", "the tunnel"},
                                                                                 {"0.0.0.0/0", "internet"},
                                                                                 {"::/0", "internet"}};
    for (const auto& [text, reason] : networks) {
        EXPECT_NE(problem(ResourceType::kCidr, text).find(reason), std::string::npos)
            << text << ": " << problem(ResourceType::kCidr, text);
    }
    const std::vector<std::pair<std::string_view, std::string_view>> addresses = {
        {"169.254.169.254", "link-local"}, {"fe80::1", "link-local"},   {"224.0.0.251", "multicast"},
        {"ff02::fb", "multicast"},         {"127.0.0.1", "loopback"},   {"::1", "loopback"},
        {"0.0.0.0", "internet"},           {"::", "internet"},          {"0.0.0.1", "0.0.0.0/8"},
        {"255.255.255.255", "broadcast"},  {"::ffff:10.0.0.1", "IPv4"}, {"100.100.111.1", "the tunnel"}};
    for (const auto& [text, reason] : addresses) {
        EXPECT_NE(problem(ResourceType::kIp, text).find(reason), std::string::npos)
            << text << ": " << problem(ResourceType::kIp, text);
    }
}

TEST(ResourceAddress, SaysWhatToWriteInstead) {
    const auto problem = [](ResourceType type, std::string_view text) { return canonical_address(type, text).error(); };
    EXPECT_EQ(problem(ResourceType::kCidr, "10.0.0.0/255.255.255.0"), "must not have a netmask: write 10.0.0.0/24");
    EXPECT_EQ(problem(ResourceType::kCidr, "10.0.0.0/0.0.0.255"),
              "must have a prefix length behind the slash; 0.0.0.255 is not even a netmask");
    EXPECT_EQ(problem(ResourceType::kCidr, "10.0.0.0/33"), "must have a prefix length from 0 to 32 behind the slash");
    EXPECT_EQ(problem(ResourceType::kCidr, "10.0.0.1"),
              "must have a prefix length: write 10.0.0.1/32 for this one address, or use a resource of type \"ip\"");
    EXPECT_EQ(problem(ResourceType::kCidr, "10.0.0.1-10.0.0.9"),
              "must be an address and a prefix length, such as 10.0.0.0/8, not a range");
    EXPECT_EQ(problem(ResourceType::kIp, "10.0.0.0/24"),
              "must be one IP address, without a prefix length; for a network use type \"cidr\"");
    EXPECT_EQ(problem(ResourceType::kIp, "host.example"), "must be one IP address; for a name use type \"dns\"");
    EXPECT_EQ(parse_ports("80,443").error(), "must be one port or range; list several as [\"80\", \"443\"]");
}

TEST(ResourceAddress, AcceptsDnsPatterns) {
    for (const auto* text : {"gitlab", "*.internal", "**.local", "a*.com", "?.corp.example",
                             "b\xc3\xbc"
                             "cher.example",
                             "**.x.example", "*.*.corp.example", "www.de", "host-1.example"}) {
        EXPECT_EQ(canonical_address(ResourceType::kDns, text), text);
    }
}

TEST(ResourceAddress, RefusesOtherDnsPatterns) {
    for (const auto* text :
         {"",           "*.com",       "**.de", "com",   "*.COM",   "a.*",       "a.**",       "a**.b",
          "localhost",  "x.localhost", ".a",    "a.",    "a..b",    "-a.b",      "a-.b",       "a_b.c",
          "http://a.b", "a.b:80",      "a.b/c", "a b.c", "1.2.3.4", "1.2.3.4/8", "2001:db8::1"}) {
        EXPECT_FALSE(canonical_address(ResourceType::kDns, text)) << text;
    }
    EXPECT_FALSE(canonical_address(ResourceType::kDns, std::string(64, 'a') + ".example"));
    EXPECT_TRUE(canonical_address(ResourceType::kDns, std::string(63, 'a') + ".example"));
}

TEST(ResourceAddress, ReadsPorts) {
    EXPECT_EQ(parse_ports("443"), (PortRange{443, 443}));
    EXPECT_EQ(parse_ports("8000 - 8100"), (PortRange{8000, 8100}));
    EXPECT_EQ(parse_ports(" 0-65535 "), (PortRange{0, 65535}));
    for (const auto* text : {"", "-", "1-", "-1", "65536", "1-65536", "2-1", "x", "1,2", "1 2"}) {
        EXPECT_FALSE(parse_ports(text)) << text;
    }
}

TEST(ResourceAddress, ReadsUpstreamDnsAndSearchDomains) {
    EXPECT_EQ(parse_upstream_dns("9.9.9.9")->to_string(), "9.9.9.9:53");
    EXPECT_EQ(parse_upstream_dns("2620:fe::fe")->to_string(), "[2620:fe::fe]:53");
    EXPECT_EQ(parse_upstream_dns("9.9.9.9:5353")->to_string(), "9.9.9.9:5353");
    for (const auto* text :
         {"100.64.0.1", "0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255", "9.9.9.9:0"}) {
        EXPECT_FALSE(parse_upstream_dns(text)) << text;
    }
    EXPECT_TRUE(parse_upstream_dns("127.0.0.53")) << "each client's own resolver";
    EXPECT_FALSE(parse_upstream_dns("dns.example"));
    EXPECT_TRUE(parse_doh_url("https://dns.example/dns-query"));
    EXPECT_FALSE(parse_doh_url("http://dns.example/dns-query"));
    EXPECT_TRUE(parse_search_domain("corp.example"));
    for (const auto* text : {"corp", ".corp.example", "corp..example", "corp.e", "corp.e1", "a_b.example", ""}) {
        EXPECT_FALSE(parse_search_domain(text)) << text;
    }
}

class Applying : public testing::Test {
protected:
    ApplySummary apply(std::string_view json, const ApplyOptions& options = {}) {
        const auto configuration = Configuration::parse(json);
        EXPECT_TRUE(configuration) << configuration.error();
        return portal::apply(*configuration, storage_, rng_, options);
    }

    template <typename Rows>
    static auto id_of(const Rows& rows, std::string_view name) {
        const auto found = std::ranges::find_if(rows, [&](const auto& row) { return row.second.name == name; });
        EXPECT_NE(found, rows.end()) << name;
        return found->first;
    }

    /// A token and a gateway called "gw" at the site.
    TokenId add_gateway(const SiteId& site) {
        const Token token{.id = TokenId::random(rng_), .type = TokenType::kGateway, .site = site};
        storage_.put(token);
        EXPECT_TRUE(storage_.register_gateway(
            {.site = site, .token = token.id, .external_id = "x", .name = "gw", .public_key = {}, .last_seen = {}},
            rng_));
        return token.id;
    }

    Rng rng_ = Rng::from_number(5);
    MemoryStorage storage_{rng_};
};

TEST_F(Applying, CreatesWhatIsListed) {
    const auto summary = apply(kAcme);
    const auto directory = storage_.load_directory();

    EXPECT_EQ(summary.created, 8U);
    EXPECT_EQ(summary.changed, 1U);  // the account
    EXPECT_EQ(directory.account.name, "Acme");
    EXPECT_EQ(directory.account.slug, "acme");
    EXPECT_EQ(directory.account.search_domain, "corp.example");
    EXPECT_EQ(directory.memberships.size(), 2U);
    ASSERT_EQ(directory.resources.size(), 3U);
    for (const auto& [id, resource] : directory.resources) {
        EXPECT_EQ(resource.sites.size(), 1U);
        if (resource.name == "lan") {
            EXPECT_EQ(resource.address, "10.20.0.0/24");
            EXPECT_EQ(resource.filters, (std::vector<ResourceFilter>{{FilterProtocol::kTcp, {{80, 80}, {5201, 5210}}},
                                                                     {FilterProtocol::kIcmp, {}}}));
        }
    }
    ASSERT_EQ(directory.policies.size(), 1U);
    EXPECT_TRUE(directory.policies.begin()->second.is_disabled);
}

TEST(ConfigurationFile, SaysWhatIsWrongWithFlowLogs) {
    EXPECT_EQ(error_of(R"({"flow_logs": {}})"), "flow_logs: \"enabled\" is missing");
    EXPECT_EQ(error_of(R"({"flow_logs": {"enabled": true}})"),
              "flow_logs: needs \"api_url\", where devices reach this portal, such as https://portal.example.com");
    EXPECT_EQ(error_of(R"({"flow_logs": {"enabled": false}})"), "");
    for (const auto* url :
         {"portal.example.com", "wss://portal.example.com", "https://user@portal.example.com", "https://"}) {
        EXPECT_EQ(error_of(R"({"flow_logs": {"enabled": true, "api_url": ")" + std::string{url} + R"("}})"),
                  "flow_logs.api_url: must be a URL such as https://portal.example.com");
    }
    EXPECT_EQ(error_of(R"({"flow_logs": {"enabled": false, "upload_interval_secs": 0}})"),
              "flow_logs.upload_interval_secs: must be a whole number from 1 to 86400");
    EXPECT_EQ(error_of(R"({"flow_logs": {"enabled": false, "upload_batch_size": 10001}})"),
              "flow_logs.upload_batch_size: must be a whole number from 1 to 10000");
    EXPECT_EQ(error_of(R"({"flow_logs": {"enabled": false, "max_records": 1.5}})"),
              "flow_logs.max_records: must be a whole number from 1 to 1000000000");
    EXPECT_EQ(error_of(R"({"policies": [{"group": "a", "resource": "b", "flow_logs": "no"}]})"),
              "policies[0].flow_logs: must be true or false");
}

TEST_F(Applying, SwitchesFlowLogs) {
    apply(kAcme);
    EXPECT_FALSE(storage_.load_directory().account.flow_logging.is_on);
    constexpr std::string_view kOn = R"({
      "flow_logs": {"enabled": true, "api_url": "https://portal.example.com", "upload_interval_secs": 5,
                    "upload_batch_size": 6, "retention_days": 7, "max_records": 8},
      "policies":  [{"group": "engineers", "resource": "lan", "flow_logs": false}]})";
    const auto summary = apply(kOn);
    EXPECT_EQ(summary.changed, 2U);
    EXPECT_EQ(std::ranges::count(summary.lines, "changed  flow logs"), 1);
    const auto directory = storage_.load_directory();
    EXPECT_EQ(directory.account.flow_logging, (FlowLogging{.is_on = true,
                                                           .api_url = "https://portal.example.com",
                                                           .upload_interval = std::chrono::seconds{5},
                                                           .upload_batch_size = 6,
                                                           .retention = std::chrono::days{7},
                                                           .max_records = 8}));
    EXPECT_FALSE(directory.policies.begin()->second.logs_flows);
    EXPECT_EQ(apply(kOn).unchanged, 2U);
    apply(kAcme);
    EXPECT_TRUE(storage_.load_directory().account.flow_logging.is_on) << "a section that is missing changes nothing";
    EXPECT_TRUE(storage_.load_directory().policies.begin()->second.logs_flows);
}

TEST_F(Applying, TwiceChangesNothing) {
    apply(kAcme);
    const auto summary = apply(kAcme);

    EXPECT_TRUE(summary.lines.empty());
    EXPECT_EQ(summary.unchanged, 9U);
}

TEST_F(Applying, DisablesPeopleAndSaysHowLongDevicesStaySignedIn) {
    apply(R"({"account": {"client_session_lifetime_secs": 3600},
              "actors": [{"name": "ute", "type": "account_user", "disabled": true}]})");
    const auto directory = storage_.load_directory();
    EXPECT_EQ(directory.account.client_session_lifetime, std::chrono::hours{1});
    EXPECT_TRUE(directory.actors.at(id_of(directory.actors, "ute")).is_disabled);

    const auto summary = apply(R"({"actors": [{"name": "ute", "type": "account_user"}]})");
    EXPECT_EQ(summary.lines, (std::vector<std::string>{"changed  actor \"ute\""}));
    const auto later = storage_.load_directory();
    EXPECT_FALSE(later.actors.at(id_of(later.actors, "ute")).is_disabled);
    EXPECT_EQ(later.account.client_session_lifetime, std::chrono::hours{1}) << "a missing key is left alone";
    EXPECT_FALSE(Configuration::parse(R"({"account": {"client_session_lifetime_secs": 60}})"));
}

TEST_F(Applying, APoolNamesDevicesThatNeedNotExistYet) {
    apply(kAcme);
    const std::string pool = R"({"resources": [{"name": "build hosts", "type": "static_device_pool",
        "devices": [{"actor": "robot", "external_id": "build-1"},
                    {"actor": "robot", "external_id": "7f1f5bd4-6a6a-4c5e-9f39-5c1b6d6b7f10"},
                    {"actor": "robot", "external_id": ")" +
                             portal_api::to_external_id("7f1f5bd4-6a6a-4c5e-9f39-5c1b6d6b7f10") + "\"}]}]}";
    auto summary = apply(pool);
    EXPECT_NE(std::ranges::find(summary.lines,
                                "note     resource \"build hosts\" names 2 devices that have not "
                                "connected yet: they are in the pool once they do"),
              summary.lines.end());
    const auto directory = storage_.load_directory();
    const auto& members = directory.resources.begin()->second.members;
    const auto robot = id_of(directory.actors, "robot");
    ASSERT_EQ(members.size(), 2U);
    EXPECT_EQ(std::ranges::count(members, PoolMember{robot, "build-1"}), 1);
    EXPECT_EQ(std::ranges::count_if(members, [](const auto& member) { return member.external_id.size() == 64; }), 1)
        << "as devices send an id that is a UUID";

    EXPECT_TRUE(storage_.register_client(
        {.actor = robot, .external_id = "build-1", .name = "b", .public_key = {}, .last_seen = {}}, rng_));
    summary = apply(pool);
    EXPECT_EQ(summary.changed + summary.created + summary.deleted, 0U);
    EXPECT_EQ(storage_.load_directory().pool_clients.size(), 1U);
    EXPECT_NE(summary.lines.at(0).find("names 1 device that has"), std::string::npos);
}

TEST_F(Applying, APoolNamesDevicesOfActorsThatExist) {
    const auto configuration = Configuration::parse(R"({"resources": [{"name": "p", "type": "static_device_pool",
        "devices": [{"actor": "nobody", "external_id": "x"}]}]})");
    try {
        static_cast<void>(portal::apply(*configuration, storage_, rng_, {}));
        ADD_FAILURE();
    } catch (const ConfigurationError& error) {
        EXPECT_EQ(std::string{error.what()}, "resources[0].devices[0].actor: there is no actor \"nobody\"");
    }
}

TEST_F(Applying, KeepsIdsOfWhatChanges) {
    apply(kAcme);
    const auto before = storage_.load_directory().policies.begin()->first;

    const auto summary = apply(R"({"policies": [{"group": "engineers", "resource": "lan"}]})");

    EXPECT_EQ(summary.lines, std::vector<std::string>{"changed  policy \"engineers\" -> \"lan\""});
    EXPECT_EQ(storage_.load_directory().policies.begin()->first, before);
}

TEST_F(Applying, DeletesWhatAListedSectionLacksAndLeavesOtherSectionsAlone) {
    apply(kAcme);

    const auto summary = apply(R"({"groups": [{"name": "engineers", "members": ["robot"]}], "policies": []})");
    const auto directory = storage_.load_directory();

    EXPECT_EQ(summary.deleted, 1U);
    EXPECT_EQ(summary.changed, 1U);
    EXPECT_TRUE(directory.policies.empty());
    EXPECT_EQ(directory.memberships.size(), 1U);
    EXPECT_EQ(directory.resources.size(), 3U);
    EXPECT_EQ(directory.account.name, "Acme");
}

TEST_F(Applying, IsUndoneByAnyMistake) {
    apply(kAcme);

    try {
        apply(R"({"sites": [{"name": "hq"}, {"name": "branch"}],
                  "policies": [{"group": "engineers", "resource": "no such thing"}]})");
        FAIL() << "an unknown resource was accepted";
    } catch (const ConfigurationError& error) {
        EXPECT_STREQ(error.what(), "policies[0].resource: there is no resource \"no such thing\"");
    }

    EXPECT_EQ(storage_.load_directory().sites.size(), 1U);
    EXPECT_TRUE(apply(kAcme).lines.empty());
}

TEST_F(Applying, DoesNotCutDevicesOffUnasked) {
    apply(kAcme);
    const auto token = add_gateway(id_of(storage_.load_directory().sites, "hq"));
    const auto* const without_hq = R"({"sites": [{"name": "branch"}]})";

    const auto refused = apply(without_hq);
    EXPECT_EQ(refused.outcome, ApplySummary::Outcome::kNeedsPermission);
    EXPECT_TRUE(storage_.find_token(token));
    EXPECT_EQ(storage_.load_directory().sites.size(), 1U);

    const auto allowed = apply(without_hq, {.may_cut_off = true});
    EXPECT_EQ(allowed.outcome, ApplySummary::Outcome::kApplied);
    EXPECT_FALSE(storage_.find_token(token));
    EXPECT_EQ(allowed.lines, refused.lines);
}

TEST_F(Applying, DeletesWithoutAskingWhatNoDeviceNeeds) {
    apply(kAcme);

    const auto summary = apply(R"({"sites": [{"name": "branch"}], "actors": [], "groups": [], "policies": []})");

    EXPECT_EQ(summary.outcome, ApplySummary::Outcome::kApplied);
    EXPECT_FALSE(summary.cuts_off);
    EXPECT_TRUE(storage_.load_directory().actors.empty());
}

TEST_F(Applying, NamesAllThatGoesWithWhatIsDeleted) {
    apply(kAcme);
    const auto directory = storage_.load_directory();
    const auto token = add_gateway(id_of(directory.sites, "hq"));
    const auto alice = id_of(directory.actors, "alice");
    storage_.put(Token{.id = TokenId::random(rng_), .type = TokenType::kClient, .actor = alice});
    const auto alices = storage_.find_dependents(alice).tokens.at(0);

    auto summary =
        apply(R"({"sites": [], "actors": [{"name": "robot", "type": "service_account"}]})", {.may_cut_off = true});
    EXPECT_EQ(
        summary.lines,
        (std::vector<std::string>{
            "deleted  site \"hq\"", "         with 1 token: " + token.to_string(), "         with 1 gateway: \"gw\"",
            "deleted  actor \"alice\"", "         with 1 token: " + alices.to_string(),
            "         with 1 membership: \"alice\" in \"engineers\"",
            "note     resource \"internet\" has no site any more, since \"hq\" went: nobody can reach it",
            "note     resource \"lan\" has no site any more, since \"hq\" went: nobody can reach it",
            "note     resource \"wiki\" has no site any more, since \"hq\" went: nobody can reach it"}));
    EXPECT_EQ(summary.deleted, 2U);

    summary = apply(R"({"groups": []})");
    EXPECT_EQ(summary.lines, (std::vector<std::string>{"deleted  group \"engineers\"",
                                                       "         with 1 membership: \"robot\" in \"engineers\"",
                                                       "         with 1 policy: \"engineers\" -> \"lan\""}));
}

TEST_F(Applying, NamesPoliciesThatGoWithTheirResource) {
    apply(kAcme);

    const auto lines = apply(R"({"resources": []})").lines;

    const auto lan = std::ranges::find(lines, "deleted  resource \"lan\"");
    ASSERT_NE(lan, lines.end());
    ASSERT_NE(lan + 1, lines.end());
    EXPECT_EQ(*(lan + 1), "         with 1 policy: \"engineers\" -> \"lan\"");
    EXPECT_EQ(lines.size(), 4U);
}

TEST_F(Applying, ADryRunSaysTheSameAndChangesNothing) {
    apply(kAcme);
    const auto token = add_gateway(id_of(storage_.load_directory().sites, "hq"));
    const auto* const change = R"({"sites": [{"name": "branch"}], "policies": []})";

    const auto summary = apply(change, {.is_dry_run = true});

    EXPECT_EQ(summary.outcome, ApplySummary::Outcome::kDryRun);
    EXPECT_TRUE(summary.cuts_off);
    EXPECT_TRUE(storage_.find_token(token));
    EXPECT_TRUE(apply(kAcme).lines.empty());
    EXPECT_EQ(apply(change, {.may_cut_off = true}).lines, summary.lines);
}

TEST_F(Applying, ARenamedThingKeepsWhatBelongsToIt) {
    apply(kAcme);
    const auto before = storage_.load_directory();
    const auto hq = id_of(before.sites, "hq");
    const auto token = add_gateway(hq);
    const auto* const renaming = R"({
      "sites":     [{"name": "headquarters", "renamed_from": "hq"}],
      "actors":    [{"name": "alicia", "renamed_from": "alice", "type": "account_admin_user",
                     "email": "alice@example.com"},
                    {"name": "robot", "type": "service_account"}],
      "groups":    [{"name": "staff", "renamed_from": "engineers", "members": ["alicia", "robot"]}],
      "resources": [{"name": "office", "renamed_from": "lan", "type": "cidr", "address": "10.20.0.0/24",
                     "sites": ["headquarters"],
                     "filters": [{"protocol": "tcp", "ports": ["80", "5201 - 5210"]}, {"protocol": "icmp"}]},
                    {"name": "wiki", "type": "dns", "address": "*.corp.example", "ip_stack": "ipv4_only",
                     "sites": ["headquarters"]},
                    {"name": "internet", "type": "internet", "sites": ["headquarters"]}],
      "policies":  [{"group": "staff", "resource": "office", "disabled": true}]
    })";

    const auto summary = apply(renaming);
    const auto after = storage_.load_directory();

    EXPECT_EQ(summary.lines, (std::vector<std::string>{"changed  site \"headquarters\", until now \"hq\"",
                                                       "changed  actor \"alicia\", until now \"alice\"",
                                                       "changed  group \"staff\", until now \"engineers\"",
                                                       "changed  resource \"office\", until now \"lan\""}));
    EXPECT_EQ(id_of(after.sites, "headquarters"), hq);
    EXPECT_EQ(id_of(after.actors, "alicia"), id_of(before.actors, "alice"));
    EXPECT_EQ(id_of(after.resources, "office"), id_of(before.resources, "lan"));
    EXPECT_EQ(after.memberships, before.memberships);
    EXPECT_EQ(after.policies, before.policies);
    EXPECT_TRUE(storage_.find_token(token));
    EXPECT_TRUE(apply(renaming).lines.empty()) << "a file can be applied again";
}

TEST_F(Applying, RenamesChainsInAnyOrder) {
    apply(R"({"sites": [{"name": "a"}, {"name": "b"}]})");
    const auto before = storage_.load_directory().sites;
    const auto* const chain = R"({"sites": [{"name": "b", "renamed_from": "a"}, {"name": "c", "renamed_from": "b"}]})";
    EXPECT_EQ(apply(chain).changed, 2U);
    const auto after = storage_.load_directory().sites;
    EXPECT_EQ(id_of(after, "b"), id_of(before, "a"));
    EXPECT_EQ(id_of(after, "c"), id_of(before, "b"));
    EXPECT_TRUE(apply(chain).lines.empty());
}

TEST_F(Applying, ANameThatBecameFreeIsForSomethingNew) {
    apply(R"({"sites": [{"name": "a"}]})");
    const auto old = id_of(storage_.load_directory().sites, "a");
    const auto* const file = R"({"sites": [{"name": "a"}, {"name": "b", "renamed_from": "a"}]})";
    apply(file);
    const auto sites = storage_.load_directory().sites;
    EXPECT_EQ(id_of(sites, "b"), old);
    EXPECT_NE(id_of(sites, "a"), old);
    EXPECT_TRUE(apply(file).lines.empty());
}

TEST_F(Applying, DoesNotGuessWhatToRenameIfBothExist) {
    apply(R"({"sites": [{"name": "a"}, {"name": "b"}]})");
    try {
        apply(R"({"sites": [{"name": "b", "renamed_from": "a"}]})");
        FAIL() << "\"a\" was deleted in silence";
    } catch (const ConfigurationError& error) {
        EXPECT_STREQ(error.what(),
                     "sites[0].renamed_from: both \"a\" and \"b\" exist; to delete the former, remove "
                     "\"renamed_from\"");
    }
}

TEST_F(Applying, NamesThePlaceOfAnUnknownReference) {
    EXPECT_THROW(apply(R"({"groups": [{"name": "g", "members": ["nobody"]}]})"), ConfigurationError);
    EXPECT_THROW(apply(R"({"resources": [{"name": "r", "type": "internet", "sites": ["nowhere"]}]})"),
                 ConfigurationError);
    EXPECT_TRUE(storage_.load_directory().groups.empty());
}

}  // namespace
}  // namespace culvert::portal
