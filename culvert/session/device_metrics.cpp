#include "culvert/session/device_metrics.h"

#include "culvert/observability/metrics_page.h"

namespace culvert::session {

std::string render_metrics(std::span<const io::ShardCounters* const> shards) {
    using Counters = io::ShardCounters;
    const auto total = [&](std::atomic<std::uint64_t> Counters::* counter) {
        std::uint64_t sum = 0;
        for (const auto* shard : shards) {
            sum += (shard->*counter).load(std::memory_order_relaxed);
        }
        return sum;
    };
    observability::MetricsPage page;
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
