#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/observer/verdict.h"
#include "tests/model/scenario/setup.h"
#include "tests/model/world/device_process.h"
#include "tests/model/world/portal_link.h"

namespace culvert::model {

/// A device's host: runs its process, or does not, and decides when the process's timers go off.
class Machine {
public:
    /// Makes a new run of the program: the process's own time, and a generator for this run alone.
    using Factory = std::function<std::unique_ptr<DeviceProcess>(Machine& machine, const Rng& rng, Instant now)>;

    Machine(Device device, Driver driver, Access access, portal_api::Role role, PortalProcess& portal,
            Environment& environment, Verdict& verdict, Factory factory);

    // Life. `now` is the world's time everywhere.
    void start(Instant now);
    void stop(Instant now);
    void crash(Instant now);
    /// No processor time until then; datagrams wait in the socket's buffer.
    void hang(Instant until, Instant now);
    /// The host sleeps until then: datagrams are lost, the process's clock stands still.
    void suspend(Instant until, Instant now);
    void wake_up(Instant now);
    void reset(std::string_view reason, Instant now);
    /// The host's addresses are others now, or it was without network for so long, or stood still: what devices do
    /// about that (spec/connectivity.md section 9.4).
    void handle_network_change(Duration away, Instant now);
    [[nodiscard]] ProcessState state() const { return state_; }
    [[nodiscard]] bool is_running() const { return state_ == ProcessState::kRunning; }

    // Input.
    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn, Bytes payload,
                         Instant now);
    void handle_packet(ByteSpan packet, Instant now);

    /// Does what is due, until nothing is left.
    void step(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout();

    // The host's place in the network; the world keeps both in step.
    [[nodiscard]] const Access& access() const { return access_; }
    void set_access(const Access& access) { access_ = access; }
    [[nodiscard]] const std::vector<net::IpAddress>& addresses() const { return addresses_; }
    void set_addresses(std::vector<net::IpAddress> addresses);

    /// The process's own time.
    [[nodiscard]] Instant local(Instant now) const { return now - slept_; }
    [[nodiscard]] PortalLink& link() { return link_; }
    [[nodiscard]] DeviceProcess* process() { return process_.get(); }
    [[nodiscard]] Device device() const { return device_; }
    [[nodiscard]] Driver driver() const { return driver_; }
    /// "client1"
    [[nodiscard]] std::string name() const { return model::name(device_); }
    [[nodiscard]] std::string snapshot(Instant now) const;
    [[nodiscard]] DeviceState show() const;
    /// Has given up for good: its token is no longer valid, for example.
    [[nodiscard]] bool has_failed() const { return has_failed_; }

private:
    struct Waiting {
        net::SocketAddress local;
        net::SocketAddress from;
        net::Ecn ecn;
        Bytes payload;
    };

    void end(ProcessState state, bool is_crash, Instant now);
    void change(ProcessState state, bool is_crash = false);
    void take_portal_events(Instant now);
    bool run_timers(Instant now);
    void check_progress(Instant now);
    void check_contract(Instant now);
    [[nodiscard]] std::optional<Instant> next_timer();

    Device device_;
    Driver driver_;
    Access access_;
    Environment& environment_;
    Verdict& verdict_;
    Factory factory_;
    PortalLink link_;
    Rng driver_rng_;

    ProcessState state_ = ProcessState::kStopped;
    std::unique_ptr<DeviceProcess> process_;
    unsigned incarnation_ = 0;
    std::vector<net::IpAddress> addresses_;
    std::deque<Waiting> waiting_;
    std::optional<Instant> wakes_up_;
    /// Why it was to be reset while it got no processor time.
    std::optional<std::string> missed_reset_;
    /// How long it was without network when it came back and the process got no processor time.
    std::optional<Duration> missed_change_;
    std::optional<Instant> stands_still_since_;
    bool has_failed_ = false;
    /// How far the process's clock is behind the world's.
    Duration slept_{};

    /// The deadline that `fires_at_` belongs to, both in the world's time.
    std::optional<Instant> deadline_;
    Instant fires_at_{};
    std::optional<Instant> spurious_at_;
    /// The last deadline that had passed when timers went off, by the process's time, and how often they went off for
    /// it again.
    Instant overdue_{};
    unsigned timeouts_of_one_deadline_ = 0;
    unsigned turns_ = 0;
    Instant last_timeout_{};
    unsigned timeouts_at_one_instant_ = 0;
};

}  // namespace culvert::model
