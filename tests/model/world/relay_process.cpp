#include "tests/model/world/relay_process.h"

#include <algorithm>

#include "culvert/portal_channel/constants.h"
#include "culvert/turn/server/credentials.h"

namespace culvert::model {
namespace {

/// What a kernel may do to a relay without any packet being lost.
constexpr KernelFaults kHarmlessFaults{
    .interrupted = 20, .partial_send = 50, .partial_receive = 50, .coalesced_receive = 500};

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
      loop_{{.server = std::move(config)}, stamp_secret_, rng, Rng::from_number(number.value)},
      listen_sockets_{loop_.kernel().open_sockets()} {
    loop_.kernel().set_faults(kHarmlessFaults);
    if (is_hostile) {
        liar_.emplace(stamp_secret_, rng.fork());
    }
}

/// As apps/relay does.
void RelayProcess::handle_portal_event(portal_channel::Event& event, Instant now) {
    const auto* received = std::get_if<portal_channel::MessageReceived>(&event);
    const auto* message = received == nullptr ? nullptr : std::get_if<portal_api::ToRelay>(&received->message);
    const auto* users = message == nullptr ? nullptr : std::get_if<portal_api::TurnUsers>(message);
    if (users == nullptr) {
        return;
    }
    for (const auto& user : users->extended) {
        loop_.plane().extend_user(user.salt, user.until);
    }
    for (const auto& user : users->revoked) {
        loop_.plane().revoke_user(user.salt, user.until);
    }
    run(now);
}

void RelayProcess::handle_timeout(Instant now) {
    run(now);
    while (const auto lie = liar_ ? liar_->poll_lie(now) : std::nullopt) {
        environment_.send_forged(number_, lie->port, lie->to, lie->payload);
    }
}

std::optional<Instant> RelayProcess::poll_timeout() {
    const auto own = loop_.poll_timeout();
    const auto lie = liar_ ? liar_->poll_timeout() : std::nullopt;
    return own && lie ? std::min(*own, *lie) : own ? own : lie;
}

RelayProcess::Admission RelayProcess::admit(std::string_view salt, const net::SocketAddress& client,
                                            Instant now) const {
    const turn::RelayUsername username{.expiry = 2'000'000'000, .salt = salt};
    return {username.to_string(), turn::relay_password(username, stamp_secret_),
            server().make_nonce(client, now).to_string()};
}

void RelayProcess::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                   MutableByteSpan payload, Instant now) {
    if (liar_ && local.port == turn::kRelayPort) {
        liar_->watch(from, payload);
    }
    loop_.kernel().deliver({local, from, ecn, to_bytes(payload)});
    run(now);
}

bool RelayProcess::drain(Instant now) {
    bool has_output = false;
    while (const auto out = loop_.kernel().poll_sent()) {
        const auto& to = out->path.destination;
        if (!liar_ || !liar_->twist(out->port, to, out->payload, now)) {
            environment_.send(number_, std::nullopt, out->port, to, out->ecn, out->payload);
        }
        has_output = true;
    }
    return has_output;
}

std::size_t RelayProcess::table_entries() const {
    return server().allocations() + server().bound_channels() + loop_.kernel().open_sockets() - listen_sockets_;
}

portal_channel::ChannelOptions RelayProcess::channel_options() const {
    return {.role = portal_api::Role::kRelay,
            .stamp_secret = stamp_secret_,
            .max_partition_time = portal_channel::kMaxPartitionTime};
}

std::string RelayProcess::snapshot(Instant now) const {
    return server().debug_snapshot(now);
}

}  // namespace culvert::model
