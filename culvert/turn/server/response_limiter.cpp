#include "culvert/turn/server/response_limiter.h"

#include <algorithm>

#include "culvert/net/ip_network.h"

namespace culvert::turn {
namespace {

constexpr Duration kInterval = Duration{std::chrono::seconds{1}} / kUnprovenAnswersPerSecond;
constexpr Duration kTolerance = kInterval * kUnprovenAnswersBurst;

}  // namespace

ResponseLimiter::ResponseLimiter(std::uint64_t key) : hash_{key}, full_at_(kLimitedNetworks, Instant::min()) {}

bool ResponseLimiter::allow(const net::IpAddress& client, Instant now) {
    const auto network = net::IpNetwork{client, client.is_v4() ? kLimitedPrefixV4 : kLimitedPrefixV6}.address();
    auto& full_at = full_at_[hash_({{network, 0}, 0}) % full_at_.size()];
    const auto next = std::max(full_at, now) + kInterval;
    if (next - now > kTolerance) {
        return false;
    }
    full_at = next;
    return true;
}

}  // namespace culvert::turn
