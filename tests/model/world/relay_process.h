#pragma once

#include <vector>

#include "culvert/turn/server/server.h"
#include "tests/model/sockets/relay_loop.h"
#include "tests/model/world/device_process.h"
#include "tests/model/world/lying_relay.h"

namespace culvert::model {

/// culvert-relay with its production loop above a simulated kernel, or a relay that serves like it and lies about what
/// it passes on when it is told to.
class RelayProcess final : public DeviceProcess {
public:
    /// `addresses`: the host's public ones, at most one per family. `ports`: how many allocations may have.
    RelayProcess(RelayNo number, const std::vector<net::IpAddress>& addresses, const RelaySetup& setup,
                 Environment& environment, Rng rng);

    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan payload, Instant now) override;
    void handle_packet(MutableByteSpan, Instant) override {}
    void handle_portal_event(portal_channel::Event& event, Instant now) override;
    void handle_timeout(Instant now) override;
    std::optional<Instant> poll_timeout() override;
    bool drain(Instant now) override;
    void reset(std::string_view, Instant) override {}
    void handle_network_change(std::span<const net::IpAddress>, Instant) override {}
    void shut_down(Instant) override {}
    [[nodiscard]] portal_channel::ChannelOptions channel_options() const override;
    [[nodiscard]] std::optional<crypto::PublicKey> public_key() const override { return std::nullopt; }
    [[nodiscard]] std::size_t table_entries() const override;
    [[nodiscard]] DeviceState show() const override { return server().state(); }
    [[nodiscard]] std::string snapshot(Instant now) const override;

    /// What a device with this salt would have been told by the portal, and by this relay when it asked from `client`.
    struct Admission {
        std::string username;
        std::string password;
        std::string nonce;
    };
    [[nodiscard]] Admission admit(std::string_view salt, const net::SocketAddress& client, Instant now) const;

    /// Requires that the relay is hostile.
    void deceive(Deceit deceit, Instant until) { liar_->deceive(deceit, until); }

private:
    RelayProcess(RelayNo number, turn::ServerConfig config, std::string stamp_secret, bool is_hostile,
                 Environment& environment, Rng rng);
    void run(Instant now) { loop_.run(now, environment_.wall_now()); }
    [[nodiscard]] const turn::Server& server() const { return loop_.plane().server(); }

    RelayNo number_;
    Environment& environment_;
    std::string stamp_secret_;
    RelayLoop loop_;
    std::size_t listen_sockets_;
    std::optional<LyingRelay> liar_;
};

}  // namespace culvert::model
