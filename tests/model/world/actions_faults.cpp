#include <algorithm>
#include <string>
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

void Actions::begin_fault(std::string key, Fault fault, Duration duration) {
    fault.number = ++last_fault_;
    world_.observe(FaultChanged{fault.name, fault.victim, true});
    world_.at(world_.now_ + duration, [this, key, number = fault.number] {
        if (const auto found = faults_.find(key); found != faults_.end() && found->second.number == number) {
            end_fault(found);
        }
    });
    faults_.insert_or_assign(std::move(key), std::move(fault));
}

void Actions::end_fault(std::map<std::string, Fault>::iterator entry) {
    const auto fault = std::move(entry->second);
    faults_.erase(entry);
    fault.undo();
    world_.observe(FaultChanged{fault.name, fault.victim, false});
}

bool Actions::apply(const ImpairLink& action) {
    if (find(action.device) == nullptr) {
        return false;
    }
    const auto device = action.device;
    world_.network_.impair(device, action.up, action.down, action.impairment);
    begin_fault("link of " + name(device),
                {"link", as_process(device), [this, device] { world_.network_.heal(device); }}, action.duration);
    return true;
}

bool Actions::block(const Device& a, const Device& b, std::string_view fault, Duration duration) {
    if (find(a) == nullptr || find(b) == nullptr) {
        return false;
    }
    world_.network_.block(a, b);
    begin_fault("block between " + name(a) + " and " + name(b),
                {fault, as_process(a), [this, a, b] { world_.network_.unblock(a, b); }}, duration);
    return true;
}

bool Actions::apply(const BlockDirect& action) {
    return block(action.client, action.gateway, "direct", action.duration);
}

bool Actions::apply(const BlockRelay& action) {
    return block(action.device, action.relay, "relay", action.duration);
}

bool Actions::apply(const LoseFamily& action) {
    const auto device = action.device;
    const auto family = action.family == IpFamily::kV4 ? net::Family::kIpv4 : net::Family::kIpv6;
    const auto* machine = find(device);
    if (machine == nullptr ||
        std::ranges::find(machine->addresses(), family, &net::IpAddress::family) == machine->addresses().end()) {
        return false;
    }
    world_.network_.lose_family(device, family);
    begin_fault(
        (family == net::Family::kIpv4 ? "IPv4 of " : "IPv6 of ") + name(device),
        {"family", as_process(device), [this, device, family] { world_.network_.restore_family(device, family); }},
        action.duration);
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

bool Actions::is_behind_nat(const Device& device) const {
    const auto* machine = find(device);
    return machine != nullptr && machine->access().nat;
}

bool Actions::apply(const RebootNat& action) {
    if (!is_behind_nat(action.device)) {
        return false;
    }
    world_.network_.reboot_nat(action.device);
    observe_forgetful_nat(action.device);
    return true;
}

bool Actions::apply(const RenumberNat& action) {
    if (!is_behind_nat(action.device)) {
        return false;
    }
    world_.network_.renumber_nat(action.device);
    observe_forgetful_nat(action.device);
    return true;
}

bool Actions::apply(const ReplaceNat& action) {
    if (!is_behind_nat(action.device)) {
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
    const auto set_fault = [this, machine](std::optional<PortalFault> fault) {
        machine->link().set_fault(fault, world_.now_);
        world_.touch(machine->device());
    };
    set_fault(action.fault);
    begin_fault("portal of " + name(action.device),
                {"portal", as_process(action.device), [set_fault] { set_fault(std::nullopt); }}, action.duration);
    return true;
}

void Actions::heal_everything() {
    while (!faults_.empty()) {
        end_fault(faults_.begin());
    }
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
    for (const auto client : numbers<ClientNo>(setup.clients.size())) {
        for (const auto resource : numbers<ResourceNo>(setup.resources.size())) {
            Probe probe{.client = client,
                        .to = HostOf{resource, 1},
                        .protocol = Protocol::kIcmp,
                        .source_port = static_cast<std::uint16_t>(kVerifyPort + resource.value - 1),
                        .destination_port = static_cast<std::uint16_t>(world_.next_packet_)};
            probe.count = 2;
            probe.interval = std::chrono::milliseconds{500};
            apply(probe);
            probe.protocol = Protocol::kUdp;
            const auto& filters = setup.resources[resource.value - 1U].filters;
            probe.destination_port = filters.empty() ? std::uint16_t{443} : filters.front().port_range_start;
            apply(probe);
        }
    }
}

void Actions::show_states() {
    std::map<Device, DeviceState> states;
    world_.for_each_machine([&](Machine& machine) {
        if (machine.is_running()) {
            states.emplace(machine.device(), machine.show());
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
