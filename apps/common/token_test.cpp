#include "apps/common/token.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "apps/common/options_fixture.h"

namespace culvert::command_line {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uid_t kNobody = 65534;

/// What this process was started with, before the fixture takes it away.
char* const original_token = [] {
    char* const value = std::getenv("FIREZONE_TOKEN");
    return value == nullptr ? nullptr : value - std::string_view{"FIREZONE_TOKEN="}.size();
}();

class TokenTest : public OptionsTest {
protected:
    TokenTest() { fs::create_directory(folder_); }
    ~TokenTest() override { fs::remove_all(folder_); }

    fs::path write(const std::string& name, const std::string& text, mode_t mode = 0600) {
        const auto path = folder_ / name;
        std::ofstream{path, std::ios::binary} << text;
        ::chmod(path.c_str(), mode);
        return path;
    }

    /// The complaint about a token file with this content; it names the file and does not show what is in it.
    std::string complaint(const std::string& text) {
        const auto path = write("token", text);
        const auto token = read_token_file(path);
        EXPECT_FALSE(token) << *token;
        EXPECT_THAT(token.error(), AllOf(HasSubstr(path.string()), Not(HasSubstr("secret"))));
        return token.error();
    }

    fs::path folder_ = fs::temp_directory_path() / ("culvert-token-" + std::to_string(::getpid()));
};

TEST_F(TokenTest, IsReadFromAFileWithoutTheWhiteSpaceAroundIt) {
    EXPECT_EQ(read_token_file(write("token", "secret")), "secret");
    EXPECT_EQ(read_token_file(write("token", "  secret\r\n\n")), "secret");
    EXPECT_EQ(read_token_file(write("token", "secret\n", 0400)), "secret");
}

TEST_F(TokenTest, IsNotTakenFromAFileThatOthersCanOpen) {
    for (const mode_t mode : {0644U, 0640U, 0604U, 0620U, 0602U, 0601U, 0666U, 0777U}) {
        const auto path = write("token", "secret", mode);
        const auto token = read_token_file(path);
        ASSERT_FALSE(token) << std::oct << mode;
        EXPECT_THAT(token.error(), AllOf(HasSubstr("chmod 600 " + path.string()), Not(HasSubstr("secret"))));
    }
}

TEST_F(TokenTest, IsNotTakenFromAFileOfAnotherUser) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root to give a file away";
    }
    const auto path = write("token", "secret");
    ASSERT_EQ(::chown(path.c_str(), kNobody, 0), 0);
    const auto token = read_token_file(path);
    ASSERT_FALSE(token);
    EXPECT_THAT(token.error(), AllOf(HasSubstr("another user"), HasSubstr("chown 0 " + path.string())));
}

TEST_F(TokenTest, IsNotTakenFromWhatIsNoFile) {
    EXPECT_FALSE(read_token_file(folder_ / "missing"));
    EXPECT_FALSE(read_token_file(folder_));
    const auto pipe = folder_ / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_FALSE(read_token_file(pipe)) << "and does not wait for a writer either";
    EXPECT_THAT(read_token_file(folder_ / "missing").error(), HasSubstr("No such file"));
}

