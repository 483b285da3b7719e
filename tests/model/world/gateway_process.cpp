#include "tests/model/world/gateway_process.h"

#include <utility>

#include "culvert/base/overloaded.h"

namespace culvert::model {

GatewayProcess::GatewayProcess(GatewayNo number, std::uint16_t port, PortalLink& link, Environment& environment,
                               const Rng& rng, Instant now)
    : number_{number},
      port_{port},
      link_{link},
      environment_{environment},
      state_{rng, now, environment.wall_now(number)} {}

UnixSeconds GatewayProcess::wall_seconds() const {
    return std::chrono::floor<std::chrono::seconds>(environment_.wall_now(number_));
}

void GatewayProcess::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                     MutableByteSpan payload, Instant now) {
    auto& tun = environment_.coalescer();
    state_.handle_datagram(local, from, ecn, payload, tun, now);
    collect_packets(tun, [&](ByteSpan packet) { pass_on(packet); });
}

void GatewayProcess::handle_packet(MutableByteSpan packet, Instant now) {
    state_.handle_tun_packet({packet, {}}, environment_.queue(), now);
}

void GatewayProcess::handle_portal_event(portal_channel::Event& event, Instant now) {
    if (const auto* received = std::get_if<portal_channel::MessageReceived>(&event)) {
        if (const auto* message = std::get_if<portal_api::ToGateway>(&received->message)) {
            state_.handle_portal(*message, now, wall_seconds());
        }
    }
}

bool GatewayProcess::drain(Instant now) {
    const bool has_sent = send_outputs(state_, number_, port_, environment_);
    return drain_events(now) || has_sent;
}

bool GatewayProcess::drain_events(Instant now) {
    bool has_output = false;
    while (auto event = state_.poll_event()) {
        has_output = true;
        std::visit(
            overloaded{
                [&](tunnel::TunInterfaceUpdated& updated) {
                    environment_.observe(InterfaceConfigured{number_, updated.config});
                },
                [&](tunnel::SendToPortal& sent) { link_.channel().send(std::move(sent.message)); },
                [&](tunnel::AskForRelays&) { link_.channel().send(portal_api::FromGateway{portal_api::NoRelays{}}); },
                [&](const tunnel::ConnectionEnded& ended) { link_.channel().forget_candidates(ended.peer); },
                [&](tunnel::LookUpName& wanted) { state_.handle_name_failure({wanted.id}, now); }, [](dns::Ask&) {},
                [](dns::StopAsking&) {}, [](tunnel::FlowsTracked&) {}},
            *event);
    }
    while (const auto drops = state_.poll_drops()) {
        tunnel::log_report(*drops);
        has_output = true;
    }
    return has_output;
}

void GatewayProcess::handle_network_change(std::span<const net::IpAddress> addresses, Instant now) {
    state_.apply(tunnel::NetworkChanged{{addresses.begin(), addresses.end()}}, now, wall_seconds());
    drain_events(now);
}

portal_channel::ChannelOptions GatewayProcess::channel_options() const {
    return {.role = portal_api::Role::kGateway, .stamp_secret = {}, .max_partition_time = {}};
}

std::string GatewayProcess::snapshot(Instant now) const {
    return state_.debug_snapshot(now);
}

}  // namespace culvert::model
