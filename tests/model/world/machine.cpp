#include "tests/model/world/machine.h"

#include <algorithm>
#include <utility>

#include "culvert/base/deadlines.h"
#include "tests/model/world/hidden_work.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// What the kernel keeps for a process that does not read.
constexpr std::size_t kSocketBuffer = 256;
/// ICE may ask to be called again at once several times; more is a loop that makes no progress.
constexpr unsigned kMaxTimeoutsAtOneInstant = 2000;
constexpr unsigned kMaxRounds = 10'000;
constexpr Duration kMaxLateness = 200ms;
constexpr Duration kGrossLateness = 5s;
constexpr Duration kMaxSpuriousPause = 500ms;
/// One turn of so many is followed by a timeout that is not due.
constexpr unsigned kTurnsPerInspection = 16;
/// session::kPeersPatience.
constexpr Duration kPeersPatience = 15s;

Duration random_below(Rng& rng, Duration limit) {
    return Duration{static_cast<Duration::rep>(rng.below(static_cast<std::uint64_t>(limit.count())))};
}

}  // namespace

Machine::Machine(Device device, Driver driver, Access access, portal_api::Role role, PortalProcess& portal,
                 Environment& environment, Verdict& verdict, Factory factory)
    : device_{device},
      driver_{driver},
      access_{std::move(access)},
      environment_{environment},
      verdict_{verdict},
      factory_{std::move(factory)},
      link_{device, role, portal, environment, verdict},
      driver_rng_{environment.rng(model::name(device) + "/driver")} {}

void Machine::set_addresses(std::vector<net::IpAddress> addresses) {
    link_.set_addresses(addresses);
    addresses_ = std::move(addresses);
}

// --- Life ---

void Machine::change(ProcessState state, bool is_crash) {
    state_ = state;
    environment_.observe(ProcessChanged{as_process(device_), state, is_crash});
}

void Machine::start(Instant now) {
    environment_.set_speaker(as_process(device_));
    if (state_ != ProcessState::kStopped) {
        return;
    }
    const auto run = name() + "/" + std::to_string(++incarnation_);
    slept_ = {};
    has_failed_ = false;
    deadline_.reset();
    spurious_at_.reset();
    process_ = factory_(*this, environment_.rng(run), local(now));
    change(ProcessState::kRunning);
    link_.open(portal_channel::PhoenixChannel{process_->channel_options(), environment_.rng(run + "/channel")});
    link_.channel().connect(process_->public_key(), local(now));
    step(now);
}

void Machine::end(ProcessState state, bool is_crash, Instant now) {
    link_.close(now);
    process_.reset();
    waiting_.clear();
    wakes_up_.reset();
    missed_reset_.reset();
    missed_change_.reset();
    stands_still_since_.reset();
    change(state, is_crash);
}

void Machine::stop(Instant now) {
    environment_.set_speaker(as_process(device_));
    if (state_ == ProcessState::kStopped) {
        return;
    }
    if (state_ != ProcessState::kRunning) {
        wake_up(now);
    }
    process_->shut_down(local(now));
    process_->drain(local(now));
    link_.channel().close(local(now));
    link_.drive_device_end(now, local(now));
    end(ProcessState::kStopped, false, now);
}

void Machine::crash(Instant now) {
    if (state_ != ProcessState::kStopped) {
        end(ProcessState::kStopped, true, now);
    }
}

void Machine::hang(Instant until, Instant now) {
    if (state_ == ProcessState::kRunning) {
        wakes_up_ = until;
        stands_still_since_ = now;
        change(ProcessState::kHung);
    }
}

void Machine::suspend(Instant until, Instant now) {
    if (state_ == ProcessState::kRunning) {
        wakes_up_ = until;
        stands_still_since_ = now;
        slept_ -= now.time_since_epoch();  // completed by wake_up()
        change(ProcessState::kSuspended);
    }
}

