#include "culvert/tcp/connection.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace culvert::tcp {
namespace {

using packet::kTcpAck;
using packet::kTcpFin;
using packet::kTcpPsh;
using packet::kTcpRst;
using packet::kTcpSyn;

}  // namespace

Connection::Connection(const Settings& settings, PacketQueue& packets, State state)
    : route_{settings.route},
      packets_{&packets},
      state_{state},
      is_passive_{state == State::kSynReceived},
      idle_time_{settings.idle_time},
      initial_{settings.initial},
      unacknowledged_{initial_},
      next_{initial_},
      highest_{initial_},
      segment_size_{default_segment_size(route_.local.is_v4())},
      flight_limit_{kInitialFlight * segment_size_} {}

Connection::Connection(const Settings& settings, PacketQueue& packets, Instant now)
    : Connection{settings, packets, State::kSynSent} {
    due_.set(Due::kHandshake, now + kHandshakeTime);
    send_syn(now);
}

Connection::Connection(const Settings& settings, const Segment& syn, PacketQueue& packets, Instant now)
    : Connection{settings, packets, State::kSynReceived} {
    assert(syn.has(kTcpSyn) && !syn.has(kTcpAck) && !syn.has(kTcpRst));
    expected_ = syn.sequence + 1;
    remember_segment_size(syn);
    due_.set(Due::kHandshake, now + kHandshakeTime);
    send_syn(now);
}

// --- Segments ---

void Connection::handle_segment(const Segment& segment, Instant now) {
    if (state_ == State::kSynSent) {
        handle_in_syn_sent(segment, now);
        return;
    }
    if (state_ == State::kTimeWait) {
        handle_in_time_wait(segment, now);
        return;
    }
    if (!is_acceptable(segment)) {
        answer_unacceptable(segment, now);
        return;
    }
    if (segment.has(kTcpRst)) {
        if (segment.sequence == expected_) {
            end(Signal::kReset);
        } else {
            challenge(now);
        }
        return;
    }
    if (segment.has(kTcpSyn)) {
        challenge(now);
        return;
    }
    if (!handle_acknowledgement(segment, now)) {
        return;
    }
    handle_payload(segment, now);
    if (state_ != State::kClosed) {
        transmit(now);
    }
}

void Connection::handle_in_syn_sent(const Segment& segment, Instant now) {
    const bool acknowledges = segment.has(kTcpAck);
    if (acknowledges && segment.acknowledgement != initial_ + 1) {
        if (const auto refusal = refusal_of(segment)) {
            send(*refusal);
        }
        return;
    }
    if (segment.has(kTcpRst)) {
        if (acknowledges) {
            end(Signal::kRefused);
        }
        return;
    }
    if (!segment.has(kTcpSyn)) {
        return;
    }
    expected_ = segment.sequence + 1;
    remember_segment_size(segment);
    if (!acknowledges) {  // both ends asked at the same time
        state_ = State::kSynReceived;
        next_ = initial_;
        send_syn(now);
        return;
    }
    take_acknowledgement(segment.acknowledgement, now);
    update_window(segment);
    become_established(now);
    offered_ = expected_ + kReceiveBuffer;  // as our SYN said
    due_.set(Due::kAcknowledge, now);
    transmit(now);
    if (due_.is_set(Due::kAcknowledge)) {  // nothing to send took it along
        send_acknowledgement();
    }
}

void Connection::handle_in_time_wait(const Segment& segment, Instant now) {
    if (segment.has(kTcpRst)) {
        return;  // too late to end anything, and it would only let old segments in earlier (RFC 1337)
    }
    if (segment.has(kTcpFin)) {  // our last acknowledgement was lost
        due_.set(Due::kTimeWait, now + kTimeWaitTime);
        send_acknowledgement();
    } else if (segment.length() > 0 || segment.sequence != expected_) {
        challenge(now);
    }
}

