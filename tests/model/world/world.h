#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "culvert/observability/log_capture.h"
#include "tests/model/network/network.h"
#include "tests/model/observer/verdict.h"
#include "tests/model/scenario/action.h"
#include "tests/model/world/attacker.h"
#include "tests/model/world/environment.h"
#include "tests/model/world/machine.h"
#include "tests/model/world/portal_process.h"
#include "tests/model/world/relay_abuser.h"
#include "tests/model/world/transfers.h"

namespace culvert::model {

/// The whole system in one process under virtual time: a portal, relays, gateways and clients above a simulated
/// network, driven by a scenario and seen by observers.
///
/// Time jumps exactly to the next event. Nothing but the scenario decides what happens: two runs are identical.
class World final : public Environment {
public:
    /// All must outlive the object.
    /// Log lines less severe than `log_level` are not even written.
    World(const Scenario& scenario, std::vector<Observer*> observers, log::Level log_level = log::Level::kInfo);
    ~World() override;

    /// The whole scenario, unless `keep_going`, which is asked at every instant, ends it before.
    void run(std::function<bool()> keep_going);

    /// What the harness itself checks (DET).
    [[nodiscard]] const Verdict& verdict() const { return verdict_; }
    /// The states of all parties, for a person.
    [[nodiscard]] std::string snapshot() const;
    [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }
    [[nodiscard]] Instant now() const override { return now_; }

private:
    friend class Actions;

    // Environment.
    void observe(const Observation& observation) override;
    void send(const Device& host, const std::optional<net::IpAddress>& source, std::uint16_t port,
              const net::SocketAddress& to, net::Ecn ecn, ByteSpan payload) override;
    void send_forged(const Device& host, std::uint16_t port, const net::SocketAddress& to, ByteSpan payload) override;
    void deliver(ClientNo client, ByteSpan packet) override;
    void forward(GatewayNo gateway, ByteSpan packet) override;
    [[nodiscard]] WallTime wall_now() const override;
    [[nodiscard]] WallTime wall_now(const Device& host) const override;
    [[nodiscard]] Rng rng(std::string_view name) const override;

    struct Entry {
        std::unique_ptr<Machine> machine;
        std::optional<Instant> due;
        bool is_due_known = false;
    };

    void add_hosts();
    void start_all();
    [[nodiscard]] std::unique_ptr<DeviceProcess> make_client(ClientNo client, Machine& machine, const Rng& rng,
                                                             Instant now);
    [[nodiscard]] std::unique_ptr<DeviceProcess> make_gateway(GatewayNo gateway, Machine& machine, const Rng& rng,
                                                              Instant now);
    /// A client's or gateway's program, in the production event loop if its driver says so.
    template <typename Program, typename Number>
    [[nodiscard]] std::unique_ptr<DeviceProcess> make_program(Number number, Machine& machine, const Rng& rng,
                                                              Instant now);
    void attach(Machine& machine, const Access& access);

    // Time.
    /// False if the case is over before that.
    bool run_until(Instant end);
    [[nodiscard]] std::optional<Instant> next_event();
    void turn();
    void run_agenda();
    void run_network();
    /// Shows the host before and after.
    void deliver_attack(Delivery delivery);
    void run_portal();
    void run_hosts();
    void route_portal_outputs();
    void at(Instant when, std::function<void()> what) { agenda_.emplace(when, std::move(what)); }
    void touch(const Device& device) { machines_.at(device).is_due_known = false; }

    [[nodiscard]] Machine& machine(const Device& device) { return *machines_.at(device).machine; }
    [[nodiscard]] bool has_machine(const Device& device) const { return machines_.contains(device); }
    void for_each_machine(const std::function<void(Machine&)>& visit);

    // Traffic of applications.
    void submit(ClientNo client, ByteSpan packet);
    /// Where the client's operating system has a route into the TUN for it.
    void submit_if_routed(ClientNo client, ByteSpan packet);
    void return_packet(GatewayNo gateway, Bytes packet);
    [[nodiscard]] const tunnel::TunConfig* interface_of(const Device& device) const;

    const Scenario& scenario_;
    std::function<bool()> keep_going_;
    std::vector<Observer*> observers_;
    Verdict verdict_;
    Instant now_;
    Network network_;
    PortalProcess portal_;
    std::map<Device, Entry> machines_;
    std::multimap<Instant, std::function<void()>> agenda_;
    std::map<Device, tunnel::TunConfig> interfaces_;
    std::map<Device, Uuid> ids_;
    /// Of gateways whose clock was set: how far it is ahead.
    std::map<GatewayNo, seconds> clock_errors_;
    Attacker attacker_;
    RelayAbuser relay_abuser_;
    /// What the host that was attacked last looked like then; unset once anything else has happened.
    std::optional<std::pair<Device, DeviceState>> attacked_;
    Transfers transfers_;
    log::CaptureScope log_capture_;
    std::uint64_t datagrams_ = 0;
    unsigned turns_ = 0;
    std::uint64_t next_packet_ = 1;
};

}  // namespace culvert::model
