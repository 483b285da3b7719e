#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>

#include "culvert/net/ecn.h"
#include "culvert/net/ip_address.h"

/// What travels beside the bytes of a datagram between a program and its kernel. Private to io and to whoever plays the
/// kernel.
namespace culvert::io {

/// Room for packet info, traffic class and segment size, of either family.
struct ControlRoom {
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) * 2> bytes;
};

struct ReceivedControls {
    std::optional<net::IpAddress> local;
    net::Ecn ecn = net::Ecn::kNotEct;
    std::size_t segment_size = 0;  ///< 0: a single datagram
};
[[nodiscard]] ReceivedControls read_controls(msghdr& message);

/// Adds one control message behind those that are there. msg_control points at the start of the room; msg_controllen
/// counts what is in use.
template <typename T>
void append_control(msghdr& message, int level, int type, const T& value) {
    auto* header = reinterpret_cast<cmsghdr*>(static_cast<std::byte*>(message.msg_control) + message.msg_controllen);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(header), &value, sizeof value);
    message.msg_controllen += CMSG_SPACE(sizeof value);
}

void append_source(msghdr& message, const net::IpAddress& source);
void append_ecn(msghdr& message, net::Family family, net::Ecn ecn);
void append_segment_size(msghdr& message, std::size_t bytes);

}  // namespace culvert::io
