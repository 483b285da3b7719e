#include "tests/model/world/client_process.h"

#include <utility>

namespace culvert::model {

ClientProcess::ClientProcess(ClientNo number, std::uint16_t port, PortalLink& link, Environment& environment,
                             const Rng& rng, Instant now)
    : number_{number}, port_{port}, link_{link}, environment_{environment}, state_{rng, now, environment.wall_now()} {}

void ClientProcess::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                    MutableByteSpan payload, Instant now) {
    auto& tun = environment_.coalescer();
    state_.handle_datagram(local, from, ecn, payload, tun, now);
    collect_packets(tun, [&](ByteSpan packet) { pass_on(packet); });
}

UnixSeconds ClientProcess::wall_seconds() const {
    return std::chrono::floor<std::chrono::seconds>(environment_.wall_now());
}

void ClientProcess::handle_packet(MutableByteSpan packet, Instant now) {
    state_.handle_tun_packet({packet, {}}, environment_.queue(), now);
}

void ClientProcess::handle_portal_event(portal_channel::Event& event, Instant now) {
    if (const auto* received = std::get_if<portal_channel::MessageReceived>(&event)) {
        if (const auto* message = std::get_if<portal_api::ToClient>(&received->message)) {
            state_.handle_portal(*message, now, wall_seconds());
        }
    }
}

bool ClientProcess::drain(Instant now) {
    bool has_output = send_outputs(state_, number_, port_, environment_);
    while (const auto packet = state_.poll_tun_packet()) {
        pass_on(*packet);
        has_output = true;
    }
    return drain_events(now) || has_output;
}

bool ClientProcess::drain_events(Instant now) {
    bool has_output = false;
    while (auto event = state_.poll_event()) {
        std::visit([&](auto& alternative) { handle(alternative, now); }, *event);
        has_output = true;
    }
    while (const auto drops = state_.poll_drops()) {
        tunnel::log_report(*drops);
        has_output = true;
    }
    return has_output;
}

void ClientProcess::handle(tunnel::TunInterfaceUpdated& event, Instant) {
    environment_.observe(InterfaceConfigured{number_, event.config});
}

void ClientProcess::handle(tunnel::SendToPortal& event, Instant) {
    link_.channel().send(std::move(event.message));
}

void ClientProcess::handle(tunnel::ResourcesChanged& event, Instant) {
    environment_.observe(ResourcesListed{number_, event.resources});
}

void ClientProcess::handle(tunnel::AskForRelays&, Instant) {
    link_.channel().send(portal_api::FromClient{portal_api::NoRelays{}});
}

void ClientProcess::handle(tunnel::KeyChanged& event, Instant now) {
    link_.channel().connect(event.public_key, now);
}

void ClientProcess::handle_network_change(std::span<const net::IpAddress> addresses, Instant now) {
    state_.apply(tunnel::NetworkChanged{{addresses.begin(), addresses.end()}}, now, wall_seconds());
    drain_events(now);
}

void ClientProcess::reset(std::string_view reason, Instant now) {
    state_.reset(reason, now);
    drain_events(now);
}

portal_channel::ChannelOptions ClientProcess::channel_options() const {
    return {.role = portal_api::Role::kClient, .stamp_secret = {}, .max_partition_time = {}};
}

std::string ClientProcess::snapshot(Instant now) const {
    return state_.debug_snapshot(now);
}

}  // namespace culvert::model
