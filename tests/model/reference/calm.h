#pragma once

#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "tests/model/scenario/ignores.h"
#include "tests/model/world/observation.h"

namespace culvert::model {

/// How long after a disturbance the world may still suffer from it. Longer than a path takes to die and be replaced
/// (LIV-4, LIV-5: 25 s), and than the portal takes to miss a gateway (37 s, spec/portal-protocol.md section 3.2).
inline constexpr Duration kSettleTime = std::chrono::seconds{60};

/// When the world is calm: no fault, restart, move or loss of a session, now or within the last kSettleTime.
///
/// This is the only place that knows what disturbs. Whatever must happen in time (LIV), or must not happen again and
/// again (pace, RES-1, STA-3), is judged while this holds, and then without excuse; what must never happen is judged
/// always. What exact time a recovery takes is for scripts, which say it (`expect`).
///
/// Relays and the portal concern everybody; what happens to a client or a gateway concerns its connections.
class Calm {
public:
    explicit Calm(const Setup& setup);

    void observe(const Observation& observation, Instant now);

    /// The last time that something disturbed the device, a relay or the portal; Instant::max() while something does.
    [[nodiscard]] Instant disturbed_at(const Device& device) const;
    /// The same for anybody.
    [[nodiscard]] Instant disturbed_at() const;
    /// Whether it was calm around the device at `at`, and has been so since.
    [[nodiscard]] bool holds(const Device& device, Instant at) const;
    /// Around everybody, and nobody is lied to.
    [[nodiscard]] bool holds(Instant at) const;
    /// The liveness rule that says how the device recovers from what disturbed it last; empty if nothing did.
    [[nodiscard]] std::string_view rule(const Device& device) const;

    /// Whether the device was out of the portal's reach at any time since then: a message may have been late.
    [[nodiscard]] bool was_unreachable(const Device& device, Instant since) const;

    /// Since when a relay lies; Instant::max() if none does. What was believed stays wrong.
    [[nodiscard]] Instant lied_since() const { return lied_since_; }
    [[nodiscard]] bool is_running(const Process& process) const { return running_.contains(process); }

private:
    struct Disturbance {
        /// What goes on.
        std::set<std::string_view> active;
        Instant last;
        std::string_view rule;

        [[nodiscard]] Instant at() const { return active.empty() ? last : Instant::max(); }
        void begin(std::string_view what, Instant now) {
            active.insert(what);
            last = now;
        }
        /// Whether it was there.
        bool end(std::string_view what, Instant now) {
            const bool was_active = active.erase(what) > 0;
            last = was_active ? now : last;
            return was_active;
        }
    };

    [[nodiscard]] Disturbance& of(const Process& process);
    void strike(const Process& process, std::string_view rule, Instant now);
    void begin(const Process& process, std::string_view what, std::string_view rule, Instant now);
    void end(const Process& process, std::string_view what, Instant now);

    void handle(const ProcessChanged& event, Instant now);
    void handle(const FaultChanged& event, Instant now);
    void handle(const HostAttached& event, Instant now);
    void handle(const NatReplaced& event, Instant now);
    void handle(const ActionTaken& event, Instant now);
    void handle(const SessionOpened& event, Instant now);
    void handle(const SessionClosed& event, Instant now);
    template <OneOf<DatagramSent, DatagramReceived, PacketSubmitted, PacketDelivered, PacketForwarded, PacketReturned,
                    AttackHandled, PacketForged, PacketBetrayed, TransferStarted, TransferEnded, MessageToDevice,
                    MessageToPortal, DeviceFailed, InterfaceConfigured, ResourcesListed, LogLine, Settled, StatesShown>
                  Ignored>
    void handle(const Ignored&, Instant) {}
    void lose_session(const Device& device, Instant now);

    std::set<Device> devices_;
    std::map<Device, Disturbance> disturbed_;
    /// What keeps a device from hearing the portal.
    std::map<Device, Disturbance> unreachable_;
    /// Relays, the portal, and LANs whose hosts share a NAT.
    Disturbance common_;
    std::set<Process> running_;
    /// A device that has just come back may have two.
    std::map<Device, int> sessions_;
    /// What began with the case, and needs no recovery.
    std::set<Process> started_;
    std::set<Device> joined_;
    std::map<Device, Instant> ready_at_;
    std::set<Device> attached_;
    Instant lied_since_ = Instant::max();
};

}  // namespace culvert::model
