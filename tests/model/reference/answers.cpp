#include "tests/model/reference/answers.h"

namespace culvert::model {
namespace {

std::optional<PacketKey> read_key(ByteSpan bytes) {
    const auto packet = read_packet(bytes);
    return packet ? key_of_answered(*packet) : std::nullopt;
}

}  // namespace

void Answers::handle(const PacketReturned& event) {
    if (const auto key = read_key(event.packet)) {
        on_their_way_.insert_or_assign(*key, event.gateway);
    }
}

std::optional<GatewayNo> Answers::handle(const PacketDelivered& event, Instant now) {
    const auto key = read_key(event.packet);
    const auto answer = key ? on_their_way_.extract(*key) : decltype(on_their_way_)::node_type{};
    if (answer.empty()) {
        return std::nullopt;
    }
    last_.insert_or_assign({event.client, answer.mapped()}, now);
    return answer.mapped();
}

std::optional<Instant> Answers::last(ClientNo client, GatewayNo gateway) const {
    const auto found = last_.find({client, gateway});
    return found == last_.end() ? std::nullopt : std::optional{found->second};
}

}  // namespace culvert::model
