#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "culvert/base/enumerators.h"
#include "culvert/base/snapshot.h"

namespace culvert::model {

/// What the enumerators of an enumeration are called, in order: `black-hole` for kBlackHole.
template <typename Enum>
[[nodiscard]] const auto& names_of() {
    static const auto kNames = [] {
        std::array<std::string, kEnumeratorCount<Enum>> names;
        std::ranges::transform(kEnumeratorNames<Enum>, names.begin(), [](std::string_view constant) {
            auto name = Snapshot::key_of(constant);
            std::ranges::replace(name, '_', '-');
            return name;
        });
        return names;
    }();
    return kNames;
}

template <typename Enum>
[[nodiscard]] std::string_view name_of(Enum value) {
    return names_of<Enum>().at(static_cast<std::size_t>(std::to_underlying(value)));
}

}  // namespace culvert::model
