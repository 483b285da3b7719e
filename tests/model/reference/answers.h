#pragma once

#include <map>
#include <optional>
#include <utility>

#include "tests/model/reference/packet_key.h"
#include "tests/model/world/observation.h"

namespace culvert::model {

/// Answers of resources that came through connections: each shows that its connection works both ways.
class Answers {
public:
    void handle(const PacketReturned& event);
    /// The gateway that the answer came through; nullopt for what is none.
    std::optional<GatewayNo> handle(const PacketDelivered& event, Instant now);

    /// When the client last got one through the gateway; nullopt if it never did.
    [[nodiscard]] std::optional<Instant> last(ClientNo client, GatewayNo gateway) const;

private:
    std::map<PacketKey, GatewayNo> on_their_way_;
    std::map<std::pair<ClientNo, GatewayNo>, Instant> last_;
};

}  // namespace culvert::model
