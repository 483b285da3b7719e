#include "culvert/packet/ipv4_options.h"

namespace culvert::packet {

namespace {

constexpr std::uint8_t kEndOfOptions = 0;
constexpr std::uint8_t kNoOperation = 1;
constexpr std::uint8_t kLooseSourceRoute = 3;
constexpr std::uint8_t kStrictSourceRoute = 9;
/// Class and number of an option, without the bit that says whether fragments copy it (RFC 791 section 3.1). Hosts
/// differ in whether they look at that bit.
constexpr std::uint8_t kClassAndNumber = 0x7f;

}  // namespace

std::optional<OptionsProblem> check_ipv4_options(ByteSpan options) {
    while (!options.empty()) {
        const auto type = static_cast<std::uint8_t>(options[0]) & kClassAndNumber;
        if (type == kEndOfOptions) {
            break;
        }
        if (type == kNoOperation) {
            options = options.subspan(1);
            continue;
        }
        if (type == kLooseSourceRoute || type == kStrictSourceRoute) {
            return OptionsProblem::kSourceRoute;
        }
        const auto length = options.size() < 2 ? std::size_t{0} : static_cast<std::size_t>(options[1]);
        if (length < 2 || length > options.size()) {
            return OptionsProblem::kMalformed;
        }
        options = options.subspan(length);
    }
    return std::nullopt;
}

}  // namespace culvert::packet
