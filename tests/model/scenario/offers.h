#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "tests/model/choice/choice_source.h"
#include "tests/model/scenario/plan.h"

namespace culvert::model {

/// The actions that make sense next, each with a weight and a way to make it.
class Offers {
public:
    template <typename Make>
    void always(unsigned weight, Make make) {
        weights_.push_back(weight);
        draws_.emplace_back([make](ChoiceSource& source) -> Action { return make(source); });
    }
    /// Offered unless `subjects` is empty; `make` is called with one of them.
    template <typename Subject, typename Make>
    void about(unsigned weight, std::vector<Subject> subjects, Make make) {
        if (!subjects.empty()) {
            always(weight, [subjects = std::move(subjects), make](ChoiceSource& source) {
                const auto& subject = source.pick(subjects);
                return make(source, subject);
            });
        }
    }

    /// Requires an offer of positive weight.
    [[nodiscard]] Action draw(ChoiceSource& source) const { return draws_[source.weighted(weights_)](source); }

private:
    std::vector<unsigned> weights_;
    std::vector<std::function<Action(ChoiceSource&)>> draws_;
};

// Which actions there are in each group, and how often they should be drawn (spec/testing.md sections 2.8 and 4.3).
// `plan` must outlive `offers`.

void offer_traffic(const Plan& plan, Offers& offers);
void offer_administration(const Plan& plan, Offers& offers);
void offer_processes(const Plan& plan, Offers& offers);
void offer_faults(const Plan& plan, Offers& offers);
void offer_attacks(const Plan& plan, Offers& offers);

/// Half of the times, requests of one flow that go on for `duration`, mostly with pauses that some timer notices.
[[nodiscard]] std::optional<Probe> draw_lasting_flow(ChoiceSource& source, const Plan& plan, milliseconds duration);

}  // namespace culvert::model
