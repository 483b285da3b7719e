// What a gateway spends on packets: of flows to addresses, of flows to names, which it translates, of flows that it
// tells of in the log, and of flows that it records for the portal. bench/gateway_bench [ROUNDS]; times are per packet,
// the best of all rounds.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/observability/log_capture.h"
#include "culvert/observability/log_format.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kHeadroom = 64;
constexpr std::size_t kPayload = 1240;
constexpr std::size_t kBatch = 48;
constexpr std::uint16_t kServerPort = 443;

class Bench {
public:
    Bench() {
        network_.connect_rogue(gateway_, gateway_cidr(1, "10.0.0.0/16"));
        auto names = network_.rogue_authorization;
        names.resource = portal_api::GatewayDnsResource{id<ResourceId>(2), "names", "*.example", {}};
        network_.to_gateway(gateway_, names);
        const p2p::AssignedIps assigned{id<ResourceId>(2), "a.example", {ip("100.96.0.1")}};
        network_.send_from_rogue(
            gateway_, *p2p::make_control_packet(p2p::EventType::kAssignedIps, as_bytes(p2p::encode(assigned))));
        network_.run_for(50ms);
        network_.command(gateway_, NameFound{gateway_.look_ups.at(0).id, {ip("10.1.0.1")}, 1h});
        network_.run_for(50ms);
    }

    void run(int rounds) {
        struct Case {
            std::string_view name;
            std::string_view destination;
            std::string_view real;
            double out = 1e9;
            double in = 1e9;
        };
        std::vector<Case> cases{{"to an address", "10.0.0.1", "10.0.0.1"}, {"to a name", "100.96.0.1", "10.1.0.1"}};
        for (int round = 0; round < rounds; ++round) {
            for (auto& one : cases) {
                one.out = std::min(one.out, outbound(one.destination));
                one.in = std::min(one.in, inbound(one.real));
            }
        }
        for (const auto& one : cases) {
            std::printf("%-16.*s from the client %7.1f ns   to the client %7.1f ns\n",
                        static_cast<int>(one.name.size()), one.name.data(), one.out, one.in);
        }
        std::printf("%-16s from the client %7.2f x    to the client %7.2f x\n", "throughput",
                    cases[0].out / cases[1].out, cases[0].in / cases[1].in);
    }

    /// Packets of a flow, and new flows, with a record for the portal and without.
    void run_records(int rounds) {
        double out[2] = {1e9, 1e9};
        double in[2] = {1e9, 1e9};
        double begun[2] = {1e9, 1e9};
        for (int round = 0; round < rounds; ++round) {
            for (const bool is_recorded : {false, true}) {
                auto message = network_.rogue_authorization;
                if (is_recorded) {
                    message.flow_logs_ingest_token = ingest_token(id<ResourceId>(1), portal_api::FlowRole::kResponder);
                }
                network_.to_gateway(gateway_, message);
                out[is_recorded] = std::min(out[is_recorded], outbound("10.0.0.1"));
                in[is_recorded] = std::min(in[is_recorded], inbound("10.0.0.1"));
                if (round % 20 == 0) {
                    begun[is_recorded] = std::min(begun[is_recorded], flows());
                }
                network_.run_for(1s);
                gateway_.records.clear();
            }
        }
        std::printf("recorded         from the client %+7.1f ns   to the client %+7.1f ns   a flow %+7.2f us\n",
                    out[1] - out[0], in[1] - in[0], (begun[1] - begun[0]) / 1e3);
    }

