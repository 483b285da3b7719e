#include "apps/portal/options.h"

#include <cstdlib>
#include <initializer_list>

#include <gtest/gtest.h>

namespace culvert::portal_server {
namespace {

using portal::TokenType;

std::expected<Options, command_line::EarlyExit> parse(std::initializer_list<const char*> arguments) {
    std::vector<const char*> argv{"culvert-portal"};
    argv.insert(argv.end(), arguments);
    return parse_options(static_cast<int>(argv.size()), argv.data());
}

template <typename Command>
Command command(std::initializer_list<const char*> arguments) {
    const auto options = parse(arguments);
    return std::get<Command>(options.value().command);
}

std::string complaint(std::initializer_list<const char*> arguments) {
    testing::internal::CaptureStderr();
    const auto options = parse(arguments);
    auto text = testing::internal::GetCapturedStderr();
    EXPECT_FALSE(options);
    EXPECT_EQ(options.error().code, 2);
    return text;
}

TEST(PortalOptions, TokensExpireUnlessToldOtherwise) {
    const auto lifetime = [](std::initializer_list<const char*> arguments) {
        return command<TokenCreateCommand>(arguments).expires_in;
    };
    EXPECT_EQ(lifetime({"token", "create", "client", "--actor", "a"}), std::chrono::days{180});
    EXPECT_EQ(lifetime({"token", "create", "gateway", "--site", "s"}), std::chrono::days{365});
    EXPECT_EQ(lifetime({"token", "create", "relay"}), std::chrono::days{365});
    EXPECT_EQ(lifetime({"token", "create", "api", "--actor", "a"}), std::chrono::days{90});
    EXPECT_EQ(lifetime({"token", "create", "relay", "--expires-in", "never"}), std::nullopt);
    EXPECT_EQ(lifetime({"token", "create", "relay", "--expires-in", "12h"}), std::chrono::hours{12});
    EXPECT_NE(complaint({"token", "create", "relay", "--expires-in", "soon"}).find("is no duration"),
              std::string::npos);
}

TEST(PortalOptions, OperatorsHaveAListenerOfTheirOwn) {
    EXPECT_EQ(command<ServeCommand>({"serve"}).ops_listen->to_string(), "127.0.0.1:8082");
    EXPECT_EQ(command<ServeCommand>({"serve", "--ops-listen", "[::1]:9"}).ops_listen->to_string(), "[::1]:9");
    EXPECT_FALSE(command<ServeCommand>({"serve", "--ops-listen", "off"}).ops_listen);
    EXPECT_NE(complaint({"serve", "--ops-listen", "here"}).find("--ops-listen"), std::string::npos);

    ::setenv("CULVERT_API_LISTEN", "127.0.0.1:6", 1);
    ::setenv("CULVERT_OPS_LISTEN", "127.0.0.1:7", 1);
    EXPECT_EQ(command<ServeCommand>({"serve"}).ops_listen->to_string(), "127.0.0.1:7");
    ::unsetenv("CULVERT_API_LISTEN");
    ::unsetenv("CULVERT_OPS_LISTEN");
}

TEST(PortalOptions, NeverRepeatsATokenNorActsOnATerminal) {
    const auto* const token = ".SFMyNTY.g2gDaANtAAAA.J1cvlc32ZgFnX";
    for (const auto& text :
         {complaint({token}), complaint({"token", "revoke", "x", token}), complaint({"--database", token, "serve"}),
          complaint({"serve", "--ops-listen", token}), complaint({"token", "create", "relay", "--expires-in", token}),
          complaint({"token", "list", "--token=.SFMyNTY.g2gDaANtAAAA.J1cvlc32ZgFnX"})}) {
        EXPECT_EQ(text.find("SFMyNTY"), std::string::npos) << text;
        EXPECT_EQ(text.find("J1cvlc32ZgFnX"), std::string::npos) << text;
        EXPECT_NE(text.find("[a token]"), std::string::npos) << text;
    }
    EXPECT_NE(complaint({"serve", "--ops-listen", "\x1b[2J"}).find("\\u001b[2J"), std::string::npos);
}

TEST(PortalOptions, ListsAndEndsTokensAndDevices) {
    EXPECT_FALSE(command<TokenListCommand>({"token", "list"}).is_json);
    EXPECT_TRUE(command<TokenListCommand>({"token", "list", "--json"}).is_json);
    EXPECT_FALSE(command<DeviceListCommand>({"device", "list"}).is_json);
    EXPECT_TRUE(command<DeviceListCommand>({"device", "list", "--json"}).is_json);
    EXPECT_EQ(command<TokenRevokeCommand>({"token", "revoke", "x"}).token, "x");
    EXPECT_EQ(command<DeviceRevokeCommand>({"device", "revoke", "x"}).id, "x");
    EXPECT_EQ(command<DeviceDeleteCommand>({"device", "delete", "x"}).id, "x");
    EXPECT_NE(complaint({"device"}).find("one of list, revoke, delete"), std::string::npos);
    EXPECT_NE(complaint({"device", "revoke"}).find("ID"), std::string::npos);
}

}  // namespace
}  // namespace culvert::portal_server
