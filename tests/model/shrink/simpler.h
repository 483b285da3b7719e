#pragma once

#include <algorithm>
#include <concepts>
#include <iterator>
#include <optional>
#include <type_traits>
#include <vector>

#include "culvert/base/overloaded.h"
#include "tests/model/scenario/action.h"

/// Simpler versions of a described part of a scenario, each with one field changed, the boldest first.
///
/// Simpler is: the default, fewer elements, nearer to the default, shorter. No chain of ever simpler parts is infinite.
namespace culvert::model {

template <typename S>
[[nodiscard]] std::vector<S> simpler_parts(const S& part);

namespace detail {

/// Simpler values than `value`, given the default.
template <typename T>
struct Simpler {
    static std::vector<T> of(const T& value, const T& standard) {
        return value == standard ? std::vector<T>{} : std::vector<T>{standard};
    }
};

template <std::unsigned_integral T>
struct Simpler<T> {
    static std::vector<T> of(T value, T standard) {
        if (value == standard) {
            return {};
        }
        const auto middle = static_cast<T>(standard + (value - standard) / 2);
        return value > standard + 1 ? std::vector<T>{standard, middle} : std::vector<T>{standard};
    }
};

// A duration is never made longer, even if the default is.
template <>
struct Simpler<milliseconds> {
    static std::vector<milliseconds> of(milliseconds value, milliseconds standard) {
        std::vector<milliseconds> result;
        if (value > standard) {
            result.push_back(standard);
        }
        for (const auto shorter : {milliseconds{seconds{1}}, milliseconds{(value / seconds{2}) * seconds{1}}}) {
            if (shorter > milliseconds{0} && shorter < value) {
                result.push_back(shorter);
            }
        }
        return result;
    }
};

template <typename T>
struct Simpler<std::vector<T>> {
    static std::vector<std::vector<T>> of(const std::vector<T>& value, const std::vector<T>& /*standard*/) {
        std::vector<std::vector<T>> result;
        if (value.size() > 1) {
            result.emplace_back();
        }
        for (std::size_t i = 0; i < value.size(); ++i) {
            result.push_back(value);
            result.back().erase(result.back().begin() + static_cast<std::ptrdiff_t>(i));
        }
        return result;
    }
};

template <>
struct Simpler<std::optional<NatBox>> {
    static std::vector<std::optional<NatBox>> of(const std::optional<NatBox>& value,
                                                 const std::optional<NatBox>& /*standard*/) {
        if (!value) {
            return {};
        }
        std::vector<std::optional<NatBox>> result{std::nullopt};
        std::ranges::copy(simpler_parts(*value), std::back_inserter(result));
        return result;
    }
};

}  // namespace detail

template <typename S>
std::vector<S> simpler_parts(const S& part) {
    static const S kDefaults{};
    std::vector<S> result;
    const auto add = [&](auto member, const auto& values) {
        for (const auto& value : values) {
            result.push_back(part);
            result.back().*member = value;
        }
    };
    for_each_field<S>(overloaded{
        [&]<typename T>(const Word<S, T>& field) {
            // Other words say what the part is about.
            if constexpr (std::is_enum_v<T>) {
                add(field.member, detail::Simpler<T>::of(part.*field.member, kDefaults.*field.member));
            }
        },
        [&]<typename T>(const Option<S, T>& field) {
            add(field.member, detail::Simpler<T>::of(part.*field.member, kDefaults.*field.member));
        },
        [&](const Flag<S>& field) {
            add(field.member, detail::Simpler<bool>::of(part.*field.member, kDefaults.*field.member));
        },
        [&]<typename T>(const Inline<S, T>& field) { add(field.member, simpler_parts(part.*field.member)); },
    });
    return result;
}

}  // namespace culvert::model
