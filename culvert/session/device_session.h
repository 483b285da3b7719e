#pragma once

#include <csignal>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/crypto/keys.h"
#include "culvert/flow_upload/flow_upload.h"
#include "culvert/io/absence_watch.h"
#include "culvert/io/service_manager.h"
#include "culvert/io/shard.h"
#include "culvert/io/tun_interface.h"
#include "culvert/observability/log.h"
#include "culvert/portal_link/connection.h"
#include "culvert/session/control_loop.h"
#include "culvert/session/host_watch.h"
#include "culvert/session/shard_group.h"
#include "culvert/tunnel/device/device_event.h"

namespace culvert::session {

/// What client and gateway are configured with alike.
struct DeviceOptions {
    portal_link::ConnectionOptions portal;
    std::string tun_name;
    io::Shard::Options shard;
    /// Threads of the data path, each with a queue of the TUN device and a UDP port of its own (docs/architecture.md).
    std::size_t shards = 1;
    bool use_tun_offload = true;
    /// Where records of flows wait for their upload, if the portal wants any; empty: nowhere.
    std::filesystem::path flow_log_folder;
    /// Whom to tell how it goes.
    io::ServiceManager service;
    /// Called once, when all is open that needs more than CAP_NET_ADMIN, and before another thread starts: to give up
    /// other privileges. Its error ends the session.
    std::function<std::expected<void, std::string>()> on_prepared;
    /// Called once, when the TUN interface carries its addresses and routes for the first time.
    std::function<void()> on_ready;
    /// Called once with the counters of each shard, which live until the session ends.
    std::function<void(std::vector<ShardMetrics>)> on_metrics;
    /// Called once before the counters go away.
    std::function<void()> on_ending;
};

/// The control thread of a client or gateway: portal connection, TUN interface and signals around the shards. What
/// depends on the kind of device is virtual.
class DeviceSession {
public:
    explicit DeviceSession(DeviceOptions options);
    virtual ~DeviceSession();
    DeviceSession(const DeviceSession&) = delete;
    DeviceSession& operator=(const DeviceSession&) = delete;

    /// Runs until SIGINT or SIGTERM (success) or until the device cannot go on; the error is for a person.
    std::expected<void, std::string> run();

protected:
    /// One shard for each of `tuns`; they live as long as the session.
    [[nodiscard]] virtual std::unique_ptr<ShardGroup> make_shards(std::vector<io::TunDevice> tuns,
                                                                  const io::Shard::Options& options) = 0;
    /// Takes the shards' events, and hands those that all devices have to handle().
    virtual void handle_shard_events() = 0;
    /// SIGHUP: the operator says what handle_network_change() finds out.
    virtual void handle_hangup() = 0;
    /// The host has other addresses, or another way out, or this device could not be reached for so long.
    virtual void handle_network_change(Duration away) = 0;
    /// Whether a default route may lead into the tunnel, beside which the local network must stay reachable.
    [[nodiscard]] virtual bool keeps_local_network() const { return true; }
    /// Called once at the start, as soon as the TUN interface is ours: nobody else on this host may change it then.
    [[nodiscard]] virtual std::expected<void, std::string> prepare_host() { return {}; }
    /// Puts back what somebody else took away of what prepare_host() did; whether anything was missing.
    virtual std::expected<bool, std::string> repair_host() { return false; }

    /// Whether the machine's DNS is as `config` wants it. False: become_ready() is called once it is.
    [[nodiscard]] virtual bool set_host_dns(const tunnel::TunConfig& /*config*/) { return true; }
    /// Called once when the session begins to end: what is still answered now will not be for long.
    virtual void release_host() {}

    void handle(tunnel::TunInterfaceUpdated& updated);
    void handle(tunnel::SendToPortal& sent);
    void handle(const tunnel::ConnectionEnded& ended) { connection_->forget_candidates(ended.peer); }
    void handle(tunnel::FlowsTracked& tracked);

    /// The resolvers that names outside the tunnel are asked of; without, as the host is configured.
    void set_name_servers(const std::vector<net::IpAddress>& servers);

    void send(portal_api::FromDevice message) { connection_->send(std::move(message)); }
    /// To the portal anew: with the key that it knows, or another.
    void reconnect() { connection_->reconnect(); }
    void connect(const crypto::PublicKey& public_key);

    /// Does nothing if it has happened before.
    void become_ready();
    /// Says goodbye to peers and portal, then ends run() with this error.
    void fail(std::string error);

    static constexpr log::Logger kSessionLog{"session"};

    [[nodiscard]] ControlLoop& loop() { return loop_; }
    [[nodiscard]] HostWatch& host_watch() { return host_watch_; }
    [[nodiscard]] const std::string& tun_name() const { return options_.tun_name; }
    [[nodiscard]] unsigned tun_index() const { return interface_->index(); }

private:
    std::expected<void, std::string> start();
    [[nodiscard]] std::expected<std::vector<io::TunDevice>, std::string> open_tun() const;
    void shut_down();
    void stop_if_done();
    void handle_signal(int number);
    void handle_portal(portal_channel::Event event);
    void post_message(portal_api::ToDevice message);
    void start_flow_upload();
    void note_flow_logs(const portal_api::ToDevice& message);
    void watch_shards();
    void connect() { connection_->connect(public_key_); }
    void follow_routes();
    void watch_absence();
    void feed_watchdog();
    void note_network_change(std::optional<Duration> without_network);
    std::expected<bool, std::string> repair();

    DeviceOptions options_;
    ControlLoop loop_;
    HostWatch host_watch_{loop_,
                          {.repair = [this] { return repair(); },
                           .follow_routes = [this] { follow_routes(); },
                           .network_changed = [this](auto without) { note_network_change(without); }}};
    std::optional<io::TunInterface> interface_;
    std::optional<io::AbsenceWatch> absence_;
    std::unique_ptr<ShardGroup> shards_;
    std::string portal_host_;
    bool is_portal_encrypted_ = true;
    std::unique_ptr<portal_link::PortalConnection> connection_;
    std::unique_ptr<flow_upload::FlowUpload> flow_upload_;
    crypto::PublicKey public_key_;
    Instant started_at_{};
    bool is_ready_ = false;
    bool is_shutting_down_ = false;
    bool must_start_over_ = false;
    bool is_portal_closed_ = false;
    std::optional<std::string> error_;
};

}  // namespace culvert::session
