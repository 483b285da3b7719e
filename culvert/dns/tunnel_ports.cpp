#include "culvert/dns/tunnel_ports.h"

#include <algorithm>

#include "culvert/dns/constants.h"

namespace culvert::dns {

namespace {

constexpr std::uint32_t kPorts = 65'536U - kFirstTunnelPort;

}  // namespace

std::optional<std::uint16_t> TunnelPorts::open(AskId id, const net::SocketAddress& server) {
    if (open_.size() >= kPorts / 2) {
        return std::nullopt;
    }
    while (true) {
        const auto port = static_cast<std::uint16_t>(kFirstTunnelPort + rng_.below(kPorts));
        if (open_.try_emplace(port, Port{id, server}).second) {
            return port;
        }
    }
}

void TunnelPorts::close(std::uint16_t port, Instant now) {
    const auto found = open_.find(port);
    if (found == open_.end()) {
        return;
    }
    closed_.push_back({port, found->second.server, now + kLateAnswerTime});
    open_.erase(found);
    while (closed_.size() > kLateAnswers || closed_.front().until <= now) {
        closed_.pop_front();
    }
}

TunnelPorts::Owner TunnelPorts::owner(const net::SocketAddress& server, std::uint16_t port, Instant now) const {
    if (const auto found = open_.find(port); found != open_.end()) {
        return found->second.server == server ? Owner{found->second.id} : Owner{NotOurs{}};
    }
    const auto is_that = [&](const Closed& closed) {
        return closed.port == port && closed.server == server && now < closed.until;
    };
    return std::ranges::any_of(closed_, is_that) ? Owner{Late{}} : Owner{NotOurs{}};
}

}  // namespace culvert::dns
