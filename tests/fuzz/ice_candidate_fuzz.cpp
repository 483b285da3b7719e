// Candidates as the peer wrote them: the parser must not crash, and what it accepts must survive being written again.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "culvert/ice/candidate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto candidate = culvert::ice::parse_candidate(text);
    if (candidate && culvert::ice::parse_candidate(culvert::ice::to_string(*candidate)) != candidate) {
        std::abort();
    }
    return 0;
}
