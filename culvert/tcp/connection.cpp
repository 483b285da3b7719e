#include "culvert/tcp/connection.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "culvert/tcp/constants.h"

namespace culvert::tcp {
namespace {

using packet::kTcpAck;
using packet::kTcpFin;
using packet::kTcpRst;
using packet::kTcpSyn;

}  // namespace

Connection::Connection(const Settings& settings, PacketQueue& packets, State state)
    : route_{settings.route},
      packets_{&packets},
      state_{state},
      is_passive_{state == State::kSynReceived},
      idle_time_{settings.idle_time},
      sender_{settings.initial, default_segment_size(route_.local.is_v4())} {}

Connection::Connection(const Settings& settings, PacketQueue& packets, Instant now)
    : Connection{settings, packets, State::kSynSent} {
    due_.set(Due::kHandshake, now + kHandshakeTime);
    send_syn(now);
}

Connection::Connection(const Settings& settings, const Segment& syn, PacketQueue& packets, Instant now)
    : Connection{settings, packets, State::kSynReceived} {
    assert(syn.has(kTcpSyn) && !syn.has(kTcpAck) && !syn.has(kTcpRst));
    receiver_.start(syn.sequence);
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
    if (!receiver_.is_acceptable(segment)) {
        answer_unacceptable(segment, now);
        return;
    }
    if (segment.has(kTcpRst)) {
        if (segment.sequence == receiver_.expected()) {
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
    if (acknowledges && segment.acknowledgement != sender_.initial() + 1) {
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
    receiver_.start(segment.sequence);
    remember_segment_size(segment);
    if (!acknowledges) {  // both ends asked at the same time
        state_ = State::kSynReceived;
        send_syn(now);
        return;
    }
    take_acknowledgement(segment.acknowledgement, now);
    sender_.update_window(segment);
    become_established(now);
    receiver_.offer_all();  // as our SYN said
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
    } else if (segment.length() > 0 || segment.sequence != receiver_.expected()) {
        challenge(now);
    }
}

void Connection::answer_unacceptable(const Segment& segment, Instant now) {
    if (segment.has(kTcpRst)) {
        return;
    }
    if (state_ == State::kSynReceived && segment.has(kTcpSyn) && segment.sequence + 1 == receiver_.expected()) {
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
        if (acknowledgement != sender_.initial() + 1) {
            if (const auto refusal = refusal_of(segment)) {
                send(*refusal);
            }
            return false;
        }
        take_acknowledgement(acknowledgement, now);
        sender_.update_window(segment);
        become_established(now);
        return true;
    }
    if (!sender_.is_plausible(acknowledgement)) {
        challenge(now);
        return false;
    }
    const bool had_finished = sender_.is_fin_acknowledged();
    if (sender_.is_new(acknowledgement)) {
        take_acknowledgement(acknowledgement, now);
    } else if (sender_.repeats(acknowledgement) && sender_.count_duplicate(segment)) {
        due_.set(Due::kRetransmit, now + sender_.retransmission_time());
    }
    sender_.update_window(segment);
    if (sender_.is_fin_acknowledged() && !had_finished) {
        switch (state_) {
            case State::kFinWait1:
                state_ = State::kFinWait2;
                due_.set(Due::kFinWait, now + kFinWaitTime);
                break;
            case State::kClosing:
                enter_time_wait(now);
                break;
            case State::kLastAck:
                if (receiver_.empty()) {
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
    if (sender_.acknowledge(acknowledgement, now)) {
        signal(Signal::kDrained);
    }
    due_.clear(Due::kRetransmit);
    due_.clear(Due::kStall);
}

void Connection::handle_payload(const Segment& segment, Instant now) {
    if (state_ != State::kEstablished && state_ != State::kFinWait1 && state_ != State::kFinWait2) {
        return;  // the peer has finished already
    }
    if (segment.length() == 0) {
        return;
    }
    if (segment.sequence > receiver_.expected()) {  // something is missing: sent again if we repeat ourselves
        send_acknowledgement();
        return;
    }
    const auto [taken, is_cut] = receiver_.take(segment);
    if (taken > 0) {
        signal(Signal::kReadable);
    }
    if (segment.has(kTcpFin) && !is_cut) {
        handle_fin(now);
    } else if (taken == 0 || is_cut || due_.is_set(Due::kAcknowledge) || taken >= 2 * sender_.segment_size()) {
        send_acknowledgement();
    } else {
        due_.set(Due::kAcknowledge, now + kAcknowledgementDelay);
    }
}

void Connection::handle_fin(Instant now) {
    receiver_.take_fin();
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
    if (state_ == State::kSynSent && sequence == sender_.initial()) {
        end(Signal::kUnreachable);
    }
}

// --- States ---

void Connection::become_established(Instant now) {
    state_ = State::kEstablished;
    due_.clear(Due::kHandshake);
    restart_idle(now);
    signal(Signal::kOpened);
    if (sender_.is_finishing()) {
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
    return state_ == State::kTimeWait && syn.sequence > receiver_.expected();
}

void Connection::remember_segment_size(const Segment& syn) {
    const bool is_v4 = route_.local.is_v4();
    sender_.set_segment_size(std::clamp(syn.max_segment_size.value_or(default_segment_size(is_v4)), kMinSegmentSize,
                                        max_segment_size(is_v4)));
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
    return may_write && !sender_.is_finishing() ? kSendBuffer - sender_.size() : 0;
}

bool Connection::write(ByteSpan bytes, Instant now) {
    if (bytes.size() > room()) {
        return false;
    }
    sender_.push(bytes);
    if (due_.is_set(Due::kIdle)) {
        restart_idle(now);
    }
    transmit(now);
    return true;
}

void Connection::consume(std::size_t count, Instant now) {
    receiver_.consume(count);
    if (state_ == State::kFinWait2) {
        due_.set(Due::kFinWait, now + kFinWaitTime);
    }
    const bool may_receive = state_ == State::kEstablished || state_ == State::kFinWait1 || state_ == State::kFinWait2;
    if (may_receive && receiver_.has_more_room(sender_.segment_size())) {
        send_acknowledgement();
    }
}

void Connection::close(Instant now) {
    if (sender_.is_finishing()) {
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
    sender_.finish();
    due_.clear(Due::kIdle);
    transmit(now);
}

void Connection::abort() {
    if (state_ != State::kSynSent && state_ != State::kTimeWait && state_ != State::kClosed) {
        Segment reset;
        reset.sequence = sender_.highest();
        reset.acknowledgement = receiver_.expected();
        reset.flags = kTcpRst | kTcpAck;
        send(reset);
    }
    state_ = State::kClosed;
    due_.clear();
    signals_ = 0;
}

void Connection::restart_idle(Instant now) {
    if (is_synchronised() && !sender_.is_finishing()) {
        due_.set(Due::kIdle, now + idle_time_);
    }
}

// --- Sending ---

void Connection::send_syn(Instant now) {
    Segment syn;
    syn.sequence = sender_.initial();
    syn.flags = kTcpSyn;
    syn.max_segment_size = max_segment_size(route_.local.is_v4());
    if (state_ == State::kSynReceived) {
        syn.flags |= kTcpAck;
        syn.acknowledgement = receiver_.expected();
    }
    syn.window = receiver_.offer_all();
    sender_.note_syn(now);
    due_.set(Due::kRetransmit, now + sender_.retransmission_time());
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
    while (const auto segment = sender_.next(now)) {
        send(*segment);
    }
    update_send_timers(now);
}

void Connection::update_send_timers(Instant now) {
    const bool is_in_flight = sender_.in_flight() > 0;
    const bool has_unsent = sender_.has_unsent();
    if (is_in_flight) {
        due_.clear(Due::kProbe);
        if (!due_.is_set(Due::kRetransmit)) {
            due_.set(Due::kRetransmit, now + sender_.retransmission_time());
        }
    } else {
        due_.clear(Due::kRetransmit);
        if (has_unsent && !due_.is_set(Due::kProbe)) {
            due_.set(Due::kProbe, now + sender_.retransmission_time());
        }
    }
    if ((is_in_flight || has_unsent) && !due_.is_set(Due::kStall)) {
        due_.set(Due::kStall, now + kStallTime);
    }
}

void Connection::send_acknowledgement() {
    Segment acknowledgement;
    acknowledgement.sequence = sender_.highest();
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
        segment.acknowledgement = receiver_.expected();
        segment.window = receiver_.offer(sender_.segment_size());
        due_.clear(Due::kAcknowledge);
    }
    packets_->push(make_packet(route_, segment));
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
    sender_.back_off();
    if (state_ <= State::kSynReceived) {
        send_syn(now);
        return;
    }
    sender_.go_back();
    if (sender_.window() == 0) {
        probe(now);
    } else {
        transmit(now);
    }
}

void Connection::probe(Instant now) {
    send(sender_.probe(now));
    if (!due_.is_set(Due::kRetransmit)) {
        due_.set(Due::kRetransmit, now + sender_.retransmission_time());
    }
}

}  // namespace culvert::tcp
