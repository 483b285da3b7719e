#include <array>

#include "tests/model/scenario/draw_setup.h"
#include "tests/model/scenario/offers.h"

namespace culvert::model {

namespace {

milliseconds draw_duration(ChoiceSource& source) {
    return source.chance(30) ? seconds{source.between(20, 120)} : seconds{source.between(1, 20)};
}

std::uint16_t rate(ChoiceSource& source, std::uint64_t highest) {
    return static_cast<std::uint16_t>(10 * source.between(1, highest / 10));
}

Impairment draw_impairment(ChoiceSource& source) {
    Impairment impairment;
    switch (source.weighted(std::array<unsigned, 9>{30, 10, 10, 10, 10, 10, 10, 20, 10})) {
        case 0:
            impairment.loss = source.chance(20) ? std::uint16_t{1000} : rate(source, 500);
            break;
        case 1:
            impairment.loss = rate(source, 100);
            impairment.burst = static_cast<std::uint16_t>(source.between(2, 20));
            break;
        case 2:
            impairment.duplicate = rate(source, 1000);
            break;
        case 3:
            impairment.corrupt = rate(source, 500);
            break;
        case 4:
            impairment.delay = milliseconds{20 * source.between(1, 50)};
            break;
        case 5:
            impairment.jitter = milliseconds{5 * source.between(1, 60)};
            impairment.reorders = !source.chance(30);
            break;
        case 6:
            impairment.rate = static_cast<std::uint32_t>(2000 * source.between(1, 250));
            break;
        case 7:
            impairment.congestion = source.chance(60) ? std::uint16_t{1000} : rate(source, 1000);
            break;
        default: {
            // What IPv6 guarantees, that with an outer header, some tunnels, PPPoE.
            constexpr std::array<std::uint16_t, 4> kMtus{1492, 1420, 1280, 576};
            impairment.mtu = source.pick(kMtus);
        }
    }
    return impairment;
}

ImpairLink draw_impaired_link(ChoiceSource& source, const Device& device) {
    const auto direction = source.weighted(std::array<unsigned, 3>{60, 20, 20});
    const auto impairment = draw_impairment(source);
    return {.device = device,
            .up = direction != 2,
            .down = direction != 1,
            .impairment = impairment,
            .duration = draw_duration(source)};
}

/// None: the clock is corrected.
seconds draw_clock_error(ChoiceSource& source) {
    constexpr std::array kErrors{seconds{0}, seconds{5}, seconds{60}, seconds{600}};
    return source.pick(kErrors);
}

PortalTrouble draw_portal_trouble(ChoiceSource& source, const Device& device) {
    constexpr std::array kFaults{PortalFault::kBlackHole, PortalFault::kRefused,  PortalFault::kHalfOpen,
                                 PortalFault::kSlow,      PortalFault::kOverload, PortalFault::kCaptive,
                                 PortalFault::kGarbage};
    const auto fault = source.pick(kFaults);
    return {device, fault, draw_duration(source)};
}

void offer_blocks(const Plan& plan, Offers& offers) {
    if (const auto gateways = plan.gateways(); !gateways.empty()) {
        offers.about(2, plan.clients(), [gateways](ChoiceSource& source, ClientNo client) {
            const auto gateway = source.pick(gateways);
            return BlockDirect{client, gateway, draw_duration(source)};
        });
    }
    if (const auto relays = plan.relays(); !relays.empty()) {
        auto users = plan.devices();
        std::erase_if(users, [](const Device& device) { return std::holds_alternative<RelayNo>(device); });
        offers.about(2, users, [relays](ChoiceSource& source, const Device& device) {
            const auto relay = source.pick(relays);
            return BlockRelay{device, relay, draw_duration(source)};
        });
    }
}

}  // namespace

void offer_faults(const Plan& plan, Offers& offers) {
    if (!plan.may_start_fault()) {
        return;
    }
    offers.about(5, plan.devices(), draw_impaired_link);
    offer_blocks(plan, offers);
    offers.about(1, plan.devices(), [](ChoiceSource& source, const Device& device) {
        const auto family = source.chance(50) ? IpFamily::kV6 : IpFamily::kV4;
        return LoseFamily{device, family, draw_duration(source)};
    });
    offers.about(2, plan.devices_behind_nat(), [](ChoiceSource&, const Device& device) { return RebootNat{device}; });
    offers.about(2, plan.devices_behind_nat(), [](ChoiceSource&, const Device& device) { return RenumberNat{device}; });
    offers.about(1, plan.devices_behind_nat(),
                 [](ChoiceSource& source, const Device& device) { return ReplaceNat{device, draw_nat(source)}; });
    offers.about(1, plan.gateways(), [](ChoiceSource& source, GatewayNo gateway) {
        const auto error = draw_clock_error(source);
        return source.chance(50) ? SetClock{.gateway = gateway, .ahead = error}
                                 : SetClock{.gateway = gateway, .behind = error};
    });
    if (plan.is_portal_running()) {
        offers.about(2, plan.devices(), [](ChoiceSource& source, const Device& device) {
            return CutPortal{device, static_cast<std::uint32_t>(source.chance(60) ? source.between(1, 3000) : 0)};
        });
        offers.about(3, plan.devices(), draw_portal_trouble);
    }
}

}  // namespace culvert::model
