#include "tests/model/choice/choice_source.h"

#include <algorithm>
#include <numeric>

namespace culvert::model {

Bytes ChoiceSource::random_bytes(Rng& rng, std::size_t length) {
    Bytes bytes(length);
    rng.fill(bytes);
    return bytes;
}

std::uint64_t ChoiceSource::read(std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count && used_ < bytes_.size(); ++i) {
        value = value << 8U | std::to_integer<std::uint64_t>(bytes_[used_++]);
    }
    return value;
}

std::uint64_t ChoiceSource::below(std::uint64_t bound) {
    if (bound <= 1) {
        return 0;
    }
    std::size_t width = 1;
    while (width < 8 && (bound - 1) >> (8 * width) != 0) {
        ++width;
    }
    return read(width) % bound;
}

std::uint64_t ChoiceSource::between(std::uint64_t lowest, std::uint64_t highest) {
    return lowest + below(highest - lowest + 1);
}

bool ChoiceSource::chance(unsigned percent) {
    // Counted from the top, so that the fallback of an exhausted source is "no".
    return below(100) >= 100 - std::min(percent, 100U);
}

std::size_t ChoiceSource::weighted(std::span<const unsigned> weights) {
    const auto sum = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
    auto point = below(sum);
    std::size_t index = 0;
    while (point >= weights[index]) {
        point -= weights[index++];
    }
    return index;
}

std::uint64_t ChoiceSource::next_u64() {
    return read(8);
}

}  // namespace culvert::model
