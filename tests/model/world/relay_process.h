#pragma once

#include <set>
#include <utility>
#include <vector>

#include "culvert/turn/server/server.h"
#include "model/world/device_process.h"

namespace culvert::model {

/// culvert-relay.
class RelayProcess final : public DeviceProcess {
public:
    /// `addresses`: the host's public ones, at most one per family. `ports`: how many allocations may have.
    RelayProcess(RelayNo number, const std::vector<net::IpAddress>& addresses, std::uint16_t ports,
                 Environment& environment, Rng rng);

    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan payload, Instant now) override;
    void handle_packet(MutableByteSpan, Instant) override {}
    void handle_portal_event(portal_channel::Event&, Instant) override {}
    void handle_timeout(Instant now) override { server_.handle_timeout(now); }
    std::optional<Instant> poll_timeout() override { return server_.poll_timeout(); }
    bool drain(Instant now) override;
    void reset(std::string_view, Instant) override {}
    void shut_down(Instant) override {}
    [[nodiscard]] portal_channel::ChannelOptions channel_options() const override;
    [[nodiscard]] std::optional<crypto::PublicKey> public_key() const override { return std::nullopt; }
    [[nodiscard]] std::size_t table_entries() const override {
        return server_.allocations() + server_.bound_channels() + ports_.size();
    }
    [[nodiscard]] std::string snapshot(Instant now) const override;

private:
    RelayProcess(RelayNo number, turn::ServerConfig config, std::string stamp_secret, Environment& environment,
                 const Rng& rng);

    RelayNo number_;
    Environment& environment_;
    std::string stamp_secret_;
    turn::Server server_;
    /// Sockets that are open: datagrams to other ports meet nobody.
    std::set<std::pair<net::Family, std::uint16_t>> ports_;
};

}  // namespace culvert::model
