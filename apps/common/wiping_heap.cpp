// Overwrites what is given back to the heap, in each of our programs: keys and passwords travel through strings,
// parsers and libraries that leave copies behind, and whoever reads the memory of the process later must not find them.
// Costs nothing per packet, since packets do not allocate. OpenSSL and libsodium do the same with their own memory.

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "culvert/base/sanitizers.h"
#include "culvert/base/wipe.h"

#if !CULVERT_HAS_SANITIZED_HEAP

namespace {

void wipe_and_free(void* memory) noexcept {
    if (memory != nullptr) {
        // All of it: what was asked for may have been less, but who grew into the rest used it as well.
        culvert::wipe({static_cast<std::byte*>(memory), ::malloc_usable_size(memory)});
    }
    std::free(memory);
}

}  // namespace

void operator delete(void* memory) noexcept {
    wipe_and_free(memory);
}
void operator delete[](void* memory) noexcept {
    wipe_and_free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    wipe_and_free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    wipe_and_free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    wipe_and_free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
    wipe_and_free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    wipe_and_free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    wipe_and_free(memory);
}

#endif
