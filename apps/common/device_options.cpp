#include "apps/common/device_options.h"

#include <CLI/CLI.hpp>
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

std::string user_agent(const io::HostInfo& host, const DeviceProgram& kind) {
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
                   "Portal, required: wss://HOST, or ws://HOST:PORT without encryption [FIREZONE_API_URL]")
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

std::expected<session::DeviceOptions, Complaint> make_device_options(const DeviceFlags& flags,
                                                                     const DeviceProgram& kind,
                                                                     const std::string& token) {
    Rng rng{io::os_seed()};
    auto id = flags.id;
    if (!id.empty() && portal_api::is_placeholder_id(id)) {
        return std::unexpected{"FIREZONE_ID is \"" + id +
                               "\", which many machines have. Set one of this device's own, or none."};
    }
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
        if (host.uuid && !portal_api::is_placeholder_id(*host.uuid)) {
            login.device.uuid = host.uuid;
        }
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
                                              .socket_mark = io::kSocketMark,
                                              .rng = rng.child("portal")},
                                   .tun_name = io::kTunName,
                                   .flow_log_folder = kind.flow_log_folder};
    options.shard.receive_buffer = environment_size("FIREZONE_UDP_RECV_BUFFER_SIZE").value_or(io::kReceiveBufferSize);
    options.shard.send_buffer = environment_size("FIREZONE_UDP_SEND_BUFFER_SIZE").value_or(io::kSendBufferSize);
    return options;
}

}  // namespace culvert::command_line
