#include "apps/client/options.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "apps/common/options_fixture.h"

namespace culvert::client {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ClientOptions : public command_line::OptionsTest {
protected:
    ClientOptions() { set("FIREZONE_TOKEN", "secret"); }

    static Options parsed(std::initializer_list<const char*> given) {
        const auto all = arguments(given);
        auto options = parse_options(static_cast<int>(all.size()), all.data());
        return std::move(options).value();
    }
    static std::optional<Duration> partition_time(const char* text) {
        set("FIREZONE_TOKEN", "secret");
        return parsed({"-m", text}).device.portal.max_partition_time;
    }
};

TEST_F(ClientOptions, LogInToThePortalTheyAreGiven) {
    const auto options = parsed({});
    const auto& portal = options.device.portal;
    EXPECT_EQ(portal.url.host(), "portal.example");
    EXPECT_EQ(portal.url.port(), 443);
    EXPECT_TRUE(portal.url.is_tls());
    EXPECT_THAT(portal.url.target(portal_api::Dialect::kV1, std::nullopt),
                StartsWith("/client/websocket?token=secret&external_id=device-1&name=box"));
    EXPECT_THAT(portal.user_agent, HasSubstr(" headless-client/1.5.12"));
    EXPECT_EQ(portal.socket_mark, io::kSocketMark);
    EXPECT_EQ(portal.max_partition_time, std::nullopt);
    EXPECT_EQ(options.metrics, std::nullopt);
    EXPECT_FALSE(options.activate_internet_resource);
    EXPECT_FALSE(options.check_only);
    EXPECT_FALSE(options.exit_when_ready);
}

TEST_F(ClientOptions, TakeTheTokenOutOfTheEnvironment) {
    parsed({});
    EXPECT_EQ(std::getenv("FIREZONE_TOKEN"), nullptr);
}

TEST_F(ClientOptions, PreferTheCommandLineToTheEnvironment) {
    set("FIREZONE_API_URL", "ws://environment:1");
    set("METRICS_ADDR", "127.0.0.1:1");
    const auto options = parsed({"--api-url", "ws://flag:2", "--metrics-addr", "127.0.0.1:2", "--exit", "--check"});
    EXPECT_EQ(options.device.portal.url.host(), "flag");
    EXPECT_EQ(options.device.portal.url.port(), 2);
    EXPECT_EQ(options.metrics->port, 2);
    EXPECT_TRUE(options.check_only);
    EXPECT_TRUE(options.exit_when_ready);
}

TEST_F(ClientOptions, ReadTheEnvironment) {
    set("FIREZONE_API_URL", "ws://environment:1/base/");
    set("FIREZONE_ID", "5D0E7C1A-94B2-4F63-8A1D-C0B37E52F918");
    set("MAX_PARTITION_TIME", "30d");
    const auto options = parsed({"standalone"});
    EXPECT_THAT(options.device.portal.url.target(portal_api::Dialect::kV1, std::nullopt),
                StartsWith("/base/client/websocket?token=secret&external_id="
                           "ebc28ca3a2d860b16d23d8566079b8e7a4d523466ce1be30ca3829b97f261d9c&"));
    EXPECT_EQ(options.device.portal.max_partition_time, std::chrono::days{30});
}

TEST_F(ClientOptions, AcceptWhatUnitFilesSayToFirezones) {
    EXPECT_FALSE(parsed({"--no-telemetry", "--inc-buf", "standalone"}).check_only);
}

TEST_F(ClientOptions, UseTheInternetResourceIfToldTo) {
    EXPECT_TRUE(parsed({"--activate-internet-resource"}).activate_internet_resource);
    set("FIREZONE_TOKEN", "secret");
    set("FIREZONE_ACTIVATE_INTERNET_RESOURCE", "true");
    EXPECT_TRUE(parsed({}).activate_internet_resource);
    set("FIREZONE_TOKEN", "secret");
    set("FIREZONE_ACTIVATE_INTERNET_RESOURCE", "false");
    EXPECT_FALSE(parsed({}).activate_internet_resource);
    ::unsetenv("FIREZONE_ACTIVATE_INTERNET_RESOURCE");
}

TEST_F(ClientOptions, SayHowTheMachinesDnsIsControlled) {
    EXPECT_EQ(parsed({}).dns_control, os_dns::DnsMethod::kSystemdResolved);
    set("FIREZONE_TOKEN", "secret");
    set("FIREZONE_DNS_CONTROL", "etc-resolv-conf");
    EXPECT_EQ(parsed({}).dns_control, os_dns::DnsMethod::kEtcResolvConf);
    set("FIREZONE_TOKEN", "secret");
    EXPECT_EQ(parsed({"--dns-control", "disabled"}).dns_control, os_dns::DnsMethod::kDisabled);
    ::unsetenv("FIREZONE_DNS_CONTROL");
    EXPECT_EQ(exit_code(parse_options, {"--dns-control", "nrpt"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"--dns-control", ""}), 2);
}

TEST_F(ClientOptions, UnderstandDurations) {
    EXPECT_EQ(partition_time("90s"), std::chrono::seconds{90});
    EXPECT_EQ(partition_time("5m"), std::chrono::minutes{5});
    EXPECT_EQ(partition_time("1h 30m"), std::chrono::minutes{90});
    EXPECT_EQ(partition_time("2d"), std::chrono::days{2});
}

TEST_F(ClientOptions, AnswerHelpAndVersion) {
    EXPECT_EQ(exit_code(parse_options, {"--help"}), 0);
    EXPECT_EQ(exit_code(parse_options, {"--version"}), 0);
}

TEST_F(ClientOptions, EndWithAUsageErrorOnMistakes) {
    EXPECT_EQ(exit_code(parse_options, {"--token", "secret"}), 2) << "others could read it";
    EXPECT_EQ(exit_code(parse_options, {"--nonsense"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"sign-in"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"--api-url"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"--api-url", "ftp://host"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"--log-format", "xml"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"--metrics-addr", "9090"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"-m", "soon"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"-m", "5 parsecs"}), 2);
}

TEST_F(ClientOptions, EndWithAUsageErrorWithoutAPortal) {
    ::unsetenv("FIREZONE_API_URL");
    EXPECT_EQ(exit_code(parse_options, {}), 2);
    set("FIREZONE_API_URL", "");
    EXPECT_EQ(exit_code(parse_options, {}), 2);
}

TEST_F(ClientOptions, EndWithoutAToken) {
    ::unsetenv("FIREZONE_TOKEN");
    EXPECT_EQ(exit_code(parse_options, {"--token-path", "/no/such/file"}), 1);
    set("FIREZONE_TOKEN", "");
    EXPECT_EQ(exit_code(parse_options, {"--token-path", "/no/such/file"}), 1);
}

TEST_F(ClientOptions, ReadATokenFileThatOnlyRootCanRead) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root to own the file";
    }
    std::string path = "/tmp/culvert-test-XXXXXX";
    ::close(::mkstemp(path.data()));
    std::ofstream{path} << "  from-file \n";
    ::unsetenv("FIREZONE_TOKEN");

    ::chmod(path.c_str(), 0640);
    EXPECT_EQ(exit_code(parse_options, {"--token-path", path.c_str()}), 1);
    ::chmod(path.c_str(), 0600);
    EXPECT_THAT(parsed({"--token-path", path.c_str()}).device.portal.url.target(portal_api::Dialect::kV1, std::nullopt),
                HasSubstr("?token=from-file&"));
    std::ofstream{path} << " \n";
    EXPECT_EQ(exit_code(parse_options, {"--token-path", path.c_str()}), 1) << "empty";
    std::ofstream{path} << "from-file";
    ::chmod(path.c_str(), 0400);
    set("FIREZONE_TOKEN_PATH", path);
    EXPECT_THAT(parsed({}).device.portal.url.target(portal_api::Dialect::kV1, std::nullopt),
                HasSubstr("?token=from-file&"));

    std::remove(path.c_str());
    ::unsetenv("FIREZONE_TOKEN_PATH");
}

}  // namespace
}  // namespace culvert::client
