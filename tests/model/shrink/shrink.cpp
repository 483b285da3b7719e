#include "tests/model/shrink/shrink.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/scenario/references.h"
#include "tests/model/scenario/script.h"
#include "tests/model/scenario/values.h"
#include "tests/model/shrink/removal.h"
#include "tests/model/shrink/simpler.h"

namespace culvert::model {

namespace {

bool speaks_of_what_exists(Scenario& scenario) {
    bool result = true;
    const auto check = [&](auto& part) {
        for_each_reference(part, [&](const auto& number) { result = result && exists(scenario.setup, number); });
    };
    std::ranges::for_each(scenario.setup.clients, check);
    std::ranges::for_each(scenario.setup.gateways, check);
    std::ranges::for_each(scenario.setup.resources, check);
    std::ranges::for_each(scenario.setup.policies, check);
    for (auto& step : scenario.steps) {
        check(step.action);
    }
    return result;
}

class Shrinker {
public:
    Shrinker(Scenario failing, const std::function<bool(const Scenario&)>& still_fails,
             const std::function<void(std::string_view)>& progress, unsigned max_runs)
        : best_{std::move(failing)}, still_fails_{still_fails}, progress_{progress}, max_runs_{max_runs} {}

    Scenario run() {
        bool improved = true;
        while (improved && runs_ < max_runs_) {
            improved = false;
            improved |= drop_steps();
            improved |= drop_parts();
            improved |= simplify_parts();
            improved |= shorten_gaps();
        }
        return std::move(best_);
    }

private:
    // Whether `candidate` fails as well; it is the best from then on.
    bool accept(Scenario candidate, std::string_view what) {
        if (runs_ >= max_runs_ || !speaks_of_what_exists(candidate)) {
            return false;
        }
        // The passes are repeated as long as one of them gets anywhere, and most of their candidates with them.
        if (!tried_.insert(to_script(candidate)).second) {
            return false;
        }
        ++runs_;
        if (!still_fails_(candidate)) {
            return false;
        }
        best_ = std::move(candidate);
        progress_("run " + std::to_string(runs_) + ": " + std::string{what} + ", " +
                  std::to_string(best_.steps.size()) + " steps left");
        return true;
    }

    // Half of the steps, a quarter, ... a single one; from the end, where steps depend on others and not the reverse.
    bool drop_steps() {
        bool improved = false;
        for (auto length = best_.steps.size(); length > 0; length /= 2) {
            for (auto end = best_.steps.size(); end > 0;) {
                const auto begin = end - std::min(end, length);
                auto candidate = best_;
                candidate.steps.erase(candidate.steps.begin() + static_cast<std::ptrdiff_t>(begin),
                                      candidate.steps.begin() + static_cast<std::ptrdiff_t>(end));
                improved |= accept(std::move(candidate), "dropped " + std::to_string(end - begin) + " steps");
                end = begin;
            }
        }
        return improved;
    }

    template <typename No>
    bool drop_numbered(std::size_t count) {
        bool improved = false;
        for (auto i = count; i > 0; --i) {
            improved |= accept(without(best_, No{static_cast<std::uint8_t>(i)}),
                               "dropped " + std::string{No::kKind} + std::to_string(i));
        }
        return improved;
    }

    bool drop_parts() {
        bool improved = false;
        improved |= drop_numbered<ClientNo>(best_.setup.clients.size());
        improved |= best_.setup.sites > 1 && drop_numbered<SiteNo>(best_.setup.sites);
        improved |= drop_numbered<GatewayNo>(best_.setup.gateways.size());
        improved |= drop_numbered<RelayNo>(best_.setup.relays.size());
        improved |= drop_numbered<ResourceNo>(best_.setup.resources.size());
        improved |= best_.setup.groups > 1 && drop_numbered<GroupNo>(best_.setup.groups);
        for (auto i = best_.setup.policies.size(); i > 0; --i) {
            auto candidate = best_;
            candidate.setup.policies.erase(candidate.setup.policies.begin() + static_cast<std::ptrdiff_t>(i - 1));
            improved |= accept(std::move(candidate), "dropped a policy");
        }
        return improved;
    }

    bool simplify_parts() {
        bool improved = false;
        for (std::size_t i = 0; i < best_.steps.size(); ++i) {
            improved |= simplify_action(i);
        }
        improved |= simplify_list(&Setup::clients);
        improved |= simplify_list(&Setup::gateways);
        improved |= simplify_list(&Setup::relays);
        improved |= simplify_list(&Setup::resources);
        improved |= simplify_list(&Setup::policies);
        improved |= simplify<Scenario>([](Scenario& scenario) -> Scenario& { return scenario; });
        return improved;
    }

    bool simplify_action(std::size_t step) {
        return std::visit(
            [&]<typename A>(const A&) {
                return simplify<A>([step](Scenario& s) -> A& { return std::get<A>(s.steps[step].action); });
            },
            best_.steps[step].action);
    }

    template <typename S>
    bool simplify_list(std::vector<S> Setup::* list) {
        bool improved = false;
        for (std::size_t i = 0; i < (best_.setup.*list).size(); ++i) {
            improved |= simplify<S>([list, i](Scenario& s) -> S& { return (s.setup.*list)[i]; });
        }
        return improved;
    }

    // Takes the first simpler part that still fails, again and again.
    template <typename S, typename PartOf>
    bool simplify(PartOf part_of) {
        const auto step_down = [&] {
            return std::ranges::any_of(simpler_parts<S>(part_of(best_)), [&](const S& simpler) {
                auto candidate = best_;
                part_of(candidate) = simpler;
                return accept(std::move(candidate), "simplified " + std::string{S::kShape.name});
            });
        };
        bool improved = false;
        while (step_down()) {
            improved = true;
        }
        return improved;
    }

    bool shorten_gaps() {
        bool improved = false;
        for (std::size_t i = 0; i < best_.steps.size(); ++i) {
            while (shorten_gap_before(i)) {
                improved = true;
            }
        }
        return improved;
    }

    bool shorten_gap_before(std::size_t step) {
        const auto gap = best_.steps[step].at - (step == 0 ? milliseconds{0} : best_.steps[step - 1].at);
        const auto half = gap >= seconds{2} ? milliseconds{(gap / seconds{2}) * seconds{1}} : gap / 2;
        return std::ranges::any_of(std::array{milliseconds{0}, milliseconds{seconds{1}}, half},
                                   [&](milliseconds shorter) {
                                       auto candidate = best_;
                                       for (auto i = step; i < candidate.steps.size(); ++i) {
                                           candidate.steps[i].at -= gap - shorter;
                                       }
                                       return shorter < gap && accept(std::move(candidate), "shortened a pause");
                                   });
    }

    Scenario best_;
    const std::function<bool(const Scenario&)>& still_fails_;
    const std::function<void(std::string_view)>& progress_;
    unsigned max_runs_;
    unsigned runs_ = 0;
    std::set<std::string> tried_;
};

}  // namespace

Scenario shrink(Scenario failing, const std::function<bool(const Scenario&)>& still_fails,
                const std::function<void(std::string_view)>& progress, unsigned max_runs) {
    return Shrinker{std::move(failing), still_fails, progress, max_runs}.run();
}

}  // namespace culvert::model
