#include "culvert/portal/configuration.h"

#include <gtest/gtest.h>

#include "culvert/portal/memory_storage.h"
#include "culvert/portal/resource_address.h"

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
    EXPECT_EQ(error_of(R"({"sitez": []})"),
              "top level: unknown key \"sitez\" (known: account, sites, actors, groups, resources, policies)");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "a"}, {"nam": "b"}]})"), "sites[1]: unknown key \"nam\" (known: name)");
    EXPECT_EQ(error_of(R"({"sites": [{}]})"), "sites[0]: \"name\" is missing");
    EXPECT_EQ(error_of(R"({"sites": {}})"), "sites: must be a list");
    EXPECT_EQ(error_of(R"({"sites": [7]})"), "sites[0]: must be an object");
    EXPECT_EQ(error_of(R"({"sites": [{"name": 7}]})"), "sites[0].name: must be a string");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "  "}]})"), "sites[0].name: must have 1 to 64 characters");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "a"}, {"name": "a"}]})"), "sites[1]: \"a\" is listed twice");
    EXPECT_EQ(error_of(R"({"actors": [{"name": "a", "type": "king"}]})"),
              "actors[0].type: \"king\" is not one of account_user, account_admin_user, service_account, api_client");
    EXPECT_EQ(error_of(R"({"account": {"dns": {"upstream": ["1.1.1.1", "x"]}}})"),
              "account.dns.upstream[1]: must be an IP address, or one with a port such as 203.0.113.53:53");
    EXPECT_EQ(error_of("[]"), "top level: must be an object");
    EXPECT_TRUE(error_of("").starts_with("line 1: not valid JSON")) << error_of("");
    EXPECT_TRUE(error_of("{} {}").starts_with("line 1: not valid JSON"));
    EXPECT_TRUE(error_of("{\n  \"sites\": [\n    }\n}\n").starts_with("line 3: not valid JSON"));
    EXPECT_TRUE(error_of(std::string(100'000, '[')).starts_with("line 1: not valid JSON"));
}

TEST(ConfigurationFile, ChecksResources) {
    const auto resource = [](const std::string& rest) {
        return error_of(R"({"resources": [{"name": "r", "sites": ["s"], )" + rest + "}]}");
    };
    EXPECT_EQ(resource(R"("type": "ip", "address": "10.0.0.1")"), "");
    EXPECT_EQ(resource(R"("type": "cidr", "address": "10.0.0.1")"),
              "resources[0].address: must be an address and a prefix length, such as 10.0.0.0/8");
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

TEST(ConfigurationFile, RefusesAKeyThatAppearsTwice) {
    EXPECT_EQ(error_of(R"({"sites": [], "actors": [], "sites": []})"),
              "sites: appears twice in the same object; keep one of the two");
    EXPECT_EQ(error_of(R"({"sites": [1, {"name": "a"}, {"name": "b", "n\u0061me": "c"}]})"),
              "sites[2].name: appears twice in the same object; keep one of the two");
    EXPECT_EQ(error_of(R"({"account": {"x": [[], [null, {"y": {}, "y": {}}]]}})"),
              "account.x[1][1].y: appears twice in the same object; keep one of the two");
    EXPECT_EQ(error_of(R"({"sites": [{"name": "a"}, {"name": "b"}]})"), "") << "other objects may have the same keys";
}

TEST(ConfigurationFile, RefusesConditionsRatherThanGrantWithoutThem) {
    const auto error =
        error_of(R"({"policies": [{"group": "g", "resource": "r", "conditions": [{"property": "remote_ip"}]}]})");

    EXPECT_TRUE(error.starts_with("policies[0].conditions: conditions are not supported yet")) << error;
    EXPECT_EQ(error_of(R"({"policies": [{"group": "g", "resource": "r", "conditions": []}]})"), "");
}

TEST(ResourceAddress, AcceptsAndNormalisesNetworks) {
    EXPECT_EQ(canonical_address(ResourceType::kCidr, "10.20.0.9/24"), "10.20.0.0/24");
    EXPECT_EQ(canonical_address(ResourceType::kCidr, "2001:DB8::1/32"), "2001:db8::/32");
    EXPECT_EQ(canonical_address(ResourceType::kIp, "2001:DB8:0::1"), "2001:db8::1");
    for (const auto* text : {"10.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "1.2.3.4/32"}) {
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
    EXPECT_FALSE(parse_upstream_dns("100.64.0.1"));
    EXPECT_FALSE(parse_upstream_dns("dns.example"));
    EXPECT_TRUE(parse_search_domain("corp.example"));
    for (const auto* text : {"corp", ".corp.example", "corp..example", "corp.e", "corp.e1", "a_b.example", ""}) {
        EXPECT_FALSE(parse_search_domain(text)) << text;
    }
}

class Applying : public testing::Test {
protected:
    ApplySummary apply(std::string_view json) {
        const auto configuration = Configuration::parse(json);
        EXPECT_TRUE(configuration) << configuration.error();
        return portal::apply(*configuration, storage_, rng_);
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

TEST_F(Applying, TwiceChangesNothing) {
    apply(kAcme);
    const auto summary = apply(kAcme);

    EXPECT_TRUE(summary.lines.empty());
    EXPECT_EQ(summary.unchanged, 9U);
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

TEST_F(Applying, NamesThePlaceOfAnUnknownReference) {
    EXPECT_THROW(apply(R"({"groups": [{"name": "g", "members": ["nobody"]}]})"), ConfigurationError);
    EXPECT_THROW(apply(R"({"resources": [{"name": "r", "type": "internet", "sites": ["nowhere"]}]})"),
                 ConfigurationError);
    EXPECT_TRUE(storage_.load_directory().groups.empty());
}

}  // namespace
}  // namespace culvert::portal
