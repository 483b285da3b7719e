// The whole system: the input decides who exists and what happens, the judges say whether it was right. The fuzzer is
// guided by code coverage and by which states the cases reached.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include "tests/model/run/case.h"
#include "tests/model/run/trace.h"
#include "tests/model/scenario/decode.h"
#include "tests/model/scenario/mutate.h"

namespace {

using namespace culvert;
using namespace culvert::model;

/// libFuzzer takes these for coverage: one for each feature, and for each order of magnitude of its count.
constexpr std::size_t kCounters = 4096;
__attribute__((section("__libfuzzer_extra_counters"))) std::array<std::uint8_t, kCounters> state_counters;

void count_states(const Verdict::Counters& counters) {
    for (const auto& [name, count] : counters) {
        std::uint64_t hash = 0xcbf29ce484222325ULL;
        for (const char c : name) {
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        }
        for (auto rest = count; rest > 0; rest /= 4) {
            hash = (hash ^ rest % 4) * 0x100000001b3ULL;
            state_counters[(hash >> 20U) % kCounters] = 1;
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto result = run_case(decode(std::as_bytes(std::span{data, size})));
    count_states(result.verdict.features());
    count_states(result.verdict.tolerances());
    if (result.has_failed()) {
        for (const auto& violation : result.verdict.violations()) {
            std::fprintf(stderr, "t=%s %s: %s\n", time_text(violation.at).c_str(), violation.invariant.c_str(),
                         violation.text.c_str());
        }
        std::fprintf(stderr, "Explain it with: scripts/simulate --file INPUT\n");
        std::abort();
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
    auto rng = Rng::from_number(seed);
    if (rng.below(2) == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    const auto mutated = mutate_steps(std::as_bytes(std::span{data, size}), rng, max_size);
    std::memcpy(data, mutated.data(), mutated.size());
    return mutated.size();
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* first, std::size_t first_size,
                                                 const std::uint8_t* second, std::size_t second_size, std::uint8_t* out,
                                                 std::size_t max_out_size, unsigned seed) {
    auto rng = Rng::from_number(seed);
    const auto spliced = splice_steps(std::as_bytes(std::span{first, first_size}),
                                      std::as_bytes(std::span{second, second_size}), rng, max_out_size);
    std::memcpy(out, spliced.data(), spliced.size());
    return spliced.size();
}