bool Connection::is_acceptable(const Segment& segment) const {
    const auto length = segment.length();
    if (segment.sequence == expected_) {
        return true;  // also without room: its acknowledgement counts
    }
    const auto window = receive_window();
    const auto last = segment.sequence + (length == 0 ? 0 : length - 1);
    return segment.sequence < expected_ + window && last >= expected_;
}

void Connection::answer_unacceptable(const Segment& segment, Instant now) {
    if (segment.has(kTcpRst)) {
        return;
    }
    if (state_ == State::kSynReceived && segment.has(kTcpSyn) && segment.sequence + 1 == expected_) {
        return;  // asked again: so is our answer, in its own time
    }
    if (segment.payload.empty() && !segment.has(kTcpFin)) {
        challenge(now);
    } else {
        send_acknowledgement();
    }
}

bool Connection::handle_acknowledgement(const Segment& segment, Instant now) {
    if (!segment.has(kTcpAck)) {
        return false;
    }
    const auto acknowledgement = segment.acknowledgement;
    if (state_ == State::kSynReceived) {
        if (acknowledgement != initial_ + 1) {
            if (const auto refusal = refusal_of(segment)) {
                send(*refusal);
            }
            return false;
        }
        take_acknowledgement(acknowledgement, now);
        update_window(segment);
        become_established(now);
        return true;
    }
    // RFC 5961 section 5: a peer can only acknowledge what was sent, and not long ago.
    if (acknowledgement > highest_ || acknowledgement + largest_window_ < unacknowledged_) {
        challenge(now);
        return false;
    }
    const bool had_finished = is_fin_acknowledged_;
    if (acknowledgement > unacknowledged_) {
        take_acknowledgement(acknowledgement, now);
    } else if (acknowledgement == unacknowledged_) {
        count_duplicate(segment, now);
    }
    update_window(segment);
    if (is_fin_acknowledged_ && !had_finished) {
        switch (state_) {
            case State::kFinWait1:
                state_ = State::kFinWait2;
                due_.set(Due::kFinWait, now + kFinWaitTime);
                break;
            case State::kClosing:
                enter_time_wait(now);
                break;
            case State::kLastAck:
                if (received_.empty()) {
                    end(Signal::kClosed);
                } else {
                    enter_time_wait(now);  // only for what is still to be read
                }
                return false;
            default:
                break;
        }
    }
    return true;
}

void Connection::take_acknowledgement(Sequence acknowledgement, Instant now) {
    std::size_t bytes = distance(unacknowledged_, acknowledgement);
    if (state_ <= State::kSynReceived) {
        --bytes;  // our SYN
    }
    if (bytes > sent_.size()) {  // our FIN
        --bytes;
        is_fin_acknowledged_ = true;
    }
    assert(bytes <= sent_.size());
    const bool had_data = !sent_.empty();
    sent_.pop(bytes);
    unacknowledged_ = acknowledgement;
    next_ = std::max(next_, acknowledgement);
    duplicates_ = 0;
    flight_limit_ = std::min(flight_limit_ + segment_size_, kSendBuffer);
    if (timed_ && acknowledgement >= timed_->end) {
        retransmission_time_.add_sample(now - timed_->sent_at);
        timed_.reset();
    } else {
        retransmission_time_.reset_backoff();
    }
    due_.clear(Due::kRetransmit);
    due_.clear(Due::kStall);
    if (had_data && sent_.empty()) {
        signal(Signal::kDrained);
    }
}

void Connection::count_duplicate(const Segment& segment, Instant now) {
    const bool is_duplicate = in_flight() > 0 && segment.length() == 0 && segment.window == window_;
    if (!is_duplicate || ++duplicates_ != kDuplicateAcknowledgements) {
        return;
    }
    // What follows the lost segment may have been dropped as well, as we would. So all of it is sent again, as fast as
    // acknowledgements come.
    timed_.reset();
    next_ = unacknowledged_;
    flight_limit_ = segment_size_;
    due_.set(Due::kRetransmit, now + retransmission_time_.current());
}

