#include "tests/model/scenario/script.h"

#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "tests/model/scenario/line.h"
#include "tests/model/scenario/references.h"

namespace culvert::model {

namespace {

using Words = std::vector<std::string_view>;
using Outcome = std::expected<void, std::string>;

// The lists of a setup whose elements are numbered.
constexpr std::tuple kNumberedLists{&Setup::clients, &Setup::gateways, &Setup::relays, &Setup::resources};

std::string time_of(milliseconds at) {
    auto fraction = std::to_string(1000 + at.count() % 1000);
    fraction.front() = '.';
    return "t=" + std::to_string(at.count() / 1000) + fraction;
}

// "t=12", "t=12.3" or "t=12.345"
std::optional<milliseconds> parse_time(std::string_view word) {
    constexpr std::string_view kPrefix = "t=";
    word.remove_prefix(kPrefix.size());
    const auto point = std::min(word.find('.'), word.size());
    auto fraction = std::string{word.substr(std::min(point + 1, word.size()))};
    const auto whole = Text<std::uint32_t>::read(word.substr(0, point));
    if (!whole || fraction.size() > 3) {
        return std::nullopt;
    }
    fraction.resize(3, '0');
    const auto thousandths = Text<std::uint32_t>::read(fraction);
    return thousandths ? std::optional{seconds{*whole} + milliseconds{*thousandths}} : std::nullopt;
}

template <typename S>
void write_line(std::string& out, std::string line, const S& part) {
    std::vector<std::string> words;
    write_fields(words, part);
    for (const auto& word : words) {
        line += ' ' + word;
    }
    out += line + '\n';
}

template <typename S>
void write_numbered(std::string& out, const std::vector<S>& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        write_line(out, std::string{S::kShape.name} + std::to_string(i + 1), parts[i]);
    }
}

Words split(std::string_view line) {
    line = line.substr(0, line.find('#'));
    Words words;
    constexpr std::string_view kBlanks = " \t\r";
    for (auto begin = line.find_first_not_of(kBlanks); begin != std::string_view::npos;
         begin = line.find_first_not_of(kBlanks)) {
        line.remove_prefix(begin);
        words.push_back(line.substr(0, line.find_first_of(kBlanks)));
        line.remove_prefix(words.back().size());
    }
    return words;
}

class ScriptReader {
public:
    Outcome read_line(Words words) {
        const auto keyword = words.front();
        words.erase(words.begin());
        if (keyword.starts_with("t=")) {
            return read_step(keyword, words);
        }
        if (!scenario_.steps.empty()) {
            return std::unexpected{"the setup ends where the steps begin"};
        }
        if (keyword == Scenario::kShape.name) {
            return read_fields(words, scenario_);
        }
        if (keyword == PolicySetup::kShape.name) {
            return read_part(words, scenario_.setup.policies.emplace_back());
        }
        return read_numbered(keyword, words);
    }

    Scenario take() { return std::move(scenario_); }

private:
    Outcome read_step(std::string_view time, Words& words) {
        const auto at = parse_time(time);
        if (!at) {
            return std::unexpected{"\"" + std::string{time} + "\" is no time in seconds"};
        }
        if (!scenario_.steps.empty() && *at < scenario_.steps.back().at) {
            return std::unexpected{"earlier than the step before"};
        }
        if (words.empty()) {
            return std::unexpected{"action is missing"};
        }
        return read_action<>(*at, words);
    }

    template <std::size_t Index = 0>
    Outcome read_action(milliseconds at, Words& words) {
        if constexpr (Index == std::variant_size_v<Action>) {
            return std::unexpected{"there is no action \"" + std::string{words.front()} + "\""};
        } else {
            using A = std::variant_alternative_t<Index, Action>;
            if (words.front() != A::kShape.name) {
                return read_action<Index + 1>(at, words);
            }
            words.erase(words.begin());
            A action;
            auto outcome = read_part(words, action);
            scenario_.steps.push_back({at, std::move(action)});
            return outcome;
        }
    }

    Outcome read_numbered(std::string_view keyword, const Words& words) {
        std::optional<Outcome> outcome;
        const auto try_list = [&]<typename S>(std::vector<S> Setup::* member) {
            auto& list = scenario_.setup.*member;
            if (!outcome && keyword.starts_with(S::kShape.name)) {
                const auto expected = std::string{S::kShape.name} + std::to_string(list.size() + 1);
                outcome = keyword == expected ? read_part(words, list.emplace_back())
                                              : Outcome{std::unexpected{"expected " + expected + " here"}};
            }
        };
        std::apply([&](auto... members) { (try_list(members), ...); }, kNumberedLists);
        return outcome ? *outcome : Outcome{std::unexpected{"do not understand \"" + std::string{keyword} + "\""}};
    }

    template <typename S>
    Outcome read_part(const Words& words, S& part) {
        auto outcome = read_fields(words, part);
        for_each_reference(part, [&](const auto& number) {
            if (outcome && !exists(scenario_.setup, number)) {
                std::string text;
                Text<std::remove_cvref_t<decltype(number)>>::write(text, number);
                outcome = std::unexpected{"there is no " + text};
            }
        });
        return outcome;
    }

    Scenario scenario_;
};

}  // namespace

std::string to_script(const Scenario& scenario) {
    std::string out;
    write_line(out, std::string{Scenario::kShape.name}, scenario);
    std::apply([&](auto... members) { (write_numbered(out, scenario.setup.*members), ...); }, kNumberedLists);
    for (const auto& policy : scenario.setup.policies) {
        write_line(out, std::string{PolicySetup::kShape.name}, policy);
    }
    for (const auto& step : scenario.steps) {
        std::visit(
            [&]<typename A>(const A& action) {
                write_line(out, time_of(step.at) + ' ' + std::string{A::kShape.name}, action);
            },
            step.action);
    }
    return out;
}

std::expected<Scenario, std::string> parse_script(std::string_view script) {
    ScriptReader reader;
    for (unsigned number = 1; !script.empty(); ++number) {
        const auto end = std::min(script.find('\n'), script.size());
        auto words = split(script.substr(0, end));
        script.remove_prefix(std::min(end + 1, script.size()));
        if (words.empty()) {
            continue;
        }
        if (const auto outcome = reader.read_line(std::move(words)); !outcome) {
            return std::unexpected{"line " + std::to_string(number) + ": " + outcome.error()};
        }
    }
    return reader.take();
}

}  // namespace culvert::model
