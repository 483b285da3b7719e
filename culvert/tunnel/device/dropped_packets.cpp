#include "culvert/tunnel/device/dropped_packets.h"

#include <algorithm>

#include "culvert/observability/log.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

void DroppedPackets::add(const DroppedPacket& packet) {
    if (packets.size() < kMaxDropsPerReport) {
        packets.push_back(packet);
    } else {
        ++omitted;
    }
    const auto known = std::ranges::find(counts, packet.reason, &std::pair<std::string_view, std::size_t>::first);
    if (known != counts.end()) {
        ++known->second;
    } else {
        counts.emplace_back(packet.reason, 1);
    }
}

void log_report(const DroppedPackets& report) {
    for (const auto& packet : report.packets) {
        kLog.log(packet.is_expected ? log::Level::kTrace : log::Level::kDebug, "Dropped datagram",
                 log::field("reason", packet.reason), log::field("cause", packet.cause),
                 log::field("local", packet.local), log::field("remote", packet.from),
                 log::field("bytes", packet.bytes));
    }
    if (report.omitted > 0) {
        kLog.debug("Dropped more datagrams", log::field("count", report.omitted));
    }
}

}  // namespace culvert::tunnel
