#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/base/deadlines.h"
#include "culvert/base/time.h"
#include "culvert/tcp/packet_queue.h"
#include "culvert/tcp/receiver.h"
#include "culvert/tcp/segment.h"
#include "culvert/tcp/sender.h"

namespace culvert::tcp {

/// What the user of a connection should know. The last five end it, and nothing comes after them.
enum class Signal : std::uint8_t {
    kOpened,      ///< Both ends agree. For one that the peer asked for: now it exists.
    kReadable,    ///< There is something to read.
    kDrained,     ///< All that was written has been acknowledged.
    kPeerClosed,  ///< The peer will send nothing more; it may still read.
    kIdle,        ///< Nobody used it for the idle time. Comes again after another one.
    kClosed,      ///< Both ends have finished, and everything arrived. What arrived can still be read for a while.
    kRefused,     ///< Nobody listens there.
    kReset,       ///< By the peer.
    kTimedOut,    ///< The peer is silent, or takes nothing.
    kUnreachable  ///< Says a router, before there was a connection.
};

/// One TCP connection (RFC 9293), as small as DNS over TCP allows: no options but the segment size, no window scaling,
/// no selective acknowledgements, no urgent data, no data in SYN; what arrives out of order is dropped. Instead of
/// congestion control there is slow start after loss. No Nagle: who writes, writes whole messages.
///
/// Blind attacks are answered as RFC 5961 asks: a RST counts only if it is exactly next, a SYN never.
///
/// Sans-IO. Its packets go to the queue that it was given; signals are polled. Endpoints keeps them and hands out
/// segments.
class Connection {
public:
    enum class State : std::uint8_t {
        kSynSent,
        kSynReceived,
        kEstablished,
        kFinWait1,
        kFinWait2,
        kClosing,
        kTimeWait,
        kCloseWait,
        kLastAck,
        kClosed
    };

    struct Settings {
        Route route;
        /// Where our own sequence numbers start (RFC 6528).
        Sequence initial;
        Duration idle_time;
    };

    /// Asks the peer for a connection.
    Connection(const Settings& settings, PacketQueue& packets, Instant now);
    /// Answers the peer who asked for one. Requires a SYN without ACK or RST.
    Connection(const Settings& settings, const Segment& syn, PacketQueue& packets, Instant now);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool is_half_open() const { return state_ == State::kSynReceived && is_passive_; }
    [[nodiscard]] const Route& route() const { return route_; }

    void handle_segment(const Segment& segment, Instant now);
    /// A router says that what we sent at `sequence` did not reach the peer. Only believed before there is a connection
    /// (RFC 5927 section 4), later something else may help.
    void handle_unreachable(Sequence sequence);
    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return due_.next(); }

    /// The first of the signals that are waiting. Each waits at most once.
    [[nodiscard]] std::optional<Signal> poll_signal();

    /// How much write() would take now.
    [[nodiscard]] std::size_t room() const;
    /// What was written and is not acknowledged.
    [[nodiscard]] std::size_t unacknowledged() const { return sender_.size(); }
    /// Takes all of it or nothing. Sends what the peer has room for.
    [[nodiscard]] bool write(ByteSpan bytes, Instant now);

    /// What can be read. Valid until the next call.
    [[nodiscard]] ByteSpan readable() const { return receiver_.readable(); }
    /// Requires count <= readable().size().
    void consume(std::size_t count, Instant now);

    /// Nothing more will be written. What was written is still delivered, and what the peer sends can be read until it
    /// finishes as well.
    void close(Instant now);
    /// Ends at once, and tells the peer so with a RST. No signal follows.
    void abort();
    /// Whether a SYN for the same two ends may replace the connection: it has ended, and the numbers of the new one are
    /// above all of its own, so that nothing can be mixed up (RFC 9293 section 3.10.7.4, RFC 6191).
    [[nodiscard]] bool may_be_replaced_by(const Segment& syn) const;

    /// The idle time starts again. write() does the same.
    void restart_idle(Instant now);

private:
    enum class Due : std::uint8_t {
        kRetransmit,
        kProbe,  ///< The peer has no room; to see whether it has some again (RFC 9293 section 3.8.6.1).
        kAcknowledge,
        kHandshake,
        kStall,
        kFinWait,
        kTimeWait,
        kIdle
    };

    Connection(const Settings& settings, PacketQueue& packets, State state);

    void handle_in_syn_sent(const Segment& segment, Instant now);
    void handle_in_time_wait(const Segment& segment, Instant now);
    void answer_unacceptable(const Segment& segment, Instant now);
    /// False: the segment goes no further.
    [[nodiscard]] bool handle_acknowledgement(const Segment& segment, Instant now);
    void take_acknowledgement(Sequence acknowledgement, Instant now);
    void handle_payload(const Segment& segment, Instant now);
    void handle_fin(Instant now);
    void become_established(Instant now);
    void enter_time_wait(Instant now);
    void end(Signal signal);
    void remember_segment_size(const Segment& syn);

    void send_syn(Instant now);
    void transmit(Instant now);
    void update_send_timers(Instant now);
    void send_acknowledgement();
    void challenge(Instant now);
    void send(Segment segment);
    void retransmit(Instant now);
    void probe(Instant now);
    void give_up();

    [[nodiscard]] bool is_synchronised() const { return state_ > State::kSynReceived && state_ < State::kClosed; }
    [[nodiscard]] bool may_send_data() const;
    void signal(Signal signal) { signals_ |= 1U << static_cast<unsigned>(signal); }

    Route route_;
    PacketQueue* packets_;
    State state_;
    bool is_passive_;
    Deadlines<Due> due_;
    Duration idle_time_;
    std::uint32_t signals_ = 0;
    Instant challenged_at_ = Instant::min();
    Sender sender_;
    Receiver receiver_;
};

}  // namespace culvert::tcp
