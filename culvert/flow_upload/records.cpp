#include "culvert/flow_upload/records.h"

namespace culvert::flow_upload {

portal_api::FlowRecord to_record(const tunnel::TrackedFlow& flow, const ClockHistory& clock) {
    portal_api::FlowRecord record{.protocol = flow.protocol,
                                  .inner_source = flow.source,
                                  .inner_destination = flow.destination,
                                  .domain = flow.domain.empty() ? std::nullopt : std::optional{flow.domain},
                                  .outers = {},
                                  .started_at = clock.civil(flow.started_at),
                                  .end = {}};
    for (const auto& path : flow.paths) {
        record.outers.push_back({path.source, path.destination, clock.civil(path.activated_at)});
    }
    if (const auto& end = flow.end) {
        record.end = portal_api::FlowEnd{.ended_at = clock.civil(end->ended_at),
                                         .last_packet = clock.civil(end->last_packet),
                                         .rx_packets = end->rx_packets,
                                         .tx_packets = end->tx_packets,
                                         .rx_bytes = end->rx_bytes,
                                         .tx_bytes = end->tx_bytes};
    }
    return record;
}

}  // namespace culvert::flow_upload