    /// New flows, each of a SYN and a RST.
    void run_flows(int rounds) {
        double silent = 1e9;
        double told = 1e9;
        std::size_t lines = 0;
        std::size_t bytes = 0;
        for (int round = 0; round < rounds; ++round) {
            silent = std::min(silent, flows());
            const log::CaptureScope capture{
                log::Level::kTrace, [&](log::Level level, std::string_view target, std::string_view message,
                                        const std::vector<log::TextField>& fields) {
                    if (target.starts_with("flow_logs")) {
                        ++lines;
                        bytes += log::format_json(level, target, message, fields, "2026-01-01T00:00:00.000Z").size();
                    }
                }};
            network_.to_gateway(gateway_, network_.rogue_authorization);  // looks whether lines are wanted
            told = std::min(told, flows());
        }
        std::printf(
            "a flow           %7.2f us, with a line in the log %7.2f us (%zu bytes): %.1f %% of a core for 10,000 a "
            "second\n",
            silent / 1e3, told / 1e3, lines == 0 ? 0 : bytes / lines, told / 1e9 * 10'000 * 100);
    }

private:
    /// Sealed datagrams of the client, which the clock does not see.
    void seal(ByteSpan packet) {
        Bytes buffer(kHeadroom + packet.size() + 64);
        std::ranges::copy(packet, buffer.begin() + kHeadroom);
        packet::Segmenter segments{
            packet::IpPacket::parse(MutableByteSpan{buffer}.subspan(kHeadroom, packet.size())).value()};
        network_.rogue->node.encapsulate(gateway_.id.uuid(), segments, queue_, network_.now);
        const auto batch = queue_.batch(0);
        to_ = batch.path.destination;
        datagrams_.push_back(to_bytes(batch.bytes));
        queue_.clear();
    }

    double outbound(std::string_view destination) {
        datagrams_.clear();
        for (std::size_t i = 0; i < kBatch; ++i) {
            seal(packet::make_tcp(socket("100.64.0.1:5000"), {ip(destination), kServerPort},
                                  {.sequence = static_cast<std::uint32_t>(sequence_ += kPayload)}, Bytes(kPayload)));
        }
        const auto start = Clock::now();
        for (auto& datagram : datagrams_) {
            gateway_.state.handle_datagram(to_, {network_.rogue->address, 52625}, net::Ecn::kNotEct, datagram, tun_,
                                           network_.now);
        }
        const auto time = Clock::now() - start;
        tun_.clear();
        return std::chrono::duration<double, std::nano>(time).count() / kBatch;
    }

    /// One super-packet, as the kernel hands it over.
    double inbound(std::string_view source) {
        const auto packet =
            packet::make_tcp({ip(source), kServerPort}, socket("100.64.0.1:5000"), {}, Bytes(kPayload * kBatch));
        Bytes buffer(kHeadroom + packet.size());
        std::ranges::copy(packet, buffer.begin() + kHeadroom);
        const packet::TunPacket read{MutableByteSpan{buffer}.subspan(kHeadroom),
                                     {.kind = packet::Offload::Kind::kTcp4, .segment_size = kPayload}};
        const auto start = Clock::now();
        gateway_.state.handle_tun_packet(read, queue_, network_.now);
        const auto time = Clock::now() - start;
        std::size_t packets = 0;
        for (std::size_t i = 0; i < queue_.size(); ++i) {
            packets += queue_.batch(i).segments;
        }
        queue_.clear();
        if (packets != kBatch) {
            std::printf("only %zu packets arrived\n", packets);
        }
        return std::chrono::duration<double, std::nano>(time).count() / kBatch;
    }

    double flows() {
        constexpr std::size_t kFlows = 1000;
        datagrams_.clear();
        network_.now += 10s;  // the client is rested
        std::vector<Bytes> answers;
        for (std::size_t i = 0; i < kFlows; ++i) {
            const net::SocketAddress client{ip("100.64.0.1"), next_port_};
            next_port_ = next_port_ == 60'000 ? std::uint16_t{10'000} : static_cast<std::uint16_t>(next_port_ + 1);
            seal(packet::make_tcp(client, {ip("10.0.0.1"), kServerPort}, {.flags = packet::kTcpSyn}, {}));
            const auto answer = packet::make_tcp({ip("10.0.0.1"), kServerPort}, client, {.flags = packet::kTcpRst}, {});
            answers.emplace_back(kHeadroom).insert(answers.back().end(), answer.begin(), answer.end());
        }
        const auto start = Clock::now();
        for (std::size_t i = 0; i < kFlows; ++i) {
            gateway_.state.handle_datagram(to_, {network_.rogue->address, 52625}, net::Ecn::kNotEct, datagrams_[i],
                                           tun_, network_.now);
            tun_.clear();
            gateway_.state.handle_tun_packet({MutableByteSpan{answers[i]}.subspan(kHeadroom), {}}, queue_,
                                             network_.now);
            queue_.clear();
        }
        return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kFlows;
    }

    TunnelNetwork network_;
    TunnelNetwork::Gateway& gateway_ = network_.add_gateway(1);
    std::vector<Bytes> datagrams_;
    net::SocketAddress to_;
    net::TransmitQueue queue_;
    packet::Coalescer tun_;
    std::uint64_t sequence_ = 0;
    std::uint16_t next_port_ = 10'000;
};

}  // namespace
}  // namespace culvert::tunnel::test

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 2000;
    culvert::tunnel::test::Bench bench;
    bench.run(rounds);
    bench.run_flows(std::max(1, rounds / 100));
    bench.run_records(std::max(1, rounds / 4));
}
