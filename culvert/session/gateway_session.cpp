#include "culvert/session/gateway_session.h"

#include "culvert/io/clock.h"
#include "culvert/io/entropy.h"
#include "culvert/io/forwarding_rules.h"
#include "culvert/io/gateway_host.h"
#include "culvert/session/shards.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"

namespace culvert::session {
namespace {

class GatewaySession final : public DeviceSession {
public:
    using DeviceSession::DeviceSession;

private:
    [[nodiscard]] std::unique_ptr<ShardGroup> make_shards(std::vector<io::TunDevice> tuns,
                                                          const io::Shard::Options& options) override {
        auto shards = std::make_unique<Shards<tunnel::GatewayTunnel>>(
            std::move(tuns), options, [rng = Rng{io::os_seed()}](std::size_t number) {
                return tunnel::GatewayTunnel{connectivity::Seeds::of_shard(rng, number), io::monotonic_now(),
                                             io::wall_now(), static_cast<std::uint16_t>(number)};
            });
        shards_ = shards.get();
        return shards;
    }

    std::expected<void, std::string> prepare_host() override {
        auto host = io::GatewayHost::set_up({.tun_name = tun_name()});
        if (!host) {
            return std::unexpected{host.error()};
        }
        host_.emplace(std::move(*host));
        host_watch().watch_nftables(io::kGatewayTable);
        return {};
    }

    std::expected<bool, std::string> repair_host() override { return host_->repair(); }

    /// Its default route is the host's own, and the kernel would have to ask the copies for each packet it forwards.
    [[nodiscard]] bool keeps_local_network() const override { return false; }

    void handle_hangup() override {
        kSessionLog.info("Received SIGHUP: connecting to the portal afresh");
        reconnect();
    }

    /// What works goes on: the sockets are bound to no address, and peers find other paths by themselves. Only the
    /// portal's connection would go on waiting at an address that is gone.
    void handle_network_change() override {
        kSessionLog.info("The host's network changed: connecting to the portal afresh");
        reconnect();
    }

    void handle_shard_events() override {
        for (auto& event : shards_->take_events()) {
            std::visit([&](auto& alternative) { handle(alternative); }, event);
        }
    }

    using DeviceSession::handle;
    /// Clients are told that the name is not known, and ask again with the next query.
    void handle(tunnel::LookUpName& wanted) { static_cast<void>(shards_->post(tunnel::NameLookUpFailed{wanted.id})); }
    void handle(dns::Ask& /*ask*/) {}
    void handle(dns::StopAsking& /*stop*/) {}

    Shards<tunnel::GatewayTunnel>* shards_ = nullptr;
    std::optional<io::GatewayHost> host_;
};

}  // namespace

std::expected<void, std::string> run_gateway(DeviceOptions options) {
    return GatewaySession{std::move(options)}.run();
}

}  // namespace culvert::session
