#include "culvert/dns/tunnel_ports.h"

#include "culvert/dns/constants.h"

namespace culvert::dns {

namespace {

constexpr std::uint32_t kPorts = 65'536U - kFirstTunnelPort;

}  // namespace

std::optional<std::uint16_t> TunnelPorts::open(AskId id, const net::SocketAddress& server) {
    if (ports_.size() - closed_.size() >= kPorts / 2) {
        return std::nullopt;
    }
    while (true) {
        const auto port = static_cast<std::uint16_t>(kFirstTunnelPort + rng_.below(kPorts));
        if (ports_.try_emplace(port, Port{id, server}).second) {
            return port;
        }
    }
}

void TunnelPorts::close(std::uint16_t port, Instant now) {
    const auto found = ports_.find(port);
    if (found == ports_.end() || found->second.late_until) {
        return;
    }
    found->second.late_until = now + kLateAnswerTime;
    closed_.push_back(port);
    while (closed_.size() > kLateAnswers || ports_.at(closed_.front()).late_until <= now) {
        ports_.erase(closed_.front());
        closed_.pop_front();
    }
}

TunnelPorts::Owner TunnelPorts::owner(const net::SocketAddress& server, std::uint16_t port, Instant now) const {
    const auto found = ports_.find(port);
    if (found == ports_.end() || found->second.server != server) {
        return NotOurs{};
    }
    if (const auto& late_until = found->second.late_until) {
        return now < *late_until ? Owner{Late{}} : Owner{NotOurs{}};
    }
    return found->second.id;
}

}  // namespace culvert::dns
