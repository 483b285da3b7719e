#include "common/device_options.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <utility>

#include "culvert/io/entropy.h"
#include "culvert/io/host_info.h"
#include "culvert/portal_api/external_id.h"
#include "culvert/portal_api/user_agent.h"
#include "culvert/session/device_id.h"

namespace culvert::command_line {
namespace {

/// Cheap firmware gives this to every machine.
constexpr std::string_view kPlaceholderSerial = "123456789";

std::string user_agent(const io::HostInfo& host, const DeviceKind& kind) {
    return portal_api::UserAgent{.os = host.os_name.empty() ? "Linux" : host.os_name,
                                 .os_version = host.os_version,
                                 .component = std::string{kind.component},
                                 .version = std::string{kind.version},
                                 .arch = host.architecture,
                                 .kernel = host.kernel}
        .to_string();
}

}  // namespace

void describe(CLI::App& app, DeviceFlags& flags) {
    app.add_option("-u,--api-url", flags.api_url,
                   "Portal: wss://HOST or ws://HOST:PORT (default: " + flags.api_url + ") [FIREZONE_API_URL]")
        ->envname("FIREZONE_API_URL")
        ->option_text("URL");
    app.add_option("-n,--firezone-name", flags.name,
                   "Name of this device in the portal (default: the host's name) [FIREZONE_NAME]")
        ->envname("FIREZONE_NAME")
        ->option_text("NAME");
    app.add_option("-i,--firezone-id", flags.id,
                   "Stable id of this device (default: derived from the machine's) [FIREZONE_ID]")
        ->envname("FIREZONE_ID")
        ->option_text("ID");
    app.add_option("--log-format", flags.log_format,
                   "human or json (default human); RUST_LOG filters the lines [FIREZONE_LOG_FORMAT]")
        ->envname("FIREZONE_LOG_FORMAT")
        ->option_text("FORMAT");
    app.add_option("--metrics-addr", flags.metrics, "Where /metrics answers Prometheus (default: off) [METRICS_ADDR]")
        ->envname("METRICS_ADDR")
        ->option_text("ADDR:PORT");
}

std::expected<session::DeviceOptions, Complaint> make_device_options(const DeviceFlags& flags, const DeviceKind& kind,
                                                                     const std::string& token) {
    Rng rng{io::os_seed()};
    auto id = flags.id;
    if (id.empty()) {
        auto loaded = session::load_device_id(kind.id_file, kind.app_id, rng);
        if (!loaded) {
            return std::unexpected{loaded.error()};
        }
        id = std::move(*loaded);
    }
    const auto host = io::read_host_info();
    portal_api::LoginParameters login{.role = kind.role, .token = token, .external_id = portal_api::to_external_id(id)};
    login.name = !flags.name.empty()       ? flags.name
                 : !host.host_name.empty() ? host.host_name
                                           : Uuid::random(rng).to_string();
    if (kind.role == portal_api::Role::kClient) {
        login.device.uuid = host.uuid;
        if (host.serial != kPlaceholderSerial) {
            login.device.serial = host.serial;
        }
    }
    auto url = portal_api::LoginUrl::build(flags.api_url, login);
    if (!url) {
        return std::unexpected{url.error()};
    }

    session::DeviceOptions options{.portal = {.role = kind.role,
                                              .url = std::move(*url),
                                              .user_agent = user_agent(host, kind),
                                              .firewall_mark = io::kSocketMark,
                                              .rng = rng.child("portal")},
                                   .tun_name = io::kTunName};
    options.shard.receive_buffer = environment_size("FIREZONE_UDP_RECV_BUFFER_SIZE").value_or(io::kReceiveBufferSize);
    options.shard.send_buffer = environment_size("FIREZONE_UDP_SEND_BUFFER_SIZE").value_or(io::kSendBufferSize);
    return options;
}

std::optional<std::string> read_token_file(const std::filesystem::path& path) {
    std::ifstream file{path};
    if (!file) {
        return std::nullopt;
    }
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    constexpr std::string_view kWhiteSpace = " \t\r\n";
    const auto first = text.find_first_not_of(kWhiteSpace);
    if (first == std::string::npos) {
        return std::string{};
    }
    return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

}  // namespace culvert::command_line
