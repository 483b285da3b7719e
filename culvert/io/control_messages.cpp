#include "culvert/io/control_messages.h"

#include <netinet/udp.h>

#include <cstdint>
#include <span>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace culvert::io {

ReceivedControls read_controls(msghdr& message) {
    ReceivedControls controls;
    for (auto* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
        const auto* data = reinterpret_cast<const std::byte*>(CMSG_DATA(control));
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            in_pktinfo info;
            std::memcpy(&info, data, sizeof info);
            controls.local = net::IpAddress::from_bytes(std::as_bytes(std::span{&info.ipi_addr, 1}));
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info;
            std::memcpy(&info, data, sizeof info);
            controls.local = net::IpAddress::from_bytes(std::as_bytes(std::span{&info.ipi6_addr, 1}));
        } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
            controls.ecn = static_cast<net::Ecn>(std::to_integer<unsigned>(data[0]) & 3U);
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
            int traffic_class = 0;
            std::memcpy(&traffic_class, data, sizeof traffic_class);
            controls.ecn = static_cast<net::Ecn>(traffic_class & 3);
        } else if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            int segment_size = 0;
            std::memcpy(&segment_size, data, sizeof segment_size);
            controls.segment_size = segment_size > 0 ? static_cast<std::size_t>(segment_size) : 0;
        }
    }
    return controls;
}

void append_source(msghdr& message, const net::IpAddress& source) {
    const auto bytes = source.bytes();
    if (source.is_v4()) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, bytes.data(), bytes.size());
        append_control(message, IPPROTO_IP, IP_PKTINFO, info);
    } else {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, bytes.data(), bytes.size());
        append_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
}

void append_ecn(msghdr& message, net::Family family, net::Ecn ecn) {
    const int traffic_class = static_cast<int>(ecn);
    if (family == net::Family::kIpv4) {
        append_control(message, IPPROTO_IP, IP_TOS, traffic_class);
    } else {
        append_control(message, IPPROTO_IPV6, IPV6_TCLASS, traffic_class);
    }
}

void append_segment_size(msghdr& message, std::size_t bytes) {
    append_control(message, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(bytes));
}

}  // namespace culvert::io
