#include "culvert/base/hash_salt.h"

#include <cstdint>

namespace culvert {

#ifdef NDEBUG

void set_hash_salt(std::size_t) {}

#else

namespace detail {

// Where the program was loaded is different in every process, and asks nobody for randomness.
std::size_t hash_salt = reinterpret_cast<std::uintptr_t>(&hash_salt);

}  // namespace detail

void set_hash_salt(std::size_t salt) {
    detail::hash_salt = salt;
}

#endif

}  // namespace culvert
