#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/net/socket_address.h"

namespace culvert::relay {

/// Sends what a batch of received datagrams turns into, without copying it: datagrams of one flow become trains that
/// leave in single calls (UDP_SEGMENT), gathered from where they were received.
///
/// A flow's datagrams keep their order. add() stores references; nothing leaves before flush().
class TrainSender {
public:
    /// `use_gso`: whether to try UDP_SEGMENT; it is given up for good on the first sign that the machine cannot.
    explicit TrainSender(bool use_gso);

    struct Counters {
        std::uint64_t calls = 0;
        std::uint64_t datagrams = 0;
        std::uint64_t failed = 0;   ///< refused by the kernel
        std::uint64_t blocked = 0;  ///< dropped because a socket took nothing for too long
    };

    /// A datagram for `to`. `flow` is the identity of (fd, to): equal pointers, equal destination, until flush().
    void add(int fd, const void* flow, const net::SocketAddress& to, ByteSpan payload) {
        append(fd, flow, to, payload, kNoChannel);
    }
    /// The same, in a ChannelData header.
    void add_channel_data(int fd, const void* flow, const net::SocketAddress& to, std::uint16_t channel,
                          ByteSpan payload) {
        append(fd, flow, to, payload, channel);
    }

    /// Sends everything. Waits shortly for a socket that is full.
    void flush();

    [[nodiscard]] bool empty() const { return segments_.empty(); }
    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] bool is_gso_enabled() const { return use_gso_; }

private:
    static constexpr std::uint16_t kNoChannel = 0;
    static constexpr std::size_t kMaxTrains = 256;
    static constexpr std::size_t kMaxSegments = 4096;
    static constexpr std::size_t kHeader = 4;

    struct Train {
        int fd;
        const void* flow;
        sockaddr_in6 to;  ///< or a sockaddr_in
        socklen_t to_length;
        std::uint16_t channel;
        std::size_t segment_size;  ///< payload only
        std::size_t last_size;
        std::size_t count;
        std::size_t bytes;
        bool is_closed;
        std::array<std::byte, kHeader> header;
        std::array<std::byte, kHeader> last_header;
        std::size_t first_piece;
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> control;
    };
    struct Segment {
        std::uint32_t train;
        ByteSpan payload;
    };

    void append(int fd, const void* flow, const net::SocketAddress& to, ByteSpan payload, std::uint16_t channel);
    [[nodiscard]] Train* open_train(const void* flow, std::size_t size);
    void start_train(int fd, const void* flow, const net::SocketAddress& to, std::size_t size, std::uint16_t channel);
    void lay_out_pieces();
    void prepare_message(mmsghdr& message, Train& train);
    /// Sends trains order_[first, last), which share a socket.
    void send_group(std::size_t first, std::size_t last);
    void send_one_by_one(const Train& train);
    [[nodiscard]] bool wait_until_writable(int fd);

    bool use_gso_;
    bool has_waited_ = false;
    std::vector<Train> trains_;
    std::vector<Segment> segments_;
    std::vector<iovec> pieces_;
    std::vector<std::uint32_t> order_;
    std::vector<mmsghdr> messages_;
    Counters counters_;
};

}  // namespace culvert::relay
