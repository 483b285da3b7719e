#include "apps/common/command_line.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "culvert/portal_api/url.h"

namespace culvert::command_line {
namespace {

std::optional<Complaint> check_api_url(const std::string& url, portal_api::Role role) {
    if (url.empty()) {
        return "no portal. Pass --api-url or set FIREZONE_API_URL, for example wss://portal.example.com.";
    }
    if (const auto parsed = portal_api::LoginUrl::build(url, {.role = role}); !parsed) {
        return parsed.error() + " Set --api-url or FIREZONE_API_URL.";
    }
    return std::nullopt;
}

}  // namespace

void accept_without_effect(CLI::App& app, std::initializer_list<const char*> switches) {
    for (const auto* name : switches) {
        app.add_flag(name)->group("");
    }
}

std::expected<void, EarlyExit> parse(CLI::App& app, int argc, const char* const* argv) {
    try {
        app.parse(argc, argv);
        return {};
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
            return std::unexpected{EarlyExit{app.exit(e)}};
        }
        return std::unexpected{complain(std::string{e.what()} + ". Try " + app.get_name() + " --help.")};
    }
}

EarlyExit complain(const Complaint& complaint) {
    std::cerr << "error: " << complaint << '\n';
    return {kUsageError};
}

std::string_view environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string_view{} : value;
}

std::expected<net::SocketAddress, Complaint> parse_endpoint(const std::string& text, std::string_view flag) {
    const auto address = net::SocketAddress::parse(text);
    if (!address) {
        return std::unexpected{"\"" + text + "\" is no address with port. Give " + std::string{flag} +
                               " something like 127.0.0.1:9090 or [::1]:9090."};
    }
    return *address;
}

std::optional<std::size_t> environment_size(const char* name) {
    const auto text = environment(name);
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    return error == std::errc{} && end == text.data() + text.size() && size > 0 ? std::optional{size} : std::nullopt;
}

std::expected<log::LogOptions, Complaint> log_options(const std::string& format) {
    log::LogOptions options;
    if (format != "human" && format != "json") {
        return std::unexpected{"unknown log format \"" + format + "\". Use human or json."};
    }
    options.format = format == "json" ? log::Format::kJson : log::Format::kHuman;
    if (const auto directives = environment("RUST_LOG"); !directives.empty()) {
        auto filter = log::LevelFilter::parse(directives);
        if (!filter) {
            return std::unexpected{"RUST_LOG: " + filter.error()};
        }
        options.filter = std::move(*filter);
    }
    return options;
}

std::expected<CheckedFlags, Complaint> check(const CommonFlags& flags, portal_api::Role role) {
    if (const auto complaint = check_api_url(flags.api_url, role)) {
        return std::unexpected{*complaint};
    }
    auto log = log_options(flags.log_format);
    if (!log) {
        return std::unexpected{log.error()};
    }
    CheckedFlags checked{.log = std::move(*log), .metrics = {}};
    if (!flags.metrics.empty()) {
        const auto metrics = parse_endpoint(flags.metrics, "--metrics-addr");
        if (!metrics) {
            return std::unexpected{metrics.error()};
        }
        checked.metrics = *metrics;
    }
    return checked;
}

}  // namespace culvert::command_line
