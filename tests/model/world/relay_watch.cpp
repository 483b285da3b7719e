#include "tests/model/world/relay_watch.h"

#include <algorithm>

namespace culvert::model {
namespace {

/// More than one attempt to abuse a relay has.
constexpr std::size_t kRemembered = 4096;

std::uint64_t fingerprint(ByteSpan bytes) {
    return std::hash<std::string_view>{}(as_text(bytes));
}

}  // namespace

void RelayWatch::permit(ByteSpan request) {
    permitted_.push_back(fingerprint(request));
    if (permitted_.size() > kRemembered) {
        permitted_.pop_front();
    }
}

void RelayWatch::judge(const Delivery& attack, const RelayUsers& before, const RelayUsers& after, Instant now) {
    const auto user = attack.from.to_string();
    const auto permitted = std::ranges::find(permitted_, fingerprint(attack.payload));
    const bool is_own = permitted != permitted_.end() && differ_only_for(user, before, after);
    if (is_own) {
        permitted_.erase(permitted);
    }
    verdict_.check("SEC-9", is_own || before == after, now, [&] {
        return "a stranger's or repeated datagram from " + user + " changed what a relay keeps for its users";
    });
}

}  // namespace culvert::model