TEST_F(TokenTest, ThatNoPortalCanHaveMadeIsRefusedWithTheReason) {
    EXPECT_THAT(complaint(""), HasSubstr("is empty"));
    EXPECT_THAT(complaint(" \r\n"), HasSubstr("is empty"));
    EXPECT_THAT(complaint("\xef\xbb\xbfsecret"), HasSubstr("byte order mark"));
    EXPECT_THAT(complaint(std::string{"\xff\xfes\0e\0c\0", 8}), HasSubstr("UTF-16"));
    EXPECT_THAT(complaint(std::string{"s\0e\0c\0", 6}), HasSubstr("UTF-16"));
    EXPECT_THAT(complaint("\"secret\""), HasSubstr("quotes"));
    EXPECT_THAT(complaint("'secret'\n"), HasSubstr("quotes"));
    EXPECT_THAT(complaint("secret secret"), HasSubstr("white space"));
    EXPECT_THAT(complaint("secret\nsecret"), HasSubstr("line break"));
    EXPECT_THAT(complaint("FIREZONE_TOKEN=secret"), HasSubstr("assignment"));
    EXPECT_THAT(complaint("secret\x01"), HasSubstr("no token has"));
    EXPECT_THAT(complaint("secr\xc3\xa9t"), HasSubstr("no token has"));
    EXPECT_THAT(complaint(std::string(100'000, 's')), HasSubstr("too long"));
}

TEST_F(TokenTest, InTheEnvironmentIsJudgedAlike) {
    const auto token = find_token({.from_environment = "\"secret\""}, "relay");
    ASSERT_FALSE(token);
    EXPECT_THAT(token.error(), AllOf(HasSubstr("FIREZONE_TOKEN has quotes"), Not(HasSubstr("secret"))));
    EXPECT_EQ(find_token({.from_environment = "secret\n"}, "relay"), "secret");
}

TEST_F(TokenTest, ComesFromTheFirstPlaceThatHasOne) {
    const auto default_file = write("default", "of-default");
    EXPECT_EQ(find_token({}, "client", default_file), "of-default");
    write("FIREZONE_TOKEN", "of-credential", 0440);  // as systemd makes it for a service with a user of its own
    set("CREDENTIALS_DIRECTORY", folder_.string());
    EXPECT_EQ(find_token({}, "client", default_file), "of-credential");
    TokenFlags flags{.path = write("path", "of-path")};
    EXPECT_EQ(find_token(flags, "client", default_file), "of-path");
    flags.from_environment = "of-environment";
    EXPECT_EQ(find_token(flags, "client", default_file), "of-environment");
    flags.argument = "of-argument";
    EXPECT_EQ(find_token(flags, "client", default_file), "of-argument");
}

TEST_F(TokenTest, IsNotReplacedByAnotherIfItsPlaceIsBad) {
    const auto default_file = write("default", "of-default");
    EXPECT_FALSE(find_token({.path = folder_ / "missing"}, "client", default_file));
    write("FIREZONE_TOKEN", "of-credential", 0444);
    set("CREDENTIALS_DIRECTORY", folder_.string());
    EXPECT_FALSE(find_token({}, "client", default_file)) << "everybody can read this credential";
}

TEST_F(TokenTest, IsMissingWithAWordAboutWhereToGetIt) {
    const auto token = find_token({}, "gateway", folder_ / "missing");
    ASSERT_FALSE(token);
    EXPECT_THAT(token.error(), AllOf(HasSubstr("FIREZONE_TOKEN"), HasSubstr("--token-path"),
                                     HasSubstr("culvert-portal token create gateway")));
}

TEST_F(TokenTest, LeavesTheEnvironmentAndWhatTheKernelShowsOfIt) {
    // /proc/self/environ shows what the process was started with, so start one: this test again, in a child.
    constexpr const char* kMarker = "CULVERT_TOKEN_TEST_CHILD";
    if (std::getenv(kMarker) == nullptr) {
        const auto child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::setenv(kMarker, "1", 1);
            ::setenv("FIREZONE_TOKEN", "secret-of-the-environment", 1);
            ::execl("/proc/self/exe", "token_test", "--gtest_brief=1",
                    "--gtest_filter=TokenTest.LeavesTheEnvironmentAndWhatTheKernelShowsOfIt", nullptr);
            ::_exit(99);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
        return;
    }
    // The fixture removed the variable for this process; the memory still has it. Put the pointer back.
    const auto environ_text = [] {
        std::ifstream file{"/proc/self/environ", std::ios::binary};
        return std::string{std::istreambuf_iterator<char>{file}, {}};
    };
    ASSERT_THAT(environ_text(), HasSubstr("secret-of-the-environment"));
    ASSERT_NE(original_token, nullptr);
    ::putenv(original_token);

    EXPECT_EQ(take_token_from_environment(), "secret-of-the-environment");

    EXPECT_EQ(std::getenv("FIREZONE_TOKEN"), nullptr);
    EXPECT_THAT(environ_text(), Not(HasSubstr("secret")));
    EXPECT_EQ(take_token_from_environment(), std::nullopt);
}

TEST_F(TokenTest, IsOverwrittenAmongTheArguments) {
    std::string program = "culvert-relay";
    std::string flag = "--api-url";
    std::string token = "secret";
    std::array<char*, 3> arguments{program.data(), flag.data(), token.data()};
    hide_argument(3, arguments.data(), "secret");
    EXPECT_EQ(token, "xxxxxx");
    EXPECT_EQ(flag, "--api-url");
    hide_argument(3, arguments.data(), "");
    EXPECT_EQ(program, "culvert-relay");
}

}  // namespace
}  // namespace culvert::command_line
