#include "culvert/session/client_session.h"

#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/io/clock.h"
#include "culvert/io/constants.h"
#include "culvert/io/entropy.h"
#include "culvert/io/local_addresses.h"
#include "culvert/os_dns/host_dns.h"
#include "culvert/resolver/resolver.h"
#include "culvert/session/answers_to_shards.h"
#include "culvert/session/constants.h"
#include "culvert/session/shards.h"
#include "culvert/tunnel/client/client_tunnel.h"

namespace culvert::session {
namespace {

class ClientSession final : public DeviceSession {
public:
    explicit ClientSession(ClientSessionOptions options)
        : DeviceSession{std::move(options.device)},
          tunnel_{.dns_records = earlier_records(), .wants_internet = options.activate_internet_resource},
          dns_control_{options.dns_control},
          confines_keeper_{options.confines_keeper} {}
    ~ClientSession() override {
        if (host_dns_) {
            loop().unwatch(host_dns_->fd());
        }
    }
    ClientSession(const ClientSession&) = delete;
    ClientSession& operator=(const ClientSession&) = delete;

private:
    [[nodiscard]] std::unique_ptr<ShardGroup> make_shards(std::vector<io::TunDevice> tuns,
                                                          const io::Shard::Options& options) override {
        auto shards = std::make_unique<Shards<tunnel::ClientTunnel>>(
            std::move(tuns), options, [this, rng = Rng{io::os_seed()}](std::size_t number) {
                return tunnel::ClientTunnel{connectivity::Seeds::of_shard(rng, number), io::monotonic_now(),
                                            io::wall_now(), tunnel_};
            });
        shards_ = shards.get();
        resolver_.emplace(loop().context(), resolver::Resolver::Options{.mark = io::kSocketMark},
                          answers_to_shards([this](auto answer) { post(std::move(answer)); }));
        return shards;
    }

    /// What an overloaded shard does not take counts as not answered.
    void post(tunnel::ClientTunnel::Command command) { static_cast<void>(shards_->post(std::move(command))); }

    std::expected<void, std::string> prepare_host() override {
        auto dns = os_dns::HostDns::start(
            {.method = dns_control_, .interface_index = tun_index(), .is_sandboxed = confines_keeper_});
        if (!dns) {
            return std::unexpected{dns.error()};
        }
        host_dns_ = std::move(*dns);
        loop().watch(host_dns_->fd(), [this] {
            for (auto& event : host_dns_->take_events()) {
                std::visit([this](auto& alternative) { handle(alternative); }, event);
            }
        });
        return {};
    }

    [[nodiscard]] bool set_host_dns(const tunnel::TunConfig& config) override {
        host_dns_->apply({.servers = config.dns_servers, .search_domain = config.search_domain});
        return false;
    }

    void release_host() override {
        loop().unwatch(host_dns_->fd());
        host_dns_->end();
    }

    void handle_hangup() override {
        kSessionLog.info("Received SIGHUP: dropping all connections and starting afresh");
        shards_->post_always(tunnel::Reset{"SIGHUP"});
    }

    void handle_network_change(Duration away) override {
        if (away > kPeersPatience) {
            kSessionLog.info("The host's network changed: dropping all connections and starting afresh");
            shards_->post_always(tunnel::Reset{"network changed"});
        } else {
            kSessionLog.info("The host's network changed: moving all connections");
            shards_->post_always(tunnel::NetworkChanged{io::local_addresses()});
        }
        resolver_->handle_network_change();
    }

    void handle_shard_events() override {
        for (auto& event : shards_->take_events()) {
            std::visit([&](auto& alternative) { handle(alternative); }, event);
        }
    }

    using DeviceSession::handle;
    void handle(tunnel::ResourcesChanged& changed) {
        kSessionLog.debug("Resources changed", log::field("count", changed.resources.size()));
        // What was not found so far may be a resource now.
        host_dns_->flush_caches();
    }
    void handle(const tunnel::AskForRelays& /*asked*/) { send(portal_api::FromClient{portal_api::NoRelays{}}); }
    void handle(tunnel::KeyChanged& changed) { connect(changed.public_key); }
    /// Kept beyond this session: what applications remember of names must not lead elsewhere in the next one.
    void handle(tunnel::DnsRecordsChanged& changed) { earlier_records() = std::move(changed.records); }
    void handle(dns::Ask& ask) { resolver_->ask(ask); }
    void handle(dns::StopAsking& stop) { resolver_->stop(stop); }

    /// Of this process.
    static std::vector<dns::ProxyRecord>& earlier_records() {
        static std::vector<dns::ProxyRecord> records;
        return records;
    }

    void handle(os_dns::SystemResolvers& found) {
        kSessionLog.debug("The machine's own resolvers", log::field("count", found.addresses.size()));
        resolver_->set_system_resolvers(found.addresses);
        set_name_servers(found.addresses);
        shards_->post_always(tunnel::SetSystemResolvers{std::move(found.addresses)});
    }
    void handle(os_dns::Applied& /*applied*/) { become_ready(); }
    void handle(os_dns::Failed& failed) { fail(std::move(failed.text)); }

    tunnel::ClientOptions tunnel_;
    os_dns::DnsMethod dns_control_;
    bool confines_keeper_;
    std::unique_ptr<os_dns::HostDns> host_dns_;
    Shards<tunnel::ClientTunnel>* shards_ = nullptr;
    std::optional<resolver::Resolver> resolver_;
};

}  // namespace

std::expected<void, std::string> run_client(ClientSessionOptions options) {
    if (options.device.shards != 1) {
        // A packet of the host comes in on any queue, but only the owner of the gateway could send it on.
        return std::unexpected{"a client has one shard."};
    }
    return ClientSession{std::move(options)}.run();
}

}  // namespace culvert::session
