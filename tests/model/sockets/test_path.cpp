#include "tests/model/sockets/test_path.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/segmenter.h"

namespace culvert::model {
namespace {

constexpr std::uint16_t kInnerPort = 7;

bool is_v4(std::uint16_t flow) {
    return flow % 2 == 1;
}

net::SocketAddress address(const char* v4, const char* v6, std::uint16_t flow, std::uint16_t port) {
    return {*net::IpAddress::parse(is_v4(flow) ? v4 : v6), port};
}

}  // namespace

net::SocketAddress peer_of(std::uint16_t flow) {
    return address("203.0.113.7", "2001:db8::7", flow, static_cast<std::uint16_t>(1000 + flow));
}

net::SocketAddress local_of(std::uint16_t flow) {
    return address("192.0.2.1", "2001:db8::1", flow, io::kPreferredPort);
}

Bytes make_packet(const Numbered& content, std::size_t payload) {
    Bytes bytes(std::max(payload, sizeof content.number));
    store_be(MutableByteSpan{bytes}, content.number);
    return packet::make_udp(address("10.0.0.1", "fd00::1", content.flow, content.flow),
                            address("10.0.0.2", "fd00::2", content.flow, kInnerPort), bytes);
}

std::optional<Numbered> read_packet(ByteSpan packet) {
    auto copy = to_bytes(packet);
    const auto parsed = packet::IpPacket::parse(MutableByteSpan{copy});
    if (!parsed || !parsed->is_udp() || !parsed->checksums_are_valid() || parsed->payload().size() < 8) {
        return std::nullopt;
    }
    return Numbered{parsed->source_port(), load_be<std::uint64_t>(parsed->payload())};
}

void TestPath::handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) {
    see(now);
    packet::Segmenter segments{packet};
    while (const auto segment = segments.next()) {
        const auto content = read_packet(*segment);
        if (!content) {
            throw std::logic_error{"the loop handed over a damaged packet"};
        }
        from_tun.push_back(*content);
        if (!out.push({{std::nullopt, peer_of(content->flow)}, segments.ecn(), to_bytes(*segment)})) {
            ++without_room;
        }
    }
}

void TestPath::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn,
                               MutableByteSpan datagram, packet::Coalescer& tun, Instant now) {
    see(now);
    ++datagrams;
    const auto content = read_packet(datagram);
    if (!content) {
        return;
    }
    if (local != local_of(content->flow) || from != peer_of(content->flow)) {
        throw std::logic_error{"the loop mixed up the addresses of datagrams"};
    }
    from_network.push_back(*content);
    if (!tun.push(datagram)) {
        ++without_room;
    }
}

void TestPath::handle_timeout(Instant now) {
    see(now);
    if (timer_ && *timer_ <= now) {
        ++timeouts;
        latest_timeout = std::max(latest_timeout, now - *timer_);
        timer_ = now + period_;
    }
}

std::optional<net::Transmit> TestPath::poll_transmit() {
    if (control_.empty()) {
        return std::nullopt;
    }
    auto transmit = std::move(control_.front());
    control_.pop_front();
    return transmit;
}

bool TestPath::handle_commands(Instant now) {
    see(now);
    const bool has_any = !commands_.empty();
    for (; !commands_.empty(); commands_.pop_front()) {
        ++commands;
        latest_command = std::max(latest_command, now - commands_.front());
        if (on_command) {
            on_command();
        }
    }
    return has_any;
}

void TestPath::start_timer(Duration period, Instant now) {
    period_ = period;
    timer_ = now + period;
}

void TestPath::see(Instant now) {
    if (now < last_now) {
        throw std::logic_error{"time ran backwards"};
    }
    last_now = now;
}

}  // namespace culvert::model
