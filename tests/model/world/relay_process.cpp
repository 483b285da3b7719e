#include "tests/model/world/relay_process.h"

#include <algorithm>

#include "culvert/base/overloaded.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/server/credentials.h"

namespace culvert::model {
namespace {

constexpr std::uint16_t kListenPort = 3478;
constexpr auto kMaxPartitionTime = std::chrono::minutes{15};

turn::ServerConfig make_config(const std::vector<net::IpAddress>& addresses, std::uint16_t ports) {
    turn::ServerConfig config;
    config.highest_port = static_cast<std::uint16_t>(config.lowest_port + std::max<unsigned>(ports, 1) - 1);
    for (const auto& address : addresses) {
        (address.is_v4() ? config.public_v4 : config.public_v6) = address;
    }
    return config;
}

}  // namespace

RelayProcess::RelayProcess(RelayNo number, const std::vector<net::IpAddress>& addresses, const RelaySetup& setup,
                           Environment& environment, Rng rng)
    : RelayProcess{
          number, make_config(addresses, setup.ports), turn::make_stamp_secret(rng), setup.is_hostile, environment,
          rng} {}

RelayProcess::RelayProcess(RelayNo number, turn::ServerConfig config, std::string stamp_secret, bool is_hostile,
                           Environment& environment, Rng rng)
    : number_{number},
      environment_{environment},
      stamp_secret_{std::move(stamp_secret)},
      server_{std::move(config), stamp_secret_, rng} {
    if (is_hostile) {
        liar_.emplace(stamp_secret_, rng.fork());
    }
}

/// As apps/relay does.
void RelayProcess::handle_portal_event(portal_channel::Event& event, Instant) {
    const auto* received = std::get_if<portal_channel::MessageReceived>(&event);
    const auto* message = received == nullptr ? nullptr : std::get_if<portal_api::ToRelay>(&received->message);
    const auto* users = message == nullptr ? nullptr : std::get_if<portal_api::TurnUsers>(message);
    if (users == nullptr) {
        return;
    }
    for (const auto& user : users->extended) {
        server_.extend_user(user.salt, user.until);
    }
    for (const auto& user : users->revoked) {
        server_.revoke_user(user.salt, user.until);
    }
}

void RelayProcess::handle_timeout(Instant now) {
    server_.handle_timeout(now);
    while (const auto lie = liar_ ? liar_->poll_lie(now) : std::nullopt) {
        environment_.send_forged(number_, lie->port, lie->to, lie->payload);
    }
}

std::optional<Instant> RelayProcess::poll_timeout() {
    const auto own = server_.poll_timeout();
    const auto lie = liar_ ? liar_->poll_timeout() : std::nullopt;
    return own && lie ? std::min(*own, *lie) : own ? own : lie;
}

void RelayProcess::send(std::uint16_t port, const net::SocketAddress& to, net::Ecn ecn, ByteSpan payload, Instant now) {
    if (!liar_ || !liar_->twist(port, to, payload, now)) {
        environment_.send(number_, std::nullopt, port, to, ecn, payload);
    }
}

RelayProcess::Admission RelayProcess::admit(std::string_view salt, const net::SocketAddress& client,
                                            Instant now) const {
    const turn::RelayUsername username{.expiry = 2'000'000'000, .salt = salt};
    return {username.to_string(), turn::relay_password(username, stamp_secret_),
            server_.make_nonce(client, now).to_string()};
}

void RelayProcess::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                   MutableByteSpan payload, Instant now) {
    if (local.port == kListenPort) {
        if (liar_) {
            liar_->watch(from, payload);
        }
        if (const auto onward = server_.handle_client_input(payload, from, now, environment_.wall_now())) {
            send(onward->port, onward->peer, ecn, onward->payload, now);
        }
        return;
    }
    if (!ports_.contains({local.ip.family(), local.port})) {
        return;
    }
    if (const auto onward = server_.handle_peer_input(from, local.port, payload.size())) {
        Bytes framed(turn::kChannelDataHeaderSize);
        turn::encode_channel_data_header(framed, {onward->channel, static_cast<std::uint16_t>(payload.size())});
        append(framed, payload);
        send(kListenPort, onward->client, ecn, framed, now);
    }
}

bool RelayProcess::drain(Instant now) {
    bool has_output = false;
    while (const auto command = server_.poll_command()) {
        has_output = true;
        std::visit(
            overloaded{[&](const turn::SendMessage& message) {
                           send(kListenPort, message.client, net::Ecn::kNotEct, message.payload, now);
                       },
                       [&](const turn::CreateAllocation& create) { ports_.insert({create.family, create.port}); },
                       [&](const turn::FreeAllocation& free) { ports_.erase({free.family, free.port}); },
                       [](const turn::CreateChannelBinding&) {}, [](const turn::DeleteChannelBinding&) {}},
            *command);
    }
    return has_output;
}

portal_channel::ChannelOptions RelayProcess::channel_options() const {
    return {.role = portal_api::Role::kRelay, .stamp_secret = stamp_secret_, .max_partition_time = kMaxPartitionTime};
}

std::string RelayProcess::snapshot(Instant now) const {
    return server_.debug_snapshot(now);
}

}  // namespace culvert::model
