#include "tests/model/scenario/mutate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/model/choice/choice_source.h"

namespace culvert::model {

namespace {

struct Parts {
    ByteSpan setup;
    std::vector<Bytes> steps;
};

// Without what no step reads.
Parts split(ByteSpan bytes, const DecodeOptions& options) {
    const auto layout = decoded_layout(bytes, options);
    Parts parts{.setup = bytes.first(layout.setup), .steps = {}};
    auto begin = layout.setup;
    for (const auto end : layout.step_ends) {
        parts.steps.push_back(to_bytes(bytes.subspan(begin, end - begin)));
        begin = end;
    }
    return parts;
}

Bytes join(const Parts& parts, std::size_t max_size) {
    auto bytes = to_bytes(parts.setup);
    for (const auto& step : parts.steps) {
        append(bytes, step);
    }
    bytes.resize(std::min(bytes.size(), max_size));
    return bytes;
}

// As long as most steps are; decoding goes on wherever the step turns out to end.
Bytes random_step(Rng& rng) {
    return ChoiceSource::random_bytes(rng, 4 + rng.below(12));
}

}  // namespace

Bytes mutate_steps(ByteSpan bytes, Rng& rng, std::size_t max_size, const DecodeOptions& options) {
    auto parts = split(bytes, options);
    auto& steps = parts.steps;
    const auto at = rng.below(steps.size());
    const auto chosen = steps.begin() + static_cast<std::ptrdiff_t>(at);
    switch (rng.below(6)) {
        case 0:
            steps.erase(chosen);
            break;
        case 1:
            steps.insert(chosen, Bytes{*chosen});
            break;
        case 2:
            std::iter_swap(chosen, at + 1 < steps.size() ? chosen + 1 : steps.begin());
            break;
        case 3:
            *chosen = random_step(rng);
            break;
        case 4:
            if (!chosen->empty()) {
                (*chosen)[rng.below(chosen->size())] = static_cast<std::byte>(rng.below(256));
            }
            break;
        default:
            steps.insert(chosen, random_step(rng));
    }
    return join(parts, max_size);
}

Bytes splice_steps(ByteSpan first, ByteSpan second, Rng& rng, std::size_t max_size, const DecodeOptions& options) {
    auto parts = split(first, options);
    const auto others = split(second, options).steps;
    parts.steps.resize(rng.below(parts.steps.size() + 1));
    parts.steps.insert(parts.steps.end(), others.begin() + static_cast<std::ptrdiff_t>(rng.below(others.size())),
                       others.end());
    return join(parts, max_size);
}

}  // namespace culvert::model
