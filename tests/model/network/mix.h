#pragma once

#include <cstdint>

namespace culvert::model {

/// A well-spread number from two others: for order and ports that must look random but depend on nothing else, in
/// particular not on how many draws somebody took from a generator before. (The finalizer of SplitMix64.)
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    std::uint64_t x = a + 0x9e3779b97f4a7c15ULL * (b + 1);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

}  // namespace culvert::model
