#include <algorithm>
#include <utility>

#include "tests/model/reference/calm.h"
#include "tests/model/world/actions.h"
#include "tests/model/world/relay_process.h"
#include "tests/model/world/world.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// Packets in so many rounds wake up what was broken while it was idle (LIV-5).
constexpr int kWakeUpRounds = 4;
constexpr Duration kWakeUpRound = 9s;
constexpr Duration kVerifyTime = 8s;
constexpr std::uint16_t kVerifyPort = 65000;

}  // namespace

bool Actions::apply(const ImpairLink& action) {
    if (find(action.device) == nullptr) {
        return false;
    }
    const auto fault = ++last_fault_;
    link_faults_[action.device] = fault;
    world_.network_.impair(action.device, action.up, action.down, action.impairment);
    world_.observe(FaultChanged{"link", as_process(action.device), true});
    world_.at(world_.now_ + action.duration, [this, device = action.device, fault] {
        if (link_faults_[device] == fault) {
            link_faults_.erase(device);
            world_.network_.heal(device);
            world_.observe(FaultChanged{"link", as_process(device), false});
        }
    });
    return true;
}

void Actions::block(const Device& a, const Device& b, std::string_view name, Duration duration) {
    const auto fault = ++last_fault_;
    blocks_[{a, b}] = fault;
    world_.network_.block(a, b);
    world_.observe(FaultChanged{name, as_process(a), true});
    world_.at(world_.now_ + duration, [this, a, b, name, fault] {
        if (blocks_[{a, b}] == fault) {
            blocks_.erase({a, b});
            world_.network_.unblock(a, b);
            world_.observe(FaultChanged{name, as_process(a), false});
        }
    });
}

bool Actions::apply(const BlockDirect& action) {
    if (find(action.client) == nullptr || find(action.gateway) == nullptr) {
        return false;
    }
    block(action.client, action.gateway, "direct", action.duration);
    return true;
}

bool Actions::apply(const BlockRelay& action) {
    if (find(action.device) == nullptr || find(action.relay) == nullptr) {
        return false;
    }
    block(action.device, action.relay, "relay", action.duration);
    return true;
}

bool Actions::apply(const LoseFamily& action) {
    const auto family = action.family == IpFamily::kV4 ? net::Family::kIpv4 : net::Family::kIpv6;
    const auto* machine = find(action.device);
    if (machine == nullptr ||
        std::ranges::find(machine->addresses(), family, &net::IpAddress::family) == machine->addresses().end()) {
        return false;
    }
    const std::pair lost{action.device, family};
    const auto fault = ++last_fault_;
    lost_families_[lost] = fault;
    world_.network_.lose_family(action.device, family);
    world_.observe(FaultChanged{"family", as_process(action.device), true});
    world_.at(world_.now_ + action.duration, [this, lost, fault] {
        if (const auto found = lost_families_.find(lost); found != lost_families_.end() && found->second == fault) {
            lost_families_.erase(found);
            world_.network_.restore_family(lost.first, lost.second);
            world_.observe(FaultChanged{"family", as_process(lost.first), false});
        }
    });
    return true;
}

void Actions::observe_forgetful_nat(const Device& device) {
    for (const auto& [other, entry] : world_.machines_) {
        if (other == device || world_.network_.are_neighbours(other, device)) {
            world_.observe(FaultChanged{"nat", as_process(other), true});
            world_.observe(FaultChanged{"nat", as_process(other), false});
        }
    }
}

bool Actions::apply(const RebootNat& action) {
    auto* machine = find(action.device);
    if (machine == nullptr || !machine->access().nat) {
        return false;
    }
    world_.network_.reboot_nat(action.device);
    observe_forgetful_nat(action.device);
    return true;
}

bool Actions::apply(const RenumberNat& action) {
    auto* machine = find(action.device);
    if (machine == nullptr || !machine->access().nat) {
        return false;
    }
    world_.network_.renumber_nat(action.device);
    observe_forgetful_nat(action.device);
    return true;
}

bool Actions::apply(const ReplaceNat& action) {
    auto* machine = find(action.device);
    if (machine == nullptr || !machine->access().nat) {
        return false;
    }
    world_.network_.replace_nat(action.device, action.nat);
    for (const auto& [other, entry] : world_.machines_) {
        if (other == action.device || world_.network_.are_neighbours(other, action.device)) {
            world_.observe(NatReplaced{other, action.nat});
        }
    }
    observe_forgetful_nat(action.device);
    return true;
}

