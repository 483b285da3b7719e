#pragma once

#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "tests/model/world/observation.h"

namespace culvert::model {

/// A stretch of time in which something may be lost or late.
struct Excuse {
    /// Stable name, a literal.
    std::string_view reason;
    /// The liveness rule that says when it must be over.
    std::string_view rule;
    Instant from;
    Instant until;
    /// When what caused it was over; it counts until recovery must be complete.
    Instant ended = Instant::max();
};

/// Until when loss and delay are permitted, and why: faults, restarts and moves, and after each of them the time that
/// spec/testing.md section 7.4 (LIV-1 to LIV-6) allows for recovery.
///
/// Two kinds are kept apart: what disturbs a device's packets, and what keeps it from hearing the portal.
class FaultClock {
public:
    explicit FaultClock(const Setup& setup);

    void observe(const Observation& observation, Instant now);
    /// The client was told of a flow that needs a connection which it does not have yet.
    void begin_connection(ClientNo client, GatewayNo gateway, Instant now);
    /// An answer came through: what began before is made.
    void complete_connection(ClientNo client, GatewayNo gateway, Instant now);

    /// Something that disturbed packets between the two, or through any relay, in this time.
    ///
    /// What happens to an idle connection is only noticed by the packets that follow (LIV-5): `attempts`, ascending,
    /// are when the client tried to reach the gateway. Recovery starts with the first one after the fault.
    [[nodiscard]] std::optional<Excuse> data_path(ClientNo client, GatewayNo gateway, Instant from, Instant until,
                                                  const std::vector<Instant>& attempts = {}) const;
    /// Something that kept the device from talking with the portal in this time.
    [[nodiscard]] std::optional<Excuse> portal_path(const Device& device, Instant from, Instant until) const;
    /// The same, as far as it was done to the device or the portal: a session that is missing explains itself.
    [[nodiscard]] std::optional<Excuse> portal_fault(const Device& device, Instant from, Instant until) const;
    /// Something that disturbed the device's packets, whoever the peer.
    [[nodiscard]] std::optional<Excuse> host(const Device& device, Instant from, Instant until) const;
    /// Something that was wrong with any relay in this time. What a relay has lied about stays wrong.
    [[nodiscard]] std::optional<Excuse> relays(Instant from, Instant until) const;
    /// Something that kept any relay from talking with the portal, which then offers it to nobody.
    [[nodiscard]] std::optional<Excuse> relays_portal(Instant from, Instant until) const;
    /// Something that may have made the device's program act late in this time.
    [[nodiscard]] std::optional<Excuse> process(const Device& device, Instant from, Instant until) const;

    /// The excuse for the pair that ended last before `at`, if that was not long ago: its rule is the one at stake.
    [[nodiscard]] std::optional<Excuse> latest(ClientNo client, GatewayNo gateway, Instant at) const;

    /// Since when a relay lies; Instant::max() if none does.
    [[nodiscard]] Instant lied_since() const { return lied_since_; }

    [[nodiscard]] bool is_running(const Process& process) const { return running_.contains(process); }

private:
    using Excuses = std::vector<Excuse>;
    using ByProcess = std::map<Process, Excuses>;

    static void begin(Excuses& excuses, std::string_view reason, std::string_view rule, Instant now);
    /// Ends the open excuse with this reason; `recovery` is the time after it in which it still counts.
    static void end(Excuses& excuses, std::string_view reason, Instant now, Duration recovery);
    static void add(Excuses& excuses, std::string_view reason, std::string_view rule, Instant now, Duration recovery);

    void handle(const ProcessChanged& event, Instant now);
    void handle_portal(const ProcessChanged& event, Instant now);
    void handle(const FaultChanged& event, Instant now);
    void handle(const ActionTaken& event, Instant now);
    void handle(const Attack& attack, Instant now);
    void handle(const HostAttached& event, Instant now);
    void handle(const DatagramReceived& event, Instant now);
    void handle(const MessageToDevice& event, Instant now);
    void learn_relays(const Device& device, const std::vector<RelayId>& gone,
                      const std::vector<portal_api::Relay>& listed, Instant now);
    void handle(const SessionOpened& event, Instant now);
    void handle(const SessionClosed& event, Instant now);
    template <typename Other>
    void handle(const Other&, Instant) {}

    [[nodiscard]] std::optional<Excuse> any_relay(const ByProcess& excuses, Instant from, Instant until) const;
    [[nodiscard]] std::optional<Excuse> connection_without_portal(ClientNo client, GatewayNo gateway, Instant from,
                                                                  Instant until) const;
    [[nodiscard]] std::optional<Excuse> unnoticed(const Process& process, Instant at,
                                                  const std::vector<Instant>& attempts) const;

    std::vector<Device> devices_;
    ByProcess data_;
    ByProcess portal_;
    std::map<Process, ProcessState> running_;
    std::map<Device, int> sessions_;
    /// Those of relays with enough ports for everybody: whoever takes them all must leave the others their share.
    std::set<net::IpAddress> roomy_relays_;
    std::vector<RelaySetup> relay_setups_;
    /// Relays that had no port left for the device.
    std::map<Process, std::set<net::SocketAddress>> full_relays_;
    /// Relays as the device was last told of them.
    std::map<Process, std::map<net::SocketAddress, RelayId>> relays_;
    std::map<Device, crypto::PublicKey> keys_;
    struct Connection {
        Instant began;
        Instant completed = Instant::max();
    };
    /// Ascending.
    std::map<std::pair<ClientNo, GatewayNo>, std::vector<Connection>> connections_;
    Instant lied_since_ = Instant::max();

    struct Flood {
        Instant since;
        unsigned handshakes = 0;
    };
    std::map<Device, Flood> floods_;
};

}  // namespace culvert::model
