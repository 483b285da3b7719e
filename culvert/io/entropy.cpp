#include "culvert/io/entropy.h"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace culvert::io {

Rng::Seed os_seed() {
    Rng::Seed seed;
    std::size_t filled = 0;
    while (filled < seed.size()) {
        const auto count = ::getrandom(seed.data() + filled, seed.size() - filled, 0);
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw std::system_error{errno, std::generic_category(), "getrandom"};
        }
        filled += static_cast<std::size_t>(count);
    }
    return seed;
}

}  // namespace culvert::io
