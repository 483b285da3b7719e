#pragma once

#include <deque>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "culvert/portal_channel/channel.h"
#include "tests/model/observer/verdict.h"
#include "tests/model/scenario/action.h"
#include "tests/model/world/byte_pipe.h"
#include "tests/model/world/environment.h"
#include "tests/model/world/portal_process.h"

namespace culvert::model {

/// A device's way to the portal: the product's channel on one end, the product's control plane on the other, and
/// between them TCP connections that can be refused, stalled, slowed and cut.
///
/// A process may hang while the portal's end of its connections goes on, so the two ends are driven separately.
class PortalLink {
public:
    PortalLink(Device device, portal_api::Role role, PortalProcess& portal, Environment& environment, Verdict& verdict);

    /// The process starts, or takes part no more: its operating system closes the connections.
    void open(portal_channel::PhoenixChannel channel);
    void close(Instant now);

    /// Requires open().
    [[nodiscard]] portal_channel::PhoenixChannel& channel() { return *channel_; }

    // The network between the two.
    void set_latency(Duration latency) { latency_ = latency; }
    void set_addresses(std::vector<net::IpAddress> addresses) { addresses_ = std::move(addresses); }
    /// No network, or another one: existing connections never carry anything again, and nobody is told.
    void set_attached(bool is_attached);
    void set_fault(std::optional<PortalFault> fault, Instant now);
    void cut_after(std::uint32_t bytes);
    /// A cut that has not happened yet will not.
    void cancel_cut();
    /// The device writes frames that are no messages.
    void send_garbage(Instant now);
    /// The device writes these, whatever its channel thinks of it.
    void send_frames(const std::vector<std::string>& frames, Instant now);
    /// Somebody with the device's token joins as so many devices that nobody has seen before, and leaves again.
    void log_in_as_others(unsigned count, Instant now);

    /// The portal has gone: its operating system ends the connections.
    void handle_portal_stopped(Instant now);
    /// A frame, or the end, for one of this link's sessions. False: not ours.
    bool handle_output(const portal::Output& output, Instant now);

    void drive_portal_end(Instant now);
    /// `now` is the world's time, `local_now` the process's.
    void drive_device_end(Instant now, Instant local_now);
    /// For the process that owns the channel.
    [[nodiscard]] std::optional<portal_channel::Event> poll_event();

    /// When one of the ends is to be driven, in the world's time; the channel's own deadline is not included.
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    /// The same for the portal's end alone.
    [[nodiscard]] std::optional<Instant> poll_portal_timeout() const;

    [[nodiscard]] bool has_session() const;
    /// In which the device and the portal speak, or spoke last.
    [[nodiscard]] portal_api::Dialect dialect() const;

private:
    struct Connection {
        BytePipe up;
        BytePipe down;
        std::optional<crypto::PublicKey> public_key;
        portal_api::Dialect dialect = portal_api::Dialect::kV1;
        /// The upgrade request reaches the portal; unset afterwards.
        std::optional<Instant> request_arrives;
        /// The portal's answer reaches the device; unset before and afterwards.
        std::optional<Instant> answer_arrives;
        std::optional<portal_channel::DialError> refusal;
        std::optional<portal::SessionId> session;
        Instant idle_since{};
        /// The portal reads slowly of those who send much.
        Instant read_from{};
        bool is_device_end_open = true;
        bool is_orphaned = false;
        bool has_reported_cut = false;
    };

    void dial(const portal_channel::Dial& wanted, Instant now);
    void drop(Instant now);
    void accept(Connection& connection, Instant now);
    void read_up(Connection& connection, Instant now);
    /// A cut that was ordered earlier has happened just now.
    void report_cut(Connection& connection);
    void end_session(Connection& connection, std::string reason, Instant now);
    void carry_out_actions(Instant now);
    /// The frame as it is put on the wire: as if its sender were of a later generation, if this link's are.
    [[nodiscard]] std::string to_device_text(std::string text, portal_api::Dialect dialect, Instant now);
    [[nodiscard]] std::string from_device_text(std::string text, portal_api::Dialect dialect, Instant now);
    template <typename Meaning>
    [[nodiscard]] std::string make_newer_and_compare(const std::string& text, const Meaning& meaning, Instant now);
    void read_down(Instant now, Instant local_now);
    [[nodiscard]] portal::ConnectRequest make_request(const Connection& connection) const;
    [[nodiscard]] bool is_black_hole() const;
    [[nodiscard]] bool has_path(portal_api::Dialect dialect) const;
    /// What a device of generation B has another name for than ours on the same path.
    [[nodiscard]] std::string as_its_generation_says(std::string text) const;

    Device device_;
    portal_api::Role role_;
    PortalProcess& portal_;
    Environment& environment_;
    Verdict& verdict_;
    /// Set if both ends of this link send more than the other knows.
    std::optional<Rng> newer_rng_;
    /// Which paths the portal has, as this device finds it.
    enum class Paths : std::uint8_t { kOlder, kBoth, kNewer };
    Paths paths_ = Paths::kBoth;
    /// As which the device passes itself off (spec/newer-dialect.md section 1); kOurs: as what it is.
    enum class Generation : std::uint8_t { kA, kB, kC, kD, kOurs };
    Generation generation_ = Generation::kOurs;
    std::optional<portal_channel::PhoenixChannel> channel_;
    std::deque<portal_channel::Event> events_;

    Duration latency_{};
    std::vector<net::IpAddress> addresses_;
    bool is_attached_ = true;
    std::optional<PortalFault> fault_;
    std::uint64_t others_ = 0;

    /// The device reads and writes the last one, if its end is open.
    std::list<Connection> connections_;
};

}  // namespace culvert::model
