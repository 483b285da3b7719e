#include "culvert/session/client_session.h"

#include "culvert/tunnel/client/client_tunnel.h"

namespace culvert::session {
namespace {

struct Reset {
    std::string reason;
};
/// A reset took a new key: connect to the portal with it.
struct KeyChanged {
    crypto::PublicKey public_key;
};

}  // namespace

template <>
struct ShardTraits<tunnel::ClientTunnel> {
    struct ShutDown {};
    using Command = std::variant<portal_api::ToClient, Reset, ShutDown>;
    using Event = std::variant<ShardEnded, tunnel::ClientEvent, KeyChanged>;

    template <typename Emit>
    static bool apply(tunnel::ClientTunnel& state, const Command& command, io::Shard& shard, Instant now, Emit emit) {
        return std::visit(overloaded{[&](const portal_api::ToClient& message) {
                                         state.handle_portal(message, now);
                                         return false;
                                     },
                                     [&](const Reset& reset) {
                                         state.reset(reset.reason, now);
                                         if (const auto bound = shard.bind_sockets(); !bound) {
                                             log::Logger{"session"}.error("Cannot send or receive",
                                                                          log::field("error", bound.error()));
                                         }
                                         emit(KeyChanged{state.public_key()});
                                         return false;
                                     },
                                     [&](const ShutDown&) {
                                         state.shut_down(now);
                                         return true;
                                     }},
                          command);
    }

    static void handle_timeout(tunnel::ClientTunnel& state, Instant now) { state.handle_timeout(now); }

    static std::optional<Event> poll_event(tunnel::ClientTunnel& state) {
        if (auto event = state.poll_event()) {
            return Event{std::move(*event)};
        }
        return std::nullopt;
    }
};

namespace {

class ClientSession final : public DeviceSession<tunnel::ClientTunnel, portal_api::ToClient> {
public:
    using DeviceSession::DeviceSession;

private:
    void handle_hangup() override {
        kSessionLog.info("Received SIGHUP: dropping all connections and starting afresh");
        post(Reset{"SIGHUP"});
    }

    void handle_network_change() override {
        kSessionLog.info("The host's network changed: dropping all connections and starting afresh");
        post(Reset{"network changed"});
    }

    void handle_event(Traits::Event& event) override {
        std::visit(overloaded{[](ShardEnded&) {}, [&](KeyChanged& changed) { connect(changed.public_key); },
                              [&](tunnel::ClientEvent& client_event) {
                                  std::visit([&](auto& alternative) { handle(alternative); }, client_event);
                              }},
                   event);
    }

    void handle(tunnel::TunInterfaceUpdated& updated) { configure_interface(updated.config); }

    void handle(tunnel::SendFromClient& sent) { send(std::move(sent.message)); }

    void handle(tunnel::ResourcesChanged& changed) {
        kSessionLog.debug("Resources changed", log::field("count", changed.resources.size()));
    }

    void handle(tunnel::ReconnectToPortal& /*event*/) {
        kSessionLog.debug("No usable relay left: asking the portal for fresh ones");
        connect();
    }
};

}  // namespace

std::expected<void, std::string> run_client(DeviceOptions options) {
    return ClientSession{std::move(options)}.run();
}

}  // namespace culvert::session
