#include <gtest/gtest.h>

#include "culvert/portal_api/external_id.h"
#include "culvert/portal_api/url.h"
#include "culvert/portal_api/user_agent.h"

namespace culvert::portal_api {
namespace {

crypto::PublicKey counting_key() {
    crypto::PublicKey key;
    for (std::size_t i = 0; i < key.bytes.size(); ++i) {
        key.bytes[i] = static_cast<std::byte>(i);
    }
    return key;
}

LoginParameters client_parameters() {
    return {.role = Role::kClient,
            .token = "0f0f.SFMyNTY.g2gD+/=",
            .external_id = to_external_id("5D0E7C1A-94B2-4F63-8A1D-C0B37E52F918"),
            .name = "lap 7",
            .device = {.serial = "PF2XYZ", .uuid = "4C4C4544-0051-3010-8035-B7C04F4A4A32"}};
}

TEST(LoginUrl, PutsTheParametersInOrder) {
    const auto url = LoginUrl::build("wss://api.example.com/", client_parameters());
    ASSERT_TRUE(url) << url.error();
    const std::string rest =
        "external_id=ebc28ca3a2d860b16d23d8566079b8e7a4d523466ce1be30ca3829b97f261d9c&name=lap+7"
        "&device_serial=PF2XYZ&device_uuid=4C4C4544-0051-3010-8035-B7C04F4A4A32"
        "&public_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3D";
    EXPECT_EQ(url->target(Dialect::kV1, counting_key()), "/client/websocket?token=0f0f.SFMyNTY.g2gD%2B%2F%3D&" + rest);
    EXPECT_EQ(url->target(Dialect::kV2, counting_key()), "/client/v2/websocket?" + rest);
    EXPECT_EQ(url->host(), "api.example.com");
    EXPECT_EQ(url->port(), 443);
    EXPECT_TRUE(url->is_tls());
}

TEST(LoginUrl, OfRelaysHasAddressesAndNoIdentity) {
    const auto url = LoginUrl::build("ws://portal:8081", {.role = Role::kRelay,
                                                          .token = "t",
                                                          .external_id = "not sent",
                                                          .public_ipv4 = net::IpAddress::parse("203.0.113.20"),
                                                          .public_ipv6 = net::IpAddress::parse("2001:db8:20::1"),
                                                          .port = 3478});
    ASSERT_TRUE(url) << url.error();
    for (const auto dialect : {Dialect::kV1, Dialect::kV2}) {
        EXPECT_EQ(url->target(dialect, std::nullopt),
                  "/relay/websocket?token=t&ipv4=203.0.113.20&ipv6=2001%3Adb8%3A20%3A%3A1&port=3478");
    }
    EXPECT_EQ(url->port(), 8081);
    EXPECT_FALSE(url->is_tls());
}

TEST(LoginUrl, OfGatewaysHasNoHardwareIds) {
    auto parameters = client_parameters();
    parameters.role = Role::kGateway;
    parameters.external_id = "id";
    const auto url = LoginUrl::build("https://h", parameters);
    EXPECT_EQ(url->target(Dialect::kV1, std::nullopt),
              "/gateway/websocket?token=0f0f.SFMyNTY.g2gD%2B%2F%3D&external_id=id&name=lap+7");
    EXPECT_EQ(url->target(Dialect::kV2, std::nullopt), "/gateway/v2/websocket?external_id=id&name=lap+7");
}

TEST(LoginUrl, KeepsTheBasePathAndDropsTheQuery) {
    for (const auto* base : {"wss://h/fz/", "wss://h/fz", "wss://h/fz/?a=b"}) {
        const auto url = LoginUrl::build(base, client_parameters());
        ASSERT_TRUE(url) << base;
        EXPECT_TRUE(url->target(Dialect::kV1, std::nullopt).starts_with("/fz/client/websocket?token=")) << base;
        EXPECT_TRUE(url->target(Dialect::kV2, std::nullopt).starts_with("/fz/client/v2/websocket?external_id="))
            << base;
    }
}

TEST(LoginUrl, MapsSchemesAndPorts) {
    const auto check = [](std::string_view base, bool is_tls, std::uint16_t port) {
        const auto url = LoginUrl::build(base, client_parameters());
        ASSERT_TRUE(url) << base;
        EXPECT_EQ(url->is_tls(), is_tls) << base;
        EXPECT_EQ(url->port(), port) << base;
    };
    check("http://h", false, 443);
    check("ws://h", false, 443);
    check("ws://h:8081", false, 8081);
    check("https://h", true, 443);
    check("WSS://h:8443/", true, 8443);
}

TEST(LoginUrl, RefusesWhatCannotBeDialled) {
    for (const auto* base : {"", "api.example.com", "ftp://h", "wss://", "wss:///path", "wss://h:0", "wss://h:65536",
                             "wss://h:port", "wss://a b", "http://[::1"}) {
        EXPECT_FALSE(LoginUrl::build(base, client_parameters())) << base;
    }
}

TEST(LoginUrl, PutsBracketsAroundIpv6OnlyInTheHeader) {
    const auto url = LoginUrl::build("ws://[2001:db8::1]:8081", client_parameters());
    ASSERT_TRUE(url);
    EXPECT_EQ(url->host(), "2001:db8::1");
    EXPECT_EQ(url->host_header(), "[2001:db8::1]");
}

TEST(LoginUrl, TreatsThePlaceholderSerialAsAbsent) {
    auto parameters = client_parameters();
    parameters.device = {.serial = "123456789"};
    const auto url = LoginUrl::build("wss://h", parameters);
    EXPECT_EQ(url->target(Dialect::kV2, std::nullopt).find("device_serial"), std::string::npos);
}

TEST(ExternalId, HashesWhatReadsAsAUuid) {
    EXPECT_EQ(to_external_id("5D0E7C1A-94B2-4F63-8A1D-C0B37E52F918"),
              "ebc28ca3a2d860b16d23d8566079b8e7a4d523466ce1be30ca3829b97f261d9c");
    for (const auto* id : {"5d0e7c1a94b24f638a1dc0b37e52f918", "{5d0e7c1a-94b2-4f63-8a1d-c0b37e52f918}",
                           "urn:uuid:5d0e7c1a-94b2-4f63-8a1d-c0b37e52f918"}) {
        EXPECT_EQ(to_external_id(id).size(), 64U) << id;
        EXPECT_NE(to_external_id(id), id);
    }
    for (const auto* id : {"my-gateway", "", "5d0e7c1a94b24f638a1dc0b37e52f91", "{}",
                           "ebc28ca3a2d860b16d23d8566079b8e7a4d523466ce1be30ca3829b97f261d9c"}) {
        EXPECT_EQ(to_external_id(id), id);
    }
}

TEST(ExternalId, DerivesFromTheMachineIdWithItsNewline) {
    // printf '00112233445566778899aabbccddeeff\n' | openssl dgst -sha256 -hmac APP_ID
    const std::string_view machine_id = "00112233445566778899aabbccddeeff\n";
    EXPECT_EQ(derive_device_id(kClientAppId, machine_id),
              "9b2f24224cfb061a16513ad0d6a957360ba7ee4585ab206d66ab1b9d24ce58de");
    EXPECT_EQ(derive_device_id(kGatewayAppId, machine_id),
              "2a4e52ac8c51b20c45f28769921314c1eb155546092040548b2dc72cc78fb1ee");
}

TEST(ExternalId, GeneratesIdsThatAreSentAsTheyAre) {
    auto rng = Rng::from_number(1);
    const auto id = generate_device_id(rng);
    EXPECT_EQ(id.size(), 64U);
    EXPECT_EQ(to_external_id(id), id);
    EXPECT_NE(generate_device_id(rng), id);
}

TEST(UserAgent, NamesSystemAndComponent) {
    const UserAgent agent{.os = "Ubuntu",
                          .os_version = "24.4.0",
                          .component = "headless-client",
                          .version = "1.5.5",
                          .arch = "x86_64",
                          .kernel = "6.8.0-49-generic"};
    EXPECT_EQ(agent.to_string(), "Ubuntu/24.4.0 headless-client/1.5.5 (x86_64; 6.8.0-49-generic)");
}

TEST(UserAgent, LeavesOutWhatIsUnknown) {
    UserAgent agent{.os = "Mac OS", .component = "gateway", .version = "1.4.18"};
    EXPECT_EQ(agent.to_string(), "Mac OS/Unknown gateway/1.4.18");
    agent.kernel = "6.1";
    EXPECT_EQ(agent.to_string(), "Mac OS/Unknown gateway/1.4.18 (6.1)");
    agent.kernel.clear();
    agent.arch = "arm64";
    EXPECT_EQ(agent.to_string(), "Mac OS/Unknown gateway/1.4.18 (arm64)");
}

TEST(UserAgent, KeepsSlashesOutOfTheNameOfTheSystem) {
    UserAgent agent{.os = "Debian GNU/Linux", .os_version = "12", .component = "gateway", .version = "1.4.18"};
    EXPECT_EQ(agent.to_string(), "Debian/12 gateway/1.4.18");
    agent.os = "A/B";
    EXPECT_EQ(agent.to_string(), "A B/12 gateway/1.4.18");
}

TEST(UserAgent, CarriesNothingThatBreaksAHeader) {
    const UserAgent agent{.os = "Ül\r\nX: 1", .os_version = "1", .component = "relay", .version = "0.1.0"};
    EXPECT_EQ(agent.to_string(), "lX: 1/1 relay/0.1.0");
}

TEST(LoginUrl, HasTheTokenForAHeaderWithoutWhiteSpace) {
    const auto url = LoginUrl::build("wss://h", {.role = Role::kClient, .token = " .a.b\r\nc+/=\t"}).value();
    EXPECT_EQ(url.authorization(), "Bearer .a.bc+/=");
    EXPECT_TRUE(url.target(Dialect::kV1, std::nullopt).starts_with("/client/websocket?token=.a.bc%2B%2F%3D&"));
}

TEST(LoginUrl, RefusesATokenThatCannotStandInAHeader) {
    for (const auto* token : {"a\x01"
                              "b",
                              "\x7f", "t\xc3\xb6ken"}) {
        const auto url = LoginUrl::build("wss://h", {.role = Role::kClient, .token = token});
        ASSERT_FALSE(url);
        EXPECT_EQ(url.error().find(token), std::string::npos);
    }
}

TEST(LoginUrl, TakesTheTokenOutOfTexts) {
    const auto url = LoginUrl::build("wss://h", {.role = Role::kRelay, .token = "a=b"}).value();
    EXPECT_EQ(url.without_token("GET /?token=a%3Db&x=1: a=b, a%3Db."), "GET /?token=[token]&x=1: [token], [token].");
    EXPECT_EQ(url.without_token("token=half"), "token=[token]");
    EXPECT_EQ(url.without_token("nothing here"), "nothing here");
    const auto without = LoginUrl::build("wss://h", {.role = Role::kRelay}).value();
    EXPECT_EQ(without.without_token("nothing here"), "nothing here");
}

TEST(LoginUrl, RefusesPasswordsInTheUrlWithoutShowingThem) {
    const auto url = LoginUrl::build("wss://user:hunter2@h", {.role = Role::kRelay});
    ASSERT_FALSE(url);
    EXPECT_EQ(url.error().find("hunter2"), std::string::npos);
}

TEST(DeviceId, KnowsWhatIdentifiesNobody) {
    for (const auto* text : {"", " \n", "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
                             "03000200-0400-0500-0006-000700080009", "{03000200-0400-0500-0006-000700080009}\n"}) {
        EXPECT_TRUE(is_placeholder_id(text)) << text;
    }
    for (const auto* text :
         {"device-1", "1", "5d0e7c1a94b24f638a1dc0b37e52f918", "4C4C4544-0051-3010-8035-B7C04F4A4A32"}) {
        EXPECT_FALSE(is_placeholder_id(text)) << text;
    }
}

}  // namespace
}  // namespace culvert::portal_api
