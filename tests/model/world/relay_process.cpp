#include "model/world/relay_process.h"

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

RelayProcess::RelayProcess(RelayNo number, const std::vector<net::IpAddress>& addresses, std::uint16_t ports,
                           Environment& environment, Rng rng)
    : RelayProcess{number, make_config(addresses, ports), turn::make_stamp_secret(rng), environment, rng} {}

RelayProcess::RelayProcess(RelayNo number, turn::ServerConfig config, std::string stamp_secret,
                           Environment& environment, const Rng& rng)
    : number_{number},
      environment_{environment},
      stamp_secret_{std::move(stamp_secret)},
      server_{std::move(config), stamp_secret_, rng} {}

void RelayProcess::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                   MutableByteSpan payload, Instant now) {
    if (local.port == kListenPort) {
        if (const auto onward = server_.handle_client_input(payload, from, now, environment_.wall_now())) {
            environment_.send(number_, std::nullopt, onward->port, onward->peer, ecn, onward->payload);
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
        environment_.send(number_, std::nullopt, kListenPort, onward->client, ecn, framed);
    }
}

bool RelayProcess::drain(Instant) {
    bool has_output = false;
    while (const auto command = server_.poll_command()) {
        has_output = true;
        std::visit(
            overloaded{[&](const turn::SendMessage& message) {
                           environment_.send(number_, std::nullopt, kListenPort, message.client, net::Ecn::kNotEct,
                                             message.payload);
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
