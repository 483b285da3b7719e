#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

/// Counts what a test program allocates, by replacing the global operators: include this in one of its source files.
namespace culvert::testing_support {

inline std::atomic<std::size_t> allocations{0};

inline void* allocate_counted(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) {
        return memory;
    }
    throw std::bad_alloc{};
}

}  // namespace culvert::testing_support

void* operator new(std::size_t size) {
    return culvert::testing_support::allocate_counted(size);
}
void* operator new[](std::size_t size) {
    return culvert::testing_support::allocate_counted(size);
}
// For std::stable_partition() and its like, which go on without. Sanitizers want both ways to be ours.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++culvert::testing_support::allocations;
    return std::malloc(size == 0 ? 1 : size);
}
void* operator new[](std::size_t size, const std::nothrow_t& nothrow) noexcept {
    return operator new(size, nothrow);
}
// Not inlined: the compiler would see std::free() meet what another operator new gave, and warn.
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}
