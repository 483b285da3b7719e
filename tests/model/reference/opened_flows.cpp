#include "tests/model/reference/opened_flows.h"

namespace culvert::model {

OpenedFlows::Flow OpenedFlows::flow_of(ClientNo client, const InnerPacket& sent) {
    return {client, sent.source, sent.destination, sent.protocol, sent.source_port, sent.destination_port};
}

void OpenedFlows::handle(const PacketSubmitted& event) {
    const auto packet = read_packet(event.packet);
    if (packet && (!packet->is_icmp() || packet->is_echo_request())) {
        is_opening_.insert_or_assign(flow_of(event.client, *packet), packet->is_syn());
    }
}

bool OpenedFlows::is_answer(ClientNo client, const InnerPacket& packet) const {
    if (packet.is_icmp() && !packet.is_echo_reply()) {
        return false;
    }
    const auto flow = is_opening_.find(
        {client, packet.destination, packet.source, packet.protocol, packet.destination_port, packet.source_port});
    return flow != is_opening_.end() && (!packet.is_syn() || flow->second);
}

bool OpenedFlows::is_about_one(ClientNo client, const InnerPacket& error) const {
    const auto quoted = read_quoted(error);
    return quoted && (!quoted->is_icmp() || quoted->is_echo_request()) &&
           is_opening_.contains(flow_of(client, *quoted));
}

}  // namespace culvert::model
