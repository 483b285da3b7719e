// Cost of the packet work of the data path, per operation and per byte. Sizes are those of full-size packets in the
// tunnel. Reads as: what segmentation, merging and checksums add to each packet's encryption.

#include <benchmark/benchmark.h>

#include <vector>

#include "culvert/packet/builder.h"
#include "culvert/packet/checksum.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/segmenter.h"

namespace {

using namespace culvert;
using namespace culvert::packet;

const net::SocketAddress kSource{*net::IpAddress::parse("100.64.0.1"), 40000};
const net::SocketAddress kDestination{*net::IpAddress::parse("10.20.0.10"), 5201};
const TcpFields kTcp{.sequence = 1, .options = Bytes(12, std::byte{1})};
constexpr std::size_t kSegmentSize = kMaxIpPacket - 20 - 32;
constexpr std::size_t kSegments = 50;

std::int64_t signed_size(std::size_t size) {
    return static_cast<std::int64_t>(size);
}

void report(benchmark::State& state, std::size_t packets, std::size_t bytes) {
    state.SetItemsProcessed(state.iterations() * signed_size(packets));
    state.SetBytesProcessed(state.iterations() * signed_size(bytes));
}

void checksum(benchmark::State& state) {
    const Bytes bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
    for (auto _ : state) {
        benchmark::DoNotOptimize(internet_checksum(bytes));
    }
    report(state, 1, bytes.size());
}
BENCHMARK(checksum)->Arg(20)->Arg(64)->Arg(kSegmentSize)->Arg(65535);

void parse(benchmark::State& state) {
    auto bytes = make_tcp(kSource, kDestination, kTcp, Bytes(kSegmentSize));
    for (auto _ : state) {
        benchmark::DoNotOptimize(IpPacket::parse(bytes));
    }
    report(state, 1, bytes.size());
}
BENCHMARK(parse);

void translate(benchmark::State& state) {
    auto bytes = make_tcp(kSource, kDestination, kTcp, Bytes(kSegmentSize));
    auto packet = *IpPacket::parse(bytes);
    std::uint16_t port = 0;
    for (auto _ : state) {
        packet.set_destination(port % 2 == 0 ? kSource.ip : kDestination.ip);
        packet.set_source_value(++port);
    }
    report(state, 1, bytes.size());
}
BENCHMARK(translate);

void segment_tcp(benchmark::State& state) {
    auto bytes = make_tcp(kSource, kDestination, kTcp, Bytes(kSegmentSize * kSegments));
    const Bytes header(bytes.begin(), bytes.begin() + 52);
    for (auto _ : state) {
        std::ranges::copy(header, bytes.begin());
        Segmenter segmenter{TunPacket{bytes, {.kind = Offload::Kind::kTcp4, .segment_size = kSegmentSize}}};
        while (const auto segment = segmenter.next()) {
            benchmark::DoNotOptimize(segment->data());
        }
    }
    report(state, kSegments, bytes.size());
}
BENCHMARK(segment_tcp);

std::vector<Bytes> train() {
    std::vector<Bytes> packets;
    auto tcp = kTcp;
    for (std::size_t i = 0; i < kSegments; ++i) {
        packets.push_back(make_tcp(kSource, kDestination, tcp, Bytes(kSegmentSize)));
        tcp.sequence += kSegmentSize;
    }
    return packets;
}

/// Parse, merge, and lay out for writev(): all that a decrypted packet goes through here.
void coalesce(benchmark::State& state, bool merges) {
    auto packets = train();
    const Bytes header(packets[0].begin(), packets[0].begin() + 52);
    Coalescer coalescer;
    coalescer.set_coalescing(merges, merges);
    for (auto _ : state) {
        std::ranges::copy(header, packets[0].begin());
        for (auto& packet : packets) {
            coalescer.push(MutableByteSpan{packet});
        }
        for (std::size_t i = 0; i < coalescer.size(); ++i) {
            benchmark::DoNotOptimize(coalescer.item(i).pieces.data());
        }
        coalescer.clear();
    }
    report(state, kSegments, kSegments * packets[0].size());
}
BENCHMARK_CAPTURE(coalesce, merged, true);
BENCHMARK_CAPTURE(coalesce, unmerged, false);

}  // namespace
