#include "apps/relay/portal_link.h"

#include <chrono>
#include <utility>
#include <variant>

#include "apps/common/user_agent.h"
#include "apps/relay/constants.h"
#include "culvert/base/overloaded.h"
#include "culvert/io/clock.h"
#include "culvert/observability/log.h"
#include "culvert/portal_api/url.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::relay_server {
namespace {

constexpr log::Logger kLog{"relay"};

}  // namespace

std::expected<std::unique_ptr<PortalLink>, std::string> PortalLink::open(const Options& options,
                                                                         std::string stamp_secret, Rng rng,
                                                                         GiveUp give_up, TellStatus tell_status,
                                                                         ApplyRules apply_rules) {
    const portal_api::LoginParameters parameters{.role = portal_api::Role::kRelay,
                                                 .token = options.token,
                                                 .name = options.name,
                                                 .public_ipv4 = options.public_v4,
                                                 .public_ipv6 = options.public_v6,
                                                 .port = options.listen_port};
    auto url = portal_api::LoginUrl::build(options.api_url, parameters);
    if (!url) {
        return std::unexpected{std::move(url.error())};
    }
    portal_link::ConnectionOptions connection{
        .role = portal_api::Role::kRelay,
        .url = *std::move(url),
        .user_agent = command_line::user_agent(io::read_host_info(), "relay", CULVERT_VERSION),
        .stamp_secret = std::move(stamp_secret),
        .max_partition_time = portal_channel::kMaxPartitionTime,
        .rng = rng};
    auto link =
        std::unique_ptr<PortalLink>{new PortalLink{std::move(give_up), std::move(tell_status), std::move(apply_rules)}};
    auto opened = portal_link::PortalConnection::create(
        std::move(connection), [raw = link.get()](const portal_channel::Event& event) { raw->handle_event(event); });
    if (!opened) {
        return std::unexpected{std::move(opened.error())};
    }
    link->connection_ = *std::move(opened);
    return link;
}

bool PortalLink::is_healthy(Instant now) const {
    const auto last = last_heartbeat_.load();
    return last == 0 || now - Instant{Duration{last}} < kMaxHeartbeatAge;
}

void PortalLink::handle_message(const portal_api::ToRelay& message) {
    std::visit(overloaded{
                   [](const portal_api::RelayInit&) {},  // nothing to do
                   [&](const portal_api::TurnUsers& users) {
                       kLog.debug("Told of users", log::field("revoked", users.revoked.size()),
                                  log::field("extended", users.extended.size()));
                       apply_rules_(users);
                   },
               },
               message);
}

void PortalLink::handle_event(const portal_channel::Event& event) {
    std::visit(overloaded{
                   [&](const portal_channel::Joined&) {
                       is_joined_ = true;
                       tell_status_("Relaying, registered with the portal");
                       kLog.info("Registered with the portal");
                   },
                   [&](const portal_channel::MessageReceived& received) {
                       if (const auto* message = std::get_if<portal_api::ToRelay>(&received.message)) {
                           handle_message(*message);
                       }
                   },
                   [&](const portal_channel::MessageRefused& refused) {
                       kLog.warn("The portal refused a message", log::field("reason", refused.text));
                   },
                   [&](const portal_channel::HeartbeatSent&) {
                       last_heartbeat_ = io::monotonic_now().time_since_epoch().count();
                   },
                   [&](const portal_channel::Hiccup& hiccup) {
                       is_joined_ = false;
                       ++hiccups_;
                       tell_status_("Relaying, but not connected to the portal: " + hiccup.cause);
                       kLog.debug(
                           "Lost the portal, trying again; relaying goes on", log::field("cause", hiccup.cause),
                           log::field("delay_ms",
                                      std::chrono::duration_cast<std::chrono::milliseconds>(hiccup.delay).count()));
                   },
                   [&](const portal_channel::Closed&) { is_joined_ = false; },
                   [&](const portal_channel::Fatal& fatal) {
                       is_joined_ = false;
                       give_up_(fatal.text);
                   },
               },
               event);
}

}  // namespace culvert::relay_server
