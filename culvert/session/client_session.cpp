#include "culvert/session/client_session.h"

#include "culvert/tunnel/client/client_tunnel.h"

namespace culvert::session {
namespace {

class ClientSession final : public DeviceSession<tunnel::ClientTunnel, portal_api::ToClient> {
public:
    using DeviceSession::DeviceSession;

private:
    void handle_hangup() override {
        kSessionLog.info("Received SIGHUP: dropping all connections and starting afresh");
        post(tunnel::Reset{"SIGHUP"});
    }

    void handle_network_change() override {
        kSessionLog.info("The host's network changed: dropping all connections and starting afresh");
        post(tunnel::Reset{"network changed"});
    }

    void handle_event(tunnel::ClientEvent& event) override {
        std::visit([&](auto& alternative) { handle(alternative); }, event);
    }

    void handle(tunnel::TunInterfaceUpdated& updated) { configure_interface(updated.config); }

    void handle(tunnel::SendToPortal& sent) { send(std::move(sent.message)); }

    void handle(tunnel::ResourcesChanged& changed) {
        kSessionLog.debug("Resources changed", log::field("count", changed.resources.size()));
    }

    void handle(tunnel::ReconnectToPortal& /*event*/) {
        kSessionLog.debug("No usable relay left: asking the portal for fresh ones");
        connect();
    }

    void handle(tunnel::KeyChanged& changed) { connect(changed.public_key); }
};

}  // namespace

std::expected<void, std::string> run_client(DeviceOptions options) {
    return ClientSession{std::move(options)}.run();
}

}  // namespace culvert::session
