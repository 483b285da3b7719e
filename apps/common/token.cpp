#include "apps/common/token.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "culvert/io/file_descriptor.h"
#include "culvert/observability/log.h"

namespace culvert::command_line {
namespace {

constexpr const char* kVariable = "FIREZONE_TOKEN";
/// Real ones have a few hundred characters.
constexpr std::size_t kMaxSize = 8192;

std::string quoted(const std::filesystem::path& path) {
    return "\"" + path.string() + "\"";
}

std::string create_command(std::string_view role) {
    return "\"culvert-portal token create " + std::string{role} + "\" makes one.";
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view kWhiteSpace = " \t\r\n";
    const auto first = text.find_first_not_of(kWhiteSpace);
    return first == std::string_view::npos ? std::string_view{}
                                           : text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

/// What is wrong with the text of a token, and what to do; empty: nothing.
std::string find_fault(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) {
        return "starts with a byte order mark. Save it as plain text without one";
    }
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || text.find('\0') != std::string_view::npos) {
        return "is UTF-16 or no text at all. Save it as plain ASCII text";
    }
    const auto token = trim(text);
    if (token.empty()) {
        return "is empty";
    }
    if (token.starts_with(kVariable)) {
        return "holds an assignment. Leave only the token, without \"FIREZONE_TOKEN=\"";
    }
    if (token.starts_with('"') || token.starts_with('\'') || token.ends_with('"') || token.ends_with('\'')) {
        return "has quotes around the token. Remove them";
    }
    if (token.find_first_of(" \t\r\n") != std::string_view::npos) {
        return "has white space or a line break within the token. It is one word on one line";
    }
    if (!std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; })) {
        return "holds characters that no token has. Copy the token again";
    }
    return {};
}

std::expected<std::string, Complaint> check_token(std::string_view text, const std::string& where) {
    if (const auto fault = find_fault(text); !fault.empty()) {
        return std::unexpected{where + " " + fault + "."};
    }
    return std::string{trim(text)};
}

/// Whether somebody else may have read, or written, what the file holds.
std::optional<Complaint> find_exposure(const struct stat& status, const std::filesystem::path& path, Readers readers) {
    if (!S_ISREG(status.st_mode)) {
        return "the token file " + quoted(path) + " is no regular file.";
    }
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return "the token file " + quoted(path) + " belongs to another user, who can read and change it. Run: chown " +
               std::to_string(::geteuid()) + " " + path.string() + ", and create a new token if it may have been seen.";
    }
    const auto forbidden = readers == Readers::kGroup ? 07U | 020U : 077U;
    if ((status.st_mode & forbidden) != 0) {
        return "the token file " + quoted(path) + " is accessible to other users. Run: chmod 600 " + path.string() +
               ", and create a new token if it may have been seen.";
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> take_token_from_environment() {
    char* const value = std::getenv(kVariable);
    if (value == nullptr) {
        return std::nullopt;
    }
    std::string token{value};
    // unsetenv() only forgets where it is; /proc/PID/environ shows the memory itself.
    ::explicit_bzero(value, token.size());
    ::unsetenv(kVariable);
    return token.empty() ? std::nullopt : std::optional{std::move(token)};
}

void describe_token_path(CLI::App& app, TokenFlags& flags) {
    app.add_option("--token-path", flags.path,
                   "File with the token, which only its owner can read, if FIREZONE_TOKEN is not set "
                   "[FIREZONE_TOKEN_PATH]")
        ->envname("FIREZONE_TOKEN_PATH")
        ->option_text("FILE");
}

std::expected<std::string, Complaint> find_token(const TokenFlags& flags, std::string_view role,
                                                 const std::filesystem::path& default_file) {
    if (!flags.argument.empty()) {
        return check_token(flags.argument, "the token argument");
    }
    if (flags.from_environment) {
        return check_token(*flags.from_environment, kVariable);
    }
    if (!flags.path.empty()) {
        return read_token_file(flags.path);
    }
    if (const auto directory = environment("CREDENTIALS_DIRECTORY"); !directory.empty()) {
        const auto credential = std::filesystem::path{directory} / kVariable;
        if (::access(credential.c_str(), F_OK) == 0) {
            // systemd lets the service's user in by an access list, which looks like a group's permission.
            return read_token_file(credential, Readers::kGroup);
        }
    }
    if (!default_file.empty() && ::access(default_file.c_str(), F_OK) == 0) {
        return read_token_file(default_file);
    }
    return std::unexpected{"no token: set FIREZONE_TOKEN, or put it into a file and pass --token-path" +
                           (default_file.empty() ? std::string{} : " (default " + quoted(default_file) + ")") + ". " +
                           create_command(role)};
}

std::expected<std::string, Complaint> read_token_file(const std::filesystem::path& path, Readers readers) {
    const auto unreadable = [&](int error) {
        return std::unexpected{"cannot read the token file " + quoted(path) + ": " + std::strerror(error) +
                               ". Check --token-path, and that this user may read it."};
    };
    // Not blocking: somebody may have put a pipe there.
    const io::FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!file) {
        return unreadable(errno);
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) {
        return unreadable(errno);
    }
    if (auto exposure = find_exposure(status, path, readers)) {
        return std::unexpected{*std::move(exposure)};
    }
    std::string text(kMaxSize + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const auto count = ::read(file.get(), text.data() + size, text.size() - size);
        if (count < 0) {
            return unreadable(errno);
        }
        if (count == 0) {
            break;
        }
        size += static_cast<std::size_t>(count);
    }
    if (size > kMaxSize) {
        return std::unexpected{"the token file " + quoted(path) + " is far too long for a token."};
    }
    text.resize(size);
    return check_token(text, "the token file " + quoted(path));
}

void hide_argument(int argc, char** argv, std::string_view argument) {
    for (int i = 1; i < argc; ++i) {
        if (!argument.empty() && std::string_view{argv[i]} == argument) {
            std::memset(argv[i], 'x', argument.size());
        }
    }
}

void warn_about_argument(std::string_view argument) {
    if (!argument.empty()) {
        log::Logger{"command_line"}.warn(
            "The token was given on the command line, where every user of this machine can read it. Use "
            "FIREZONE_TOKEN or --token-path, and create a new token if others may have seen this one");
    }
}

}  // namespace culvert::command_line
