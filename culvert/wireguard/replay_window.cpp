#include "culvert/wireguard/replay_window.h"

#include <algorithm>
#include <cassert>

namespace culvert::wireguard {

bool ReplayWindow::test(std::uint64_t counter) const {
    if (counter >= next_) {
        return true;
    }
    if (next_ - counter > kSize) {
        return false;
    }
    const auto word = (counter / kBitsPerWord) % kWords;
    const auto bit = std::uint64_t{1} << (counter % kBitsPerWord);
    return (words_[word] & bit) == 0;
}

void ReplayWindow::accept(std::uint64_t counter) {
    assert(test(counter));

    if (counter >= next_) {
        const auto newest_word = next_ == 0 ? 0 : (next_ - 1) / kBitsPerWord;
        const auto steps = std::min(counter / kBitsPerWord - newest_word, kWords);
        for (std::uint64_t i = 1; i <= steps; ++i) {
            words_[(newest_word + i) % kWords] = 0;
        }
        next_ = counter + 1;
    }
    words_[(counter / kBitsPerWord) % kWords] |= std::uint64_t{1} << (counter % kBitsPerWord);
}

}  // namespace culvert::wireguard
