#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/io/udp_socket.h"
#include "culvert/net/socket_address.h"
#include "culvert/turn/channel_data.h"

namespace culvert::relay {

/// What a batch of received datagrams turns into, on its way out: datagrams of one flow become trains, gathered from
/// where they were received without copying them.
///
/// A flow's datagrams keep their order. add() stores references to payload and socket; nothing leaves before flush().
class Outbox {
public:
    Outbox();

    struct Counters {
        std::uint64_t calls = 0;
        std::uint64_t datagrams = 0;
        std::uint64_t failed = 0;   ///< refused by the kernel
        std::uint64_t blocked = 0;  ///< dropped because a socket took nothing for too long
    };

    /// Whether the next add() needs a flush() first.
    [[nodiscard]] bool is_full() const { return segments_.size() == kMaxSegments || trains_.size() == kMaxTrains; }

    /// A datagram for `to`. `flow` is the identity of (socket, to): equal pointers, equal destination, until
    /// close_trains() or flush(). Requires that there is room, and that no flush() is under way.
    void add(io::UdpSocket& socket, const void* flow, const net::SocketAddress& to, ByteSpan payload) {
        append(socket, flow, to, payload, kNoChannel);
    }
    /// The same, in a ChannelData header.
    void add_channel_data(io::UdpSocket& socket, const void* flow, const net::SocketAddress& to, std::uint16_t channel,
                          ByteSpan payload) {
        append(socket, flow, to, payload, channel);
    }

    /// What is added from now on joins no datagram that is there: flows may have ended, and others be where they were.
    void close_trains() { first_open_ = trains_.size(); }

    /// Sends. If a socket takes nothing any more, wait until it does and call again, or drop_blocked() and call again.
    io::UdpSocket::SendResult flush(io::SendRing& ring, io::ErrorBatch& errors);
    /// Gives up what is left for the socket that takes nothing.
    void drop_blocked();
    /// The socket that flush() has to wait for; null if there is none.
    [[nodiscard]] const io::UdpSocket* blocked() const { return blocked_; }

    [[nodiscard]] bool empty() const { return segments_.empty(); }
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    static constexpr std::uint16_t kNoChannel = 0;
    static constexpr std::size_t kMaxTrains = 256;
    static constexpr std::size_t kMaxSegments = 4096;

    using Header = std::array<std::byte, turn::kChannelDataHeaderSize>;

    struct Train {
        io::UdpSocket* socket;
        const void* flow;
        net::SocketAddress to;
        std::uint16_t channel;
        std::size_t segment_size;  ///< payload only
        std::size_t count;
        std::size_t bytes;
        bool is_closed;
        Header header;
        Header last_header;
        std::size_t first_piece;

        [[nodiscard]] std::size_t header_size() const { return channel == kNoChannel ? 0 : sizeof(Header); }
        [[nodiscard]] std::size_t pieces_per_datagram() const { return channel == kNoChannel ? 1 : 2; }
    };
    struct Segment {
        std::uint32_t train;
        ByteSpan payload;
    };

    void append(io::UdpSocket& socket, const void* flow, const net::SocketAddress& to, ByteSpan payload,
                std::uint16_t channel);
    [[nodiscard]] Train* open_train(const void* flow, std::size_t size);
    void start_train(io::UdpSocket& socket, const void* flow, const net::SocketAddress& to, std::size_t size,
                     std::uint16_t channel);
    void lay_out();
    void lay_out_pieces();
    /// Where in `row_` the trains of the socket of the first that is left end.
    [[nodiscard]] std::size_t group_end() const;

    std::vector<Train> trains_;
    std::vector<Segment> segments_;
    std::size_t first_open_ = 0;

    // From lay_out() on: the trains by socket, and how many of them have left.
    std::vector<iovec> pieces_;
    std::vector<std::uint32_t> order_;
    std::vector<io::Train> row_;
    std::size_t row_begin_ = 0;
    io::SendPosition position_;
    const io::UdpSocket* blocked_ = nullptr;

    Counters counters_;
};

}  // namespace culvert::relay