bool Actions::apply(const SetClock& action) {
    if (find(action.gateway) == nullptr) {
        return false;
    }
    world_.clock_errors_[action.gateway] = action.ahead - action.behind;
    return true;
}

bool Actions::apply(const CutPortal& action) {
    auto* machine = find(action.device);
    if (machine == nullptr || !machine->link().has_session()) {
        return false;
    }
    machine->link().cut_after(action.bytes);
    return true;
}

bool Actions::apply(const PortalTrouble& action) {
    auto* machine = find(action.device);
    if (machine == nullptr) {
        return false;
    }
    const auto fault = ++last_fault_;
    portal_faults_[action.device] = fault;
    machine->link().set_fault(action.fault, world_.now_);
    world_.touch(action.device);
    world_.observe(FaultChanged{"portal", as_process(action.device), true});
    world_.at(world_.now_ + action.duration, [this, machine, fault] {
        const auto device = machine->device();
        if (portal_faults_[device] == fault) {
            portal_faults_.erase(device);
            machine->link().set_fault(std::nullopt, world_.now_);
            world_.touch(device);
            world_.observe(FaultChanged{"portal", as_process(device), false});
        }
    });
    return true;
}

void Actions::heal_everything() {
    world_.network_.heal_all();
    for (const auto& [device, fault] : link_faults_) {
        world_.observe(FaultChanged{"link", as_process(device), false});
    }
    link_faults_.clear();
    for (const auto& [ends, fault] : blocks_) {
        world_.observe(FaultChanged{std::holds_alternative<RelayNo>(ends.second) ? "relay" : "direct",
                                    as_process(ends.first), false});
    }
    blocks_.clear();
    for (const auto& [lost, fault] : lost_families_) {
        world_.observe(FaultChanged{"family", as_process(lost.first), false});
    }
    lost_families_.clear();
    for (const auto& [device, fault] : portal_faults_) {
        world_.machine(device).link().set_fault(std::nullopt, world_.now_);
        world_.observe(FaultChanged{"portal", as_process(device), false});
    }
    portal_faults_.clear();
    if (!world_.portal_.is_running()) {
        start_portal();
    }
    world_.for_each_machine([&](Machine& machine) {
        machine.link().cancel_cut();
        machine.wake_up(world_.now_);
        const auto device = machine.device();
        if (const auto* relay = std::get_if<RelayNo>(&device); relay != nullptr && is_hostile(*relay)) {
            if (auto* process = dynamic_cast<RelayProcess*>(machine.process())) {
                process->deceive(Deceit::kDrop, Instant{});  // no more
            }
        }
        if (machine.state() == ProcessState::kStopped && !machine.has_failed()) {
            machine.start(world_.now_);
        }
    });
}

void Actions::verify_reachability() {
    const auto& setup = world_.scenario_.setup;
    for (std::size_t c = 0; c < setup.clients.size(); ++c) {
        for (std::size_t r = 0; r < setup.resources.size(); ++r) {
            Probe probe{.client = ClientNo{static_cast<std::uint8_t>(c + 1)},
                        .to = HostOf{ResourceNo{static_cast<std::uint8_t>(r + 1)}, 1},
                        .protocol = Protocol::kIcmp,
                        .source_port = static_cast<std::uint16_t>(kVerifyPort + r),
                        .destination_port = static_cast<std::uint16_t>(world_.next_packet_)};
            probe.count = 2;
            probe.interval = std::chrono::milliseconds{500};
            apply(probe);
            probe.protocol = Protocol::kUdp;
            const auto& filters = setup.resources[r].filters;
            probe.destination_port = filters.empty() ? std::uint16_t{443} : filters.front().port_range_start;
            apply(probe);
        }
    }
}

void Actions::show_states() {
    std::map<Device, std::string> states;
    world_.for_each_machine([&](Machine& machine) {
        if (machine.is_running()) {
            states.emplace(machine.device(), machine.snapshot(world_.now_));
        }
    });
    world_.observe(StatesShown{states});
}

bool Actions::apply(const Settle&) {
    heal_everything();
    bool goes_on = world_.run_until(world_.now_ + kSettleTime);
    for (int round = 0; goes_on && round < kWakeUpRounds; ++round) {
        verify_reachability();
        goes_on = world_.run_until(world_.now_ + kWakeUpRound);
    }
    if (goes_on) {
        world_.observe(Settled{});
        verify_reachability();
        if (world_.run_until(world_.now_ + kVerifyTime)) {
            show_states();
        }
    }
    return true;
}

}  // namespace culvert::model
