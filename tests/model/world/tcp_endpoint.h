#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::model {

/// One end of a TCP connection of an application, or of a server behind a gateway: enough of RFC 9293 to move bytes
/// reliably over a bad path, and to notice when that has stopped working. Sans-IO.
///
/// Goes back to the last acknowledged byte when it retransmits; keeps nothing that arrives out of order.
class TcpEndpoint {
public:
    /// Sends a SYN.
    static TcpEndpoint connect(const net::SocketAddress& local, const net::SocketAddress& remote,
                               std::uint32_t sequence, Instant now);
    /// Answers a SYN.
    static TcpEndpoint accept(const packet::IpPacket& syn, std::uint32_t sequence, Instant now);

    /// Bytes to be sent; finish() says that these were the last.
    void send(ByteSpan bytes, Instant now);
    void finish(Instant now);

    void handle_packet(const packet::IpPacket& packet, Instant now);
    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return retransmit_at_; }
    [[nodiscard]] std::optional<Bytes> poll_packet();

    [[nodiscard]] const net::SocketAddress& local() const { return local_; }
    [[nodiscard]] const net::SocketAddress& remote() const { return remote_; }
    /// Everything that has arrived so far.
    [[nodiscard]] ByteSpan received() const { return received_; }
    [[nodiscard]] bool has_peer_finished() const { return has_peer_finished_; }
    /// Everything sent, the FIN included, has been acknowledged.
    [[nodiscard]] bool has_sent_all() const;
    /// Reset by the other end, or no acknowledgement for too long.
    [[nodiscard]] bool has_failed() const { return has_failed_; }

private:
    TcpEndpoint(const net::SocketAddress& local, const net::SocketAddress& remote, std::uint32_t sequence);

    [[nodiscard]] std::uint32_t end_of_stream() const;
    void transmit(Instant now);
    void push(std::uint32_t sequence, std::uint8_t flags, ByteSpan payload);
    void take_acknowledgement(std::uint32_t acknowledgement, Instant now);
    void take_payload(const packet::IpPacket& packet);

    net::SocketAddress local_;
    net::SocketAddress remote_;
    std::uint32_t first_;  ///< sequence number of our SYN
    bool has_accepted_ = false;
    bool is_established_ = false;

    Bytes outgoing_;
    bool is_finishing_ = false;
    std::uint32_t unacknowledged_;
    std::uint32_t next_;

    std::uint32_t expected_ = 0;
    Bytes received_;
    bool has_peer_finished_ = false;

    bool has_failed_ = false;
    unsigned attempts_ = 0;
    unsigned repeated_acknowledgements_ = 0;
    std::optional<Instant> retransmit_at_;
    std::deque<Bytes> packets_;
};

}  // namespace culvert::model
