#include "culvert/session/client_session.h"

#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/io/clock.h"
#include "culvert/io/entropy.h"
#include "culvert/session/shards.h"
#include "culvert/tunnel/client/client_tunnel.h"

namespace culvert::session {
namespace {

class ClientSession final : public DeviceSession {
public:
    explicit ClientSession(ClientOptions options)
        : DeviceSession{std::move(options.device)},
          tunnel_{.dns_records = earlier_records(), .wants_internet = options.activate_internet_resource} {}

private:
    [[nodiscard]] std::unique_ptr<ShardGroup> make_shards(std::vector<io::TunDevice> tuns,
                                                          const io::Shard::Options& options) override {
        auto shards = std::make_unique<Shards<tunnel::ClientTunnel>>(
            std::move(tuns), options, [this, rng = Rng{io::os_seed()}](std::size_t number) {
                return tunnel::ClientTunnel{connectivity::Seeds::of_shard(rng, number), io::monotonic_now(),
                                            io::wall_now(), tunnel_};
            });
        shards_ = shards.get();
        return shards;
    }

    void handle_hangup() override {
        kSessionLog.info("Received SIGHUP: dropping all connections and starting afresh");
        shards_->post_always(tunnel::Reset{"SIGHUP"});
    }

    void handle_network_change() override {
        kSessionLog.info("The host's network changed: dropping all connections and starting afresh");
        shards_->post_always(tunnel::Reset{"network changed"});
    }

    void handle_shard_events() override {
        for (auto& event : shards_->take_events()) {
            std::visit([&](auto& alternative) { handle(alternative); }, event);
        }
    }

    using DeviceSession::handle;
    void handle(tunnel::ResourcesChanged& changed) {
        kSessionLog.debug("Resources changed", log::field("count", changed.resources.size()));
    }
    void handle(tunnel::KeyChanged& changed) { connect(changed.public_key); }
    /// Kept beyond this session: what applications remember of names must not lead elsewhere in the next one.
    void handle(tunnel::DnsRecordsChanged& changed) { earlier_records() = std::move(changed.records); }
    /// Nobody asks the host's resolvers for us yet.
    void handle(dns::Ask& ask) { static_cast<void>(shards_->post(tunnel::DnsFailure{ask.id})); }
    void handle(dns::StopAsking& /*stop*/) {}

    /// Of this process.
    static std::vector<dns::ProxyRecord>& earlier_records() {
        static std::vector<dns::ProxyRecord> records;
        return records;
    }

    tunnel::ClientOptions tunnel_;
    Shards<tunnel::ClientTunnel>* shards_ = nullptr;
};

}  // namespace

std::expected<void, std::string> run_client(ClientOptions options) {
    if (options.device.shards != 1) {
        // A packet of the host comes in on any queue, but only the owner of the gateway could send it on.
        return std::unexpected{"a client has one shard."};
    }
    return ClientSession{std::move(options)}.run();
}

}  // namespace culvert::session
