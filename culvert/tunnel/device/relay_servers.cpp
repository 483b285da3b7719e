#include "culvert/tunnel/device/relay_servers.h"

#include "culvert/observability/log.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

std::vector<connectivity::RelayServer> to_relay_servers(std::span<const portal_api::Relay> relays) {
    std::vector<connectivity::RelayServer> servers;
    for (const auto& relay : relays) {
        if (servers.empty() || servers.back().id != relay.id) {
            connectivity::RelayServer server;
            server.id = relay.id;
            server.username = relay.username;
            server.password = relay.password;
            servers.push_back(std::move(server));
        }
        auto& address = relay.addr.is_v4() ? servers.back().v4 : servers.back().v6;
        if (address) {
            kLog.warn("Ignoring second address of a relay", log::field("rid", relay.id),
                      log::field("address", relay.addr));
            continue;
        }
        address = relay.addr;
    }
    return servers;
}

}  // namespace culvert::tunnel
