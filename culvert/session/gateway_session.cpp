#include "culvert/session/gateway_session.h"

#include "culvert/io/clock.h"
#include "culvert/io/entropy.h"
#include "culvert/io/forwarding_rules.h"
#include "culvert/io/gateway_host.h"
#include "culvert/io/local_addresses.h"
#include "culvert/os_dns/file_watch.h"
#include "culvert/os_dns/resolv_conf_reader.h"
#include "culvert/resolver/resolver.h"
#include "culvert/session/answers_to_shards.h"
#include "culvert/session/shards.h"
#include "culvert/tunnel/constants.h"
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
        start_resolver();
        return shards;
    }

    void start_resolver() {
        resolver_.emplace(loop().context(), resolver::Resolver::Options{.mark = {}},
                          answers_to_shards([this](auto answer) { post(std::move(answer)); }));
        auto watch = os_dns::FileWatch::open("/", os_dns::kResolvConf);
        if (watch) {
            resolv_conf_.emplace(std::move(*watch));
            loop().watch(resolv_conf_->fd(), [this] {
                if (resolv_conf_->take()) {
                    follow_nameservers();
                }
            });
        } else {
            kSessionLog.warn("Cannot follow changes of the name servers", log::field("error", watch.error().message()));
        }
        follow_nameservers();
        shards_->post_always(tunnel::SetHostAddresses{io::local_addresses()});
    }

    void follow_nameservers() {
        const auto servers = os_dns::read_resolv_conf();
        if (servers.empty()) {
            kSessionLog.warn("This machine has no name servers: resources with names will not work",
                             log::field("file", std::string_view{os_dns::kResolvConf}));
        }
        resolver_->set_system_resolvers(servers);
        shards_->post_always(tunnel::SetSystemResolvers{servers});
    }

    /// What is dropped because a shard is overloaded counts as not answered.
    void post(tunnel::GatewayTunnel::Command command) { static_cast<void>(shards_->post(std::move(command))); }

    std::expected<void, std::string> prepare_host() override {
        auto host = io::GatewayHost::set_up({.tun_name = tun_name(), .openings = tunnel::kGatewayFlowRate});
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

    void handle_network_change(Duration /*away*/) override {
        kSessionLog.info("The host's network changed: moving all connections");
        shards_->post_always(tunnel::NetworkChanged{io::local_addresses()});
        resolver_->handle_network_change();
        shards_->post_always(tunnel::SetHostAddresses{io::local_addresses()});
    }

    void handle_shard_events() override {
        for (auto& event : shards_->take_events()) {
            std::visit([&](auto& alternative) { handle(alternative); }, event);
        }
    }

    using DeviceSession::handle;
    void handle(const tunnel::AskForRelays& /*asked*/) { send(portal_api::FromGateway{portal_api::NoRelays{}}); }
    void handle(const tunnel::LookUpName& wanted) {
        resolver_->look_up(wanted.domain, [this, id = wanted.id](std::optional<resolver::AddressLookUp::Found> found) {
            if (found) {
                post(tunnel::NameFound{id, std::move(found->addresses), found->lifetime});
            } else {
                post(tunnel::NameLookUpFailed{id});
            }
        });
    }
    void handle(const dns::Ask& ask) { resolver_->ask(ask); }
    void handle(const dns::StopAsking& stop) { resolver_->stop(stop); }

    Shards<tunnel::GatewayTunnel>* shards_ = nullptr;
    std::optional<io::GatewayHost> host_;
    std::optional<os_dns::FileWatch> resolv_conf_;
    std::optional<resolver::Resolver> resolver_;
};

}  // namespace

std::expected<void, std::string> run_gateway(DeviceOptions options) {
    return GatewaySession{std::move(options)}.run();
}

}  // namespace culvert::session
