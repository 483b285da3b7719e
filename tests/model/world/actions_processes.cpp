#include <algorithm>
#include <string>

#include "tests/model/world/actions.h"
#include "tests/model/world/world.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// A gateway finds out by then that a client has gone without a goodbye, even while the connection is idle
/// (spec/connectivity.md 8.3) and its own timers are late, and the portal has forgotten what nobody answered.
constexpr Duration kPeersForgotten = 140s;
/// Longer than an allocation lives without a refresh, and than the portal waits for a silent device.
constexpr Duration kForgotten = 11min;

}  // namespace

Machine* Actions::find(const Device& device) const {
    return world_.has_machine(device) ? &world_.machine(device) : nullptr;
}

bool Actions::is_hostile(RelayNo relay) const {
    return world_.scenario_.setup.relays[relay.value - 1U].is_hostile;
}

bool Actions::is_hostile(ClientNo client) const {
    const auto& clients = world_.scenario_.setup.clients;
    return client.value <= clients.size() && clients[client.value - 1U].is_hostile;
}

void Actions::start_portal() {
    world_.portal_.start(world_.now_);
    world_.observe(ProcessChanged{PortalNo{}, ProcessState::kRunning});
}

bool Actions::end_portal(bool is_crash) {
    if (!world_.portal_.is_running()) {
        return false;
    }
    world_.portal_.stop();
    world_.observe(ProcessChanged{PortalNo{}, ProcessState::kStopped, is_crash});
    world_.for_each_machine([&](Machine& machine) { machine.link().handle_portal_stopped(world_.now_); });
    return true;
}

bool Actions::apply(const Start& action) {
    const auto device = as_device(action.process);
    if (!device) {
        if (world_.portal_.is_running()) {
            return false;
        }
        start_portal();
        return true;
    }
    auto* machine = find(*device);
    if (machine == nullptr || machine->state() != ProcessState::kStopped) {
        return false;
    }
    machine->start(world_.now_);
    world_.touch(*device);
    return true;
}

bool Actions::apply(const Stop& action) {
    const auto device = as_device(action.process);
    if (!device) {
        return end_portal(false);
    }
    auto* machine = find(*device);
    if (machine == nullptr || machine->state() == ProcessState::kStopped) {
        return false;
    }
    machine->stop(world_.now_);
    world_.interfaces_.erase(*device);
    world_.touch(*device);
    return true;
}

bool Actions::apply(const Crash& action) {
    const auto device = as_device(action.process);
    if (!device) {
        return end_portal(true);
    }
    auto* machine = find(*device);
    if (machine == nullptr || machine->state() == ProcessState::kStopped) {
        return false;
    }
    machine->crash(world_.now_);
    world_.interfaces_.erase(*device);
    world_.touch(*device);
    return true;
}

void Actions::check_clients_are_forgotten() {
    world_.for_each_machine([&](Machine& machine) {
        const auto device = machine.device();
        if (const auto* gateway = std::get_if<GatewayNo>(&device);
            gateway != nullptr && !world_.scenario_.setup.gateways[gateway->value - 1U].is_hostile) {
            const auto state = machine.show();
            const auto* shown = std::get_if<tunnel::GatewayState>(&state);
            const auto connections = shown == nullptr ? 0 : shown->connections.size();
            world_.verdict_.check("RES-2", connections == 0, world_.now_, [&] {
                return machine.name() + " still has " + std::to_string(connections) +
                       " connections after all clients left";
            });
        }
    });
    show_states();
    const auto pending = world_.portal_.plane()->statistics().pending_authorizations;
    world_.verdict_.check("RES-2", pending == 0, world_.now_, [&] {
        return "the portal still waits for " + std::to_string(pending) + " answers after all clients left";
    });
}

void Actions::take_leave() {
    heal_everything();
    const auto stop_all = [&]<typename No>(No) {
        world_.for_each_machine([&](Machine& machine) {
            if (std::holds_alternative<No>(machine.device())) {
                machine.stop(world_.now_);
            }
        });
    };
    stop_all(ClientNo{});
    if (!world_.run_until(world_.now_ + kPeersForgotten)) {
        return;
    }
    check_clients_are_forgotten();
    stop_all(GatewayNo{});
    if (!world_.run_until(world_.now_ + kForgotten)) {
        return;
    }
    world_.for_each_machine([&](Machine& machine) {
        const auto entries = machine.process() == nullptr ? 0 : machine.process()->table_entries();
        world_.verdict_.check("RES-2", entries == 0, world_.now_, [&] {
            return "a relay still has " + std::to_string(entries) + " entries after everybody left";
        });
    });
    const auto portal = world_.portal_.plane()->statistics();
    world_.verdict_.check("RES-2", portal.clients_online == 0 && portal.gateways_online == 0, world_.now_,
                          [] { return "the portal still has devices online after everybody left"; });
}

bool Actions::apply(const Hang& action) {
    const auto device = as_device(action.process);
    auto* machine = device ? find(*device) : nullptr;
    if (machine == nullptr || !machine->is_running()) {
        return false;
    }
    machine->hang(world_.now_ + action.duration, world_.now_);
    world_.touch(*device);
    return true;
}

bool Actions::apply(const Suspend& action) {
    const auto device = as_device(action.process);
    auto* machine = device ? find(*device) : nullptr;
    if (machine == nullptr || !machine->is_running()) {
        return false;
    }
    machine->suspend(world_.now_ + action.duration, world_.now_);
    world_.touch(*device);
    return true;
}

bool Actions::apply(const Roam& action) {
    auto* machine = find(action.client);
    if (machine == nullptr || !machine->is_running()) {
        return false;
    }
    world_.network_.detach(action.client);
    machine->link().set_attached(false);
    world_.at(world_.now_ + action.gap, [this, machine, access = action.access, client = action.client] {
        world_.attach(*machine, access);
        machine->link().set_attached(true);
        machine->reset("roam", world_.now_);
        world_.touch(client);
    });
    return true;
}

bool Actions::apply(const Move& action) {
    auto* machine = find(action.device);
    if (machine == nullptr || !machine->is_running() || std::holds_alternative<RelayNo>(action.device)) {
        return false;
    }
    world_.network_.detach(action.device);
    machine->link().set_attached(false);
    world_.at(world_.now_ + action.gap, [this, machine, action] {
        world_.attach(*machine, action.access);
        machine->link().set_attached(true);
        machine->handle_network_change(action.gap, world_.now_);
        world_.touch(action.device);
    });
    return true;
}

bool Actions::apply(const Reset& action) {
    auto* machine = find(action.client);
    if (machine == nullptr || !machine->is_running()) {
        return false;
    }
    machine->reset("SIGHUP", world_.now_);
    world_.touch(action.client);
    return true;
}

}  // namespace culvert::model