void Machine::wake_up(Instant now) {
    environment_.set_speaker(as_process(device_));
    if (state_ != ProcessState::kHung && state_ != ProcessState::kSuspended) {
        return;
    }
    wakes_up_.reset();
    if (state_ == ProcessState::kSuspended) {
        slept_ += now.time_since_epoch();
        deadline_.reset();
    }
    change(ProcessState::kRunning);
    for (auto& datagram : std::exchange(waiting_, {})) {
        process_->handle_datagram(datagram.local, datagram.from, datagram.ecn, datagram.payload, local(now));
    }
    if (const auto reason = std::exchange(missed_reset_, std::nullopt)) {
        process_->reset(*reason, local(now));
    }
    const auto away = now - std::exchange(stands_still_since_, std::nullopt).value_or(now);
    if (const auto missed = std::exchange(missed_change_, std::nullopt); missed || away > kPeersPatience) {
        handle_network_change(std::max(away, missed.value_or(Duration{})), now);
    }
    step(now);
}

void Machine::reset(std::string_view reason, Instant now) {
    environment_.set_speaker(as_process(device_));
    if (is_running()) {
        process_->reset(reason, local(now));
        step(now);
    } else if (state_ != ProcessState::kStopped) {
        missed_reset_ = reason;
    }
}

void Machine::handle_network_change(Duration away, Instant now) {
    environment_.set_speaker(as_process(device_));
    if (!is_running()) {
        if (state_ != ProcessState::kStopped) {
            missed_change_ = away;
        }
        return;
    }
    link_.channel().reconnect(local(now));
    if (away > kPeersPatience && std::holds_alternative<ClientNo>(device_)) {
        process_->reset("network changed", local(now));
    } else {
        process_->handle_network_change(addresses_, local(now));
    }
    step(now);
}

// --- Input ---

void Machine::handle_datagram(const net::SocketAddress& local_address, const net::SocketAddress& from, net::Ecn ecn,
                              Bytes payload, Instant now) {
    environment_.set_speaker(as_process(device_));
    if (state_ == ProcessState::kHung) {
        if (waiting_.size() < kSocketBuffer) {
            waiting_.push_back({local_address, from, ecn, std::move(payload)});
        }
        return;
    }
    if (!is_running()) {
        return;
    }
    process_->handle_datagram(local_address, from, ecn, payload, local(now));
    step(now);
}

void Machine::handle_packet(ByteSpan packet, Instant now) {
    environment_.set_speaker(as_process(device_));
    if (!is_running()) {
        return;
    }
    Bytes buffer(kHeadroom + packet.size());
    std::ranges::copy(packet, buffer.begin() + kHeadroom);
    process_->handle_packet(MutableByteSpan{buffer}.subspan(kHeadroom), local(now));
    step(now);
}

// --- Turns ---

void Machine::take_portal_events(Instant now) {
    while (auto event = link_.poll_event()) {
        has_failed_ =
            has_failed_ || (std::holds_alternative<portal_channel::Fatal>(*event) && !process_->outlives_portal());
        process_->handle_portal_event(*event, local(now));
    }
}

std::optional<Instant> Machine::next_timer() {
    auto deadline = process_->poll_timeout();
    if (!deadline) {
        deadline_.reset();
        return spurious_at_;
    }
    const auto due = *deadline + slept_;
    if (deadline_ != due) {
        deadline_ = due;
        fires_at_ = due;
        if (driver_ == Driver::kLate) {
            const bool is_gross = driver_rng_.below(500) == 0;
            fires_at_ += is_gross ? kGrossLateness : random_below(driver_rng_, kMaxLateness);
        }
    }
    return spurious_at_ ? std::min(*spurious_at_, fires_at_) : fires_at_;
}