void Connection::update_window(const Segment& segment) {
    const bool is_newer = window_sequence_ < segment.sequence ||
                          (window_sequence_ == segment.sequence && window_acknowledgement_ <= segment.acknowledgement);
    if (is_newer || state_ <= State::kSynReceived) {
        window_ = segment.window;
        largest_window_ = std::max(largest_window_, window_);
        window_sequence_ = segment.sequence;
        window_acknowledgement_ = segment.acknowledgement;
    }
}

void Connection::handle_payload(const Segment& segment, Instant now) {
    if (state_ != State::kEstablished && state_ != State::kFinWait1 && state_ != State::kFinWait2) {
        return;  // the peer has finished already
    }
    if (segment.length() == 0) {
        return;
    }
    if (segment.sequence > expected_) {  // something is missing: the peer sends it again if we repeat ourselves
        send_acknowledgement();
        return;
    }
    auto payload = segment.payload;
    payload = payload.subspan(std::min<std::size_t>(distance(segment.sequence, expected_), payload.size()));
    const auto taken = payload.first(std::min(payload.size(), receive_window()));
    const bool is_cut = taken.size() < payload.size();
    if (!taken.empty()) {
        received_.push(taken);
        expected_ += taken.size();
        signal(Signal::kReadable);
    }
    if (segment.has(kTcpFin) && !is_cut) {
        handle_fin(now);
    } else if (taken.empty() || is_cut || due_.is_set(Due::kAcknowledge) || taken.size() >= 2 * segment_size_) {
        send_acknowledgement();
    } else {
        due_.set(Due::kAcknowledge, now + kAcknowledgementDelay);
    }
}

void Connection::handle_fin(Instant now) {
    expected_ += 1;
    send_acknowledgement();
    signal(Signal::kPeerClosed);
    switch (state_) {
        case State::kEstablished:
            state_ = State::kCloseWait;
            break;
        case State::kFinWait1:
            state_ = State::kClosing;
            break;
        default:
            enter_time_wait(now);
            break;
    }
}

void Connection::handle_unreachable(Sequence sequence) {
    if (state_ == State::kSynSent && sequence == initial_) {
        end(Signal::kUnreachable);
    }
}

// --- States ---

void Connection::become_established(Instant now) {
    state_ = State::kEstablished;
    due_.clear(Due::kHandshake);
    restart_idle(now);
    signal(Signal::kOpened);
    if (is_finishing_) {
        state_ = State::kFinWait1;
    }
}

void Connection::enter_time_wait(Instant now) {
    state_ = State::kTimeWait;
    due_.clear();
    due_.set(Due::kTimeWait, now + kTimeWaitTime);
    signal(Signal::kClosed);
}

void Connection::end(Signal reason) {
    state_ = State::kClosed;
    due_.clear();
    signal(reason);
}

void Connection::give_up() {
    if (is_synchronised()) {
        abort();
    }
    end(Signal::kTimedOut);
}

bool Connection::may_be_replaced_by(const Segment& syn) const {
    return state_ == State::kTimeWait && syn.sequence > expected_;
}

void Connection::remember_segment_size(const Segment& syn) {
    const bool is_v4 = route_.local.is_v4();
    segment_size_ = std::clamp(syn.max_segment_size.value_or(default_segment_size(is_v4)), kMinSegmentSize,
                               max_segment_size(is_v4));
    flight_limit_ = kInitialFlight * segment_size_;
}

// --- Use ---

std::optional<Signal> Connection::poll_signal() {
    if (signals_ == 0) {
        return std::nullopt;
    }
    const auto first = std::countr_zero(signals_);
    signals_ &= signals_ - 1;
    return static_cast<Signal>(first);
}

std::size_t Connection::room() const {
    const bool may_write = state_ <= State::kEstablished || state_ == State::kCloseWait;
    return may_write && !is_finishing_ ? kSendBuffer - sent_.size() : 0;
}

