#include <algorithm>
#include <array>
#include <iterator>

#include "tests/model/scenario/draw_setup.h"
#include "tests/model/scenario/offers.h"

namespace culvert::model {

namespace {

// Around the limits of what peers notice: connectivity checks, the handshake's patience, an allocation's life, an hour.
milliseconds draw_sleep(ChoiceSource& source) {
    constexpr std::array kSleeps{seconds{10}, seconds{30}, seconds{100}, seconds{660}, seconds{3600}};
    return source.pick(kSleeps);
}

milliseconds draw_hang(ChoiceSource& source) {
    return source.chance(40) ? seconds{source.between(2, 40)} : milliseconds{100 * source.between(1, 20)};
}

milliseconds draw_pause(ChoiceSource& source) {
    return source.chance(60) ? milliseconds{100 * source.between(1, 30)} : milliseconds{0};
}

std::vector<Process> devices_as_processes(const Plan& plan) {
    auto processes = plan.processes();
    std::erase(processes, Process{PortalNo{}});
    return processes;
}

std::vector<Device> movable(const Plan& plan) {
    std::vector<Device> devices;
    std::ranges::copy(plan.clients(), std::back_inserter(devices));
    std::ranges::copy(plan.gateways(), std::back_inserter(devices));
    return devices;
}

}  // namespace

void offer_processes(const Plan& plan, Offers& offers) {
    offers.about(12, plan.stopped_processes(), [](ChoiceSource&, const Process& process) { return Start{process}; });
    offers.about(3, plan.clients(), [](ChoiceSource&, ClientNo client) { return Reset{client}; });
    if (!plan.may_start_fault()) {
        return;
    }
    offers.about(2, plan.processes(), [](ChoiceSource&, const Process& process) { return Stop{process}; });
    offers.about(3, plan.processes(), [](ChoiceSource&, const Process& process) { return Crash{process}; });
    offers.about(2, plan.processes(),
                 [](ChoiceSource& source, const Process& process) { return Hang{process, draw_hang(source)}; });
    offers.about(1, devices_as_processes(plan),
                 [](ChoiceSource& source, const Process& process) { return Suspend{process, draw_sleep(source)}; });
    offers.about(4, plan.clients(), [](ChoiceSource& source, ClientNo client) {
        auto access = draw_access(source);
        return Roam{client, access, draw_pause(source)};
    });
    offers.about(4, movable(plan), [](ChoiceSource& source, const Device& device) {
        auto access = draw_access(source);
        return Move{device, access, draw_pause(source)};
    });
}

}  // namespace culvert::model
