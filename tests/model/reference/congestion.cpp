#include "tests/model/reference/congestion.h"

#include <algorithm>

namespace culvert::model {

void Congestion::handle(const ActionTaken& event, Instant now) {
    const auto* impaired = event.is_effective ? std::get_if<ImpairLink>(&event.step.action) : nullptr;
    if (impaired == nullptr) {
        return;
    }
    const auto impair = [&](Direction direction) {
        const Link link{as_process(impaired->device), direction};
        end(link, now);
        if (impaired->impairment.congestion != 0) {
            spans_[link].push_back({.from = now});
        }
    };
    if (impaired->up) {
        impair(Direction::kUp);
    }
    if (impaired->down) {
        impair(Direction::kDown);
    }
}

void Congestion::handle(const FaultChanged& event, Instant now) {
    if (event.name == "link" && !event.is_active) {
        end({event.process, Direction::kUp}, now);
        end({event.process, Direction::kDown}, now);
    }
}

void Congestion::end(const Link& link, Instant now) {
    for (auto& span : spans_[link]) {
        span.until = std::min(span.until, now);
    }
}

bool Congestion::is_possible(const Device& sender, const Device& receiver, Instant from, Instant until) const {
    return std::ranges::any_of(spans_, [&](const auto& entry) {
        const auto& [process, direction] = entry.first;
        const auto& end = direction == Direction::kUp ? sender : receiver;
        const bool is_passed = std::holds_alternative<RelayNo>(process) || process == as_process(end);
        return is_passed && std::ranges::any_of(entry.second, [&](const Span& span) {
                   return span.from <= until && span.until >= from;
               });
    });
}

}  // namespace culvert::model
