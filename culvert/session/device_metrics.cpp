#include "culvert/session/device_metrics.h"

#include <map>
#include <string_view>

#include "culvert/observability/metrics_page.h"

namespace culvert::session {

std::string render_metrics(std::span<const ShardMetrics> shards) {
    using Counters = io::ShardCounters;
    const auto total = [&](std::atomic<std::uint64_t> Counters::* counter) {
        std::uint64_t sum = 0;
        for (const auto& shard : shards) {
            sum += (shard.packets->*counter).load(std::memory_order_relaxed);
        }
        return sum;
    };
    connectivity::Census census;
    std::map<std::string_view, std::uint64_t> drops;
    for (const auto& shard : shards) {
        const auto own = shard.figures->census();
        census.connecting += own.connecting;
        census.direct += own.direct;
        census.relayed += own.relayed;
        census.established += own.established;
        census.failed += own.failed;
        census.relays += own.relays;
        census.allocations += own.allocations;
        shard.figures->for_each_drop([&](std::string_view reason, std::uint64_t count) { drops[reason] += count; });
    }
    observability::MetricsPage page;
    page.gauge("culvert_connections", "Connections to peers, by where their packets go.")
        .value(census.connecting, {{"path", "none"}})
        .value(census.direct, {{"path", "direct"}})
        .value(census.relayed, {{"path", "relayed"}});
    page.counter("culvert_connections_established_total", "Connections whose first handshake succeeded.")
        .value(census.established);
    page.counter("culvert_connections_failed_total", "Connections that timed out, before or after that.")
        .value(census.failed);
    page.gauge("culvert_relays", "Relays that the portal lists and that have not been given up.").value(census.relays);
    page.gauge("culvert_relays_allocated", "Relays on which there is an allocation.").value(census.allocations);
    page.counter("culvert_dropped_datagrams_total", "Datagrams from the network that led to nothing.");
    for (const auto& [reason, count] : drops) {
        page.value(count, {{"reason", std::string{reason}}});
    }
    page.counter("culvert_udp_datagrams_total", "Datagrams on the UDP sockets.")
        .value(total(&Counters::udp_datagrams_received), {{"direction", "receive"}})
        .value(total(&Counters::udp_datagrams_sent), {{"direction", "transmit"}});
    page.counter("culvert_udp_bytes_total", "Payload bytes on the UDP sockets.")
        .value(total(&Counters::udp_bytes_received), {{"direction", "receive"}})
        .value(total(&Counters::udp_bytes_sent), {{"direction", "transmit"}});
    page.counter("culvert_udp_send_calls_total", "System calls that sent datagrams.")
        .value(total(&Counters::udp_sends));
    page.counter("culvert_tun_reads_total", "Packets and super-packets read from the TUN interface.")
        .value(total(&Counters::tun_reads));
    page.counter("culvert_tun_read_bytes_total", "Bytes read from the TUN interface.")
        .value(total(&Counters::tun_bytes_read));
    page.counter("culvert_tun_writes_total", "Packets and super-packets written to the TUN interface.")
        .value(total(&Counters::tun_writes));
    page.counter("culvert_udp_dropped_datagrams_total", "Datagrams that the UDP sockets could not pass on.")
        .value(total(&Counters::udp_datagrams_unusable), {{"direction", "receive"}})
        .value(total(&Counters::udp_datagrams_refused), {{"direction", "transmit"}});
    page.counter("culvert_tun_dropped_packets_total", "Packets that the TUN interface could not pass on.")
        .value(total(&Counters::tun_packets_unusable), {{"direction", "read"}})
        .value(total(&Counters::tun_packets_refused), {{"direction", "write"}});
    return page.render();
}

}  // namespace culvert::session
