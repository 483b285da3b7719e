#include "apps/gateway/options.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "apps/common/options_fixture.h"

namespace culvert::gateway {
namespace {

using ::testing::HasSubstr;

class GatewayOptions : public command_line::OptionsTest {
protected:
    static Options parsed(std::initializer_list<const char*> given) {
        auto all = arguments(given);
        all.push_back("--no-check");
        auto options = parse_options(static_cast<int>(all.size()), all.data());
        return std::move(options).value();
    }
    static std::string target(const Options& options) {
        return options.device.portal.url.target(portal_api::Dialect::kV1, std::nullopt);
    }
};

TEST_F(GatewayOptions, LogInToThePortalTheyAreGiven) {
    const auto options = parsed({"secret"});
    EXPECT_EQ(options.device.portal.url.host(), "portal.example");
    EXPECT_EQ(target(options), "/gateway/websocket?token=secret&external_id=device-1&name=box");
    EXPECT_THAT(options.device.portal.user_agent, HasSubstr(" gateway/1.4.18"));
    EXPECT_EQ(options.device.portal.socket_mark, io::kSocketMark);
    EXPECT_EQ(options.device.portal.max_partition_time, std::chrono::hours{24});
    EXPECT_EQ(options.health_check, net::SocketAddress::parse("0.0.0.0:8080"));
    EXPECT_EQ(options.metrics, std::nullopt);
    EXPECT_EQ(options.token_argument, "secret");
}

TEST_F(GatewayOptions, TakeTheTokenFromTheEnvironmentUnlessItIsGiven) {
    set("FIREZONE_TOKEN", "environment");
    EXPECT_THAT(target(parsed({})), HasSubstr("token=environment&"));
    EXPECT_EQ(std::getenv("FIREZONE_TOKEN"), nullptr);
    set("FIREZONE_TOKEN", "environment");
    EXPECT_THAT(target(parsed({"argument"})), HasSubstr("token=argument&"));
}

TEST_F(GatewayOptions, FallBackToTheSystemdCredential) {
    const auto folder = std::filesystem::temp_directory_path() / ("culvert-test-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    std::ofstream{folder / "FIREZONE_TOKEN"} << "\n credential \n";
    std::filesystem::permissions(folder / "FIREZONE_TOKEN", std::filesystem::perms::owner_read);
    set("CREDENTIALS_DIRECTORY", folder.string());
    EXPECT_THAT(target(parsed({})), HasSubstr("token=credential&"));
    set("FIREZONE_TOKEN", "environment");
    EXPECT_THAT(target(parsed({})), HasSubstr("token=environment&"));
    std::filesystem::remove_all(folder);
}

TEST_F(GatewayOptions, SayForHowLongToWaitForThePortal) {
    EXPECT_EQ(parsed({"secret", "-m", "90m"}).device.portal.max_partition_time, std::chrono::minutes{90});
    set("FIREZONE_MAX_PARTITION_TIME", "2d");
    EXPECT_EQ(parsed({"secret"}).device.portal.max_partition_time, std::chrono::days{2});
    EXPECT_EQ(exit_code(parse_options, {"--no-check", "secret", "-m", "soon"}), command_line::kUsageError);
}

TEST_F(GatewayOptions, HashAnIdThatReadsAsAUuid) {
    set("FIREZONE_ID", "5d0e7c1a94b24f638a1dc0b37e52f918");  // what Debian's package sets
    EXPECT_THAT(target(parsed({"secret"})), ::testing::ContainsRegex("external_id=[0-9a-f]{64}&"));
}

TEST_F(GatewayOptions, ReadFlagsAndVariables) {
    set("HEALTH_CHECK_ADDR", "[::1]:1");
    set("FIREZONE_LOG_FORMAT", "json");
    const auto options =
        parsed({"secret", "-u", "ws://portal:8081", "-n", "other", "--metrics-addr", "127.0.0.1:9090"});
    EXPECT_EQ(options.health_check, net::SocketAddress::parse("[::1]:1"));
    EXPECT_EQ(options.log.format, log::Format::kJson);
    EXPECT_EQ(options.metrics->port, 9090);
    EXPECT_THAT(target(options), ::testing::EndsWith("&name=other"));
    EXPECT_FALSE(options.device.portal.url.is_tls());
}

TEST_F(GatewayOptions, AcceptWhatUnitFilesSayToFirezones) {
    EXPECT_THAT(target(parsed({"--no-telemetry", "--no-inc-buf", "secret"})), HasSubstr("token=secret&"));
}

TEST_F(GatewayOptions, AnswerHelpAndVersion) {
    EXPECT_EQ(exit_code(parse_options, {"--help"}), 0);
    EXPECT_EQ(exit_code(parse_options, {"--version"}), 0);
}

TEST_F(GatewayOptions, EndWithAUsageErrorOnMistakes) {
    EXPECT_EQ(exit_code(parse_options, {"secret", "--nonsense"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"secret", "another"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"secret", "--api-url", "host"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"secret", "--log-format", "google-cloud"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"secret", "--health-check-addr", "8080"}), 2);
    EXPECT_EQ(exit_code(parse_options, {"secret", "--metrics-addr", "localhost"}), 2);
}

TEST_F(GatewayOptions, EndWithAUsageErrorWithoutAPortal) {
    ::unsetenv("FIREZONE_API_URL");
    EXPECT_EQ(exit_code(parse_options, {"--no-check", "secret"}), 2);
}

TEST_F(GatewayOptions, EndWithoutAToken) {
    EXPECT_EQ(exit_code(parse_options, {"--no-check"}), 1);
}

}  // namespace
}  // namespace culvert::gateway