bool Connection::write(ByteSpan bytes, Instant now) {
    if (bytes.size() > room()) {
        return false;
    }
    sent_.push(bytes);
    if (due_.is_set(Due::kIdle)) {
        restart_idle(now);
    }
    transmit(now);
    return true;
}

void Connection::consume(std::size_t count, Instant now) {
    received_.pop(count);
    if (state_ == State::kFinWait2) {
        due_.set(Due::kFinWait, now + kFinWaitTime);
    }
    const bool may_receive = state_ == State::kEstablished || state_ == State::kFinWait1 || state_ == State::kFinWait2;
    // A few bytes are not worth a packet, nor the short segments that they would invite (RFC 9293 section 3.8.6.2.2).
    if (may_receive && kReceiveBuffer - received_.size() >= receive_window() + segment_size_) {
        send_acknowledgement();
    }
}

void Connection::close(Instant now) {
    if (is_finishing_) {
        return;
    }
    switch (state_) {
        case State::kSynSent:
        case State::kSynReceived:
            break;  // once it is open
        case State::kEstablished:
            state_ = State::kFinWait1;
            break;
        case State::kCloseWait:
            state_ = State::kLastAck;
            break;
        default:
            return;
    }
    is_finishing_ = true;
    due_.clear(Due::kIdle);
    transmit(now);
}

void Connection::abort() {
    if (state_ != State::kSynSent && state_ != State::kTimeWait && state_ != State::kClosed) {
        Segment reset;
        reset.sequence = highest_;
        reset.acknowledgement = expected_;
        reset.flags = kTcpRst | kTcpAck;
        send(reset);
    }
    state_ = State::kClosed;
    due_.clear();
    signals_ = 0;
}

void Connection::restart_idle(Instant now) {
    if (is_synchronised() && !is_finishing_) {
        due_.set(Due::kIdle, now + idle_time_);
    }
}

// --- Sending ---

void Connection::send_syn(Instant now) {
    Segment syn;
    syn.sequence = initial_;
    syn.flags = kTcpSyn;
    syn.max_segment_size = max_segment_size(route_.local.is_v4());
    if (state_ == State::kSynReceived) {
        syn.flags |= kTcpAck;
        syn.acknowledgement = expected_;
    }
    syn.window = kReceiveBuffer;
    offered_ = expected_ + kReceiveBuffer;
    timed_ = highest_ == initial_ ? std::optional{Timed{initial_ + 1, now}} : std::nullopt;
    next_ = highest_ = initial_ + 1;
    due_.set(Due::kRetransmit, now + retransmission_time_.current());
    packets_->push(make_packet(route_, syn));
}

bool Connection::may_send_data() const {
    switch (state_) {
        case State::kEstablished:
        case State::kFinWait1:
        case State::kClosing:
        case State::kCloseWait:
        case State::kLastAck:
            return true;
        default:
            return false;
    }
}

void Connection::transmit(Instant now) {
    if (!may_send_data()) {
        return;
    }
    while (!is_fin_acknowledged_) {
        const auto offset = in_flight();
        if (offset > sent_.size()) {
            break;  // the FIN is on its way
        }
        const auto left = sent_.size() - offset;
        const auto limit = std::min(window_, flight_limit_);
        const auto room = limit > offset ? limit - offset : 0;
        const auto length = std::min({left, room, segment_size_});
        const bool is_last = is_finishing_ && length == left && room > length;
        if (length == 0 && !is_last) {
            break;
        }
        // Waits for more room rather than fill up what little there is (RFC 9293 section 3.8.6.2.1).
        if (length < segment_size_ && length < left && length < largest_window_ / 2) {
            break;
        }
        send_data(offset, length, is_last, now);
        next_ += length + (is_last ? 1 : 0);
        highest_ = std::max(highest_, next_);
    }
    update_send_timers(now);
}

