#pragma once

#include <cstddef>

/// Nothing may depend on the order of a hash table. Builds with assertions therefore give the hashes of our own types
/// another order in every process, so that such a dependence shows up as runs that differ; other builds leave them as
/// they are.
namespace culvert {

#ifdef NDEBUG

inline constexpr bool kHashesAreSalted = false;

[[nodiscard]] constexpr std::size_t salted(std::size_t hash) noexcept {
    return hash;
}

#else

inline constexpr bool kHashesAreSalted = true;

namespace detail {

extern std::size_t hash_salt;

}  // namespace detail

[[nodiscard]] inline std::size_t salted(std::size_t hash) noexcept {
    return (hash ^ detail::hash_salt) * 0x9e3779b97f4a7c15U;
}

#endif

/// Chooses the order instead, to repeat a run or to compare two. Does nothing in builds that do not salt. Only while no
/// hash table has an element.
void set_hash_salt(std::size_t salt);

}  // namespace culvert
