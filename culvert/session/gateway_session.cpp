#include "culvert/session/gateway_session.h"

#include "culvert/io/forwarding_rules.h"
#include "culvert/io/gateway_host.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"

namespace culvert::session {
namespace {

UnixSeconds wall_seconds() {
    return std::chrono::floor<std::chrono::seconds>(io::wall_now());
}

}  // namespace

template <>
struct ShardTraits<tunnel::GatewayTunnel> {
    struct ShutDown {};
    using Command = std::variant<portal_api::ToGateway, ShutDown>;
    using Event = std::variant<ShardEnded, tunnel::GatewayEvent>;

    template <typename Emit>
    static bool apply(tunnel::GatewayTunnel& state, const Command& command, io::Shard& /*shard*/, Instant now,
                      Emit /*emit*/) {
        return std::visit(overloaded{[&](const portal_api::ToGateway& message) {
                                         state.handle_portal(message, now, wall_seconds());
                                         return false;
                                     },
                                     [&](const ShutDown&) {
                                         state.shut_down(now);
                                         return true;
                                     }},
                          command);
    }

    static void handle_timeout(tunnel::GatewayTunnel& state, Instant now) { state.handle_timeout(now, wall_seconds()); }

    static std::optional<Event> poll_event(tunnel::GatewayTunnel& state) {
        while (auto event = state.poll_event()) {
            const auto* errors = std::get_if<tunnel::TunnelErrors>(&*event);
            if (errors == nullptr) {
                return Event{std::move(*event)};
            }
            // Strangers cause them at will: nothing of theirs may fill the mailbox and displace what matters.
            log_errors(*errors);
        }
        return std::nullopt;
    }

private:
    /// A remote can cause each of these, so none may flood the log of a healthy gateway.
    static void log_errors(const tunnel::TunnelErrors& batch) {
        constexpr log::Logger kLog{"session"};
        for (const auto& error : batch.errors) {
            kLog.debug("Dropped a packet", log::field("reason", error.reason), log::field("from", error.from));
        }
        if (batch.omitted > 0) {
            kLog.debug("Dropped more packets", log::field("count", batch.omitted));
        }
    }
};

namespace {

class GatewaySession final : public DeviceSession<tunnel::GatewayTunnel, portal_api::ToGateway> {
public:
    using DeviceSession::DeviceSession;

private:
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

    void handle_event(Traits::Event& event) override {
        if (auto* gateway_event = std::get_if<tunnel::GatewayEvent>(&event)) {
            std::visit([&](auto& alternative) { handle(alternative); }, *gateway_event);
        }
    }

    void handle(tunnel::TunInterfaceUpdated& updated) { configure_interface(updated.config); }

    void handle(tunnel::SendFromGateway& sent) { send(std::move(sent.message)); }

    void handle(tunnel::ReconnectToPortal& /*event*/) {
        kSessionLog.debug("No usable relay left: asking the portal for fresh ones");
        connect();
    }

    void handle(tunnel::TunnelErrors& /*errors*/) {}  // logged by the shard

    std::optional<io::GatewayHost> host_;
};

}  // namespace

std::expected<void, std::string> run_gateway(DeviceOptions options) {
    return GatewaySession{std::move(options)}.run();
}

}  // namespace culvert::session