bool Machine::run_timers(Instant now) {
    const auto due = next_timer();
    if (!due || *due > now) {
        return false;
    }
    check_progress(now);
    if (spurious_at_ && *spurious_at_ <= now) {
        spurious_at_ = now + 1ms + random_below(driver_rng_, kMaxSpuriousPause);
    }
    deadline_.reset();
    process_->handle_timeout(local(now));
    timeouts_at_one_instant_ = std::exchange(last_timeout_, now) == now ? timeouts_at_one_instant_ + 1 : 0;
    return true;
}

void Machine::step(Instant now) {
    environment_.set_speaker(as_process(device_));
    if (wakes_up_ && *wakes_up_ <= now) {
        wake_up(now);
    }
    environment_.set_speaker(PortalNo{});
    link_.drive_portal_end(now);
    environment_.set_speaker(as_process(device_));
    if (!is_running()) {
        return;
    }
    if (driver_ == Driver::kSpurious && !spurious_at_) {
        spurious_at_ = now;
    }
    bool has_work = true;
    for (unsigned round = 0; has_work && round < kMaxRounds; ++round) {
        link_.drive_device_end(now, local(now));
        take_portal_events(now);
        has_work = process_->drain(local(now));
        has_work |= run_timers(now);
        if (timeouts_at_one_instant_ > kMaxTimeoutsAtOneInstant) {
            break;
        }
    }
    verdict_.check("DET-4", timeouts_at_one_instant_ <= kMaxTimeoutsAtOneInstant && !has_work, now,
                   [&] { return name() + " asks to be called again and again at one instant"; });
    check_contract(now);
    if (has_failed_) {
        // As the programs do: they say goodbye and exit.
        stop(now);
    }
}

/// DET-3: what is overdue is acted upon, after finitely many timeouts.
void Machine::check_progress(Instant now) {
    const auto deadline = process_->poll_timeout();
    if (!deadline || *deadline >= local(now)) {
        return;
    }
    timeouts_of_one_deadline_ = std::exchange(overdue_, *deadline) == *deadline ? timeouts_of_one_deadline_ + 1 : 0;
    verdict_.check("DET-3", timeouts_of_one_deadline_ <= kMaxTimeoutsAtOneInstant, now,
                   [&] { return name() + " does not act on a deadline that has passed"; });
}

/// DET-5: nothing else waits to be done. Asked now and then.
void Machine::check_contract(Instant now) {
    // The event loop's own calls depend on what the kernel does to it; its state machines run elsewhere, too.
    if (driver_ == Driver::kEventLoop || ++turns_ % kTurnsPerInspection != 0) {
        return;
    }
    const auto process_work = find_hidden_work(
        local(now), [&] { return process_->poll_timeout(); }, [&] { process_->handle_timeout(local(now)); },
        [&] { return process_->drain(local(now)); });
    verdict_.check("DET-5", process_work.empty(), now, [&] { return name() + " " + std::string{process_work}; });
    auto& channel = link_.channel();
    const auto channel_work = find_hidden_work(
        local(now), [&] { return channel.poll_timeout(); }, [&] { channel.handle_timeout(local(now)); },
        [&] {
            return channel.poll_action().has_value() || channel.poll_frame(local(now)).has_value() ||
                   channel.poll_event().has_value();
        });
    verdict_.check("DET-5", channel_work.empty(), now,
                   [&] { return name() + "'s channel to the portal " + std::string{channel_work}; });
}

std::optional<Instant> Machine::poll_timeout() {
    if (!is_running()) {
        return earliest(wakes_up_, link_.poll_portal_timeout());
    }
    const auto channel = link_.channel().poll_timeout();
    return earliest(wakes_up_, link_.poll_timeout(), channel ? std::optional{*channel + slept_} : std::nullopt,
                    next_timer());
}

DeviceState Machine::show() const {
    return is_running() ? process_->show() : DeviceState{};
}

std::string Machine::snapshot(Instant now) const {
    return process_ && state_ == ProcessState::kRunning ? process_->snapshot(local(now)) : "";
}

}  // namespace culvert::model