void Connection::update_send_timers(Instant now) {
    const bool has_unsent = next_ < end_of_written() + (is_finishing_ && !is_fin_acknowledged_ ? 1 : 0);
    if (in_flight() > 0) {
        due_.clear(Due::kProbe);
        if (!due_.is_set(Due::kRetransmit)) {
            due_.set(Due::kRetransmit, now + retransmission_time_.current());
        }
    } else {
        due_.clear(Due::kRetransmit);
        if (has_unsent && !due_.is_set(Due::kProbe)) {
            due_.set(Due::kProbe, now + retransmission_time_.current());
        }
    }
    if ((in_flight() > 0 || has_unsent) && !due_.is_set(Due::kStall)) {
        due_.set(Due::kStall, now + kStallTime);
    }
}

void Connection::send_data(std::size_t offset, std::size_t length, bool is_last, Instant now) {
    Segment segment;
    segment.sequence = unacknowledged_ + offset;
    segment.payload = sent_.view().subspan(offset, length);
    segment.flags = kTcpAck;
    if (offset + length == sent_.size()) {
        segment.flags |= kTcpPsh;
    }
    if (is_last) {
        segment.flags |= kTcpFin;
    }
    const auto end = segment.sequence + segment.length();
    if (!timed_ && segment.sequence >= highest_) {
        timed_ = Timed{end, now};
    }
    send(segment);
}

void Connection::send_acknowledgement() {
    Segment acknowledgement;
    acknowledgement.sequence = highest_;
    acknowledgement.flags = kTcpAck;
    send(acknowledgement);
}

void Connection::challenge(Instant now) {
    if (challenged_at_ != Instant::min() && now - challenged_at_ < kChallengeInterval) {
        return;
    }
    challenged_at_ = now;
    send_acknowledgement();
}

void Connection::send(Segment segment) {
    if (segment.has(kTcpAck) && !segment.has(kTcpRst)) {
        segment.acknowledgement = expected_;
        const auto free = kReceiveBuffer - received_.size();
        if (free >= receive_window() + segment_size_) {
            offered_ = expected_ + free;
        }
        segment.window = static_cast<std::uint16_t>(receive_window());
        due_.clear(Due::kAcknowledge);
    }
    packets_->push(make_packet(route_, segment));
}

std::size_t Connection::receive_window() const {
    return offered_ > expected_ ? distance(expected_, offered_) : 0;
}

// --- Time ---

void Connection::handle_timeout(Instant now) {
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kRetransmit:
                return retransmit(now);
            case Due::kProbe:
                return probe(now);
            case Due::kAcknowledge:
                return send_acknowledgement();
            case Due::kHandshake:
            case Due::kStall:
            case Due::kFinWait:
                return give_up();
            case Due::kTimeWait:
                state_ = State::kClosed;
                return due_.clear();
            case Due::kIdle:
                signal(Signal::kIdle);
                return restart_idle(now);
        }
    });
}

void Connection::retransmit(Instant now) {
    retransmission_time_.back_off();
    timed_.reset();
    duplicates_ = 0;
    if (state_ <= State::kSynReceived) {
        send_syn(now);
        return;
    }
    next_ = unacknowledged_;
    flight_limit_ = segment_size_;
    if (window_ == 0) {
        probe(now);
        return;
    }
    transmit(now);
}

void Connection::probe(Instant now) {
    // One byte, or as much as there is room for if that was too little to be worth a segment. It counts as sent: if it
    // is not taken, it is sent again like any other.
    const auto length = std::min({sent_.size(), std::max<std::size_t>(window_, 1), segment_size_});
    const bool is_last = is_finishing_ && length == sent_.size() && (window_ > length || length == 0);
    send_data(0, length, is_last, now);
    timed_.reset();
    next_ = unacknowledged_ + length + (is_last ? 1 : 0);
    highest_ = std::max(highest_, next_);
    if (!due_.is_set(Due::kRetransmit)) {
        due_.set(Due::kRetransmit, now + retransmission_time_.current());
    }
}

}  // namespace culvert::tcp
