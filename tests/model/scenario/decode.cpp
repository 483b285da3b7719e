#include "tests/model/scenario/decode.h"

#include <array>
#include <utility>

#include "tests/model/choice/choice_source.h"
#include "tests/model/scenario/draw_setup.h"
#include "tests/model/scenario/offers.h"
#include "tests/model/scenario/plan.h"

namespace culvert::model {

namespace {

constexpr std::uint64_t kFewestSteps = 5;
constexpr std::uint64_t kMostSteps = 15;
/// Longer than channels and permissions of TURN live: everything that expires does, or is renewed. Of the gaps that are
/// there for timers so many are long, which makes one of fifty cases.
constexpr seconds kLongGap{600};
constexpr unsigned kLongGapPercent = 8;

// Mostly one thing after the other, often within one round trip, sometimes at the same instant, and now and then long
// enough for idle timers of WireGuard, ICE, TURN and NATs.
milliseconds draw_gap(ChoiceSource& source) {
    switch (source.weighted(std::array<unsigned, 4>{35, 40, 20, 5})) {
        case 0:
            return seconds{source.between(1, 20)};
        case 1:
            return milliseconds{source.between(1, 200)};
        case 2:
            return milliseconds{0};
        default:
            return source.chance(kLongGapPercent) ? kLongGap + seconds{source.between(0, 300)}
                                                  : seconds{source.between(60, 420)};
    }
}

// Most cases begin when everybody had time to connect to the portal.
milliseconds draw_begin(ChoiceSource& source) {
    return source.chance(15) ? milliseconds{0} : seconds{2};
}

Action draw_action(ChoiceSource& source, const Plan& plan, const DecodeOptions& options) {
    Offers offers;
    offer_traffic(plan, offers);
    if (options.admin) {
        offer_administration(plan, offers);
    }
    if (options.processes) {
        offer_processes(plan, offers);
    }
    if (options.faults) {
        offer_faults(plan, offers);
    }
    if (options.attacks) {
        offer_attacks(plan, offers);
    }
    offers.always(4, [](ChoiceSource&) { return Settle{}; });
    return offers.draw(source);
}

std::pair<Scenario, DecodedLayout> decode_with_layout(ByteSpan bytes, const DecodeOptions& options) {
    ChoiceSource source{bytes};
    Scenario scenario{.setup = draw_setup(source, options), .steps = {}};
    const auto limit = source.between(kFewestSteps, kMostSteps);
    auto now = draw_begin(source);
    DecodedLayout layout{.setup = source.used(), .step_ends = {}};

    Plan plan{scenario.setup};
    const auto add = [&](Action action) {
        scenario.steps.push_back({now, std::move(action)});
        plan.apply(scenario.steps.back().action);
        layout.step_ends.push_back(source.used());
    };
    do {
        const auto gap = draw_gap(source);
        if (gap >= kLongGap && scenario.steps.size() + 2 <= limit) {
            if (auto flow = draw_lasting_flow(source, plan, gap)) {
                add(std::move(*flow));
            }
        }
        now += gap;
        plan.advance_to(now);
        add(draw_action(source, plan, options));
    } while (scenario.steps.size() < limit && !source.is_exhausted());
    scenario.steps.push_back({now + seconds{1}, Settle{}});
    return {std::move(scenario), std::move(layout)};
}

}  // namespace

Scenario decode(ByteSpan bytes, const DecodeOptions& options) {
    return decode_with_layout(bytes, options).first;
}

DecodedLayout decoded_layout(ByteSpan bytes, const DecodeOptions& options) {
    return decode_with_layout(bytes, options).second;
}

}  // namespace culvert::model
