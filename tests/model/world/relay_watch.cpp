#include "model/world/relay_watch.h"

#include <algorithm>

namespace culvert::model {
namespace {

/// A nonce serves so few requests that older ones are worth nothing.
constexpr std::size_t kRemembered = 4096;

std::uint64_t fingerprint(ByteSpan bytes) {
    return std::hash<std::string_view>{}(as_text(bytes));
}

/// BINDING, which the most are, changes nothing.
bool is_authenticated_request(ByteSpan payload) {
    constexpr std::uint16_t kBinding = 0x0001;
    constexpr std::uint16_t kFirstResponse = 0x0100;
    const auto type = payload.size() < 2 ? kBinding : load_be<std::uint16_t>(payload);
    return type != kBinding && type < kFirstResponse;
}

}  // namespace

void RelayWatch::watch(const Observation& observation) {
    const auto* received = std::get_if<DatagramReceived>(&observation);
    if (received != nullptr && !received->is_attack && std::holds_alternative<RelayNo>(received->host) &&
        is_authenticated_request(received->payload)) {
        remember(received->payload);
    }
}

void RelayWatch::remember(ByteSpan request) {
    requests_.push_back(fingerprint(request));
    if (requests_.size() > kRemembered) {
        requests_.pop_front();
    }
}

bool RelayWatch::judge(const Delivery& attack, const RelayUsers& before, const RelayUsers& after, Instant now) {
    const auto user = attack.from.to_string();
    const bool is_unchanged = before == after;
    if (!is_unchanged && differ_only_for(user, before, after) &&
        std::ranges::find(requests_, fingerprint(attack.payload)) != requests_.end()) {
        verdict_.tolerate(after.contains(user) ? "a recorded request counts again"
                                               : "a recorded request deletes an allocation");
        return true;
    }
    verdict_.check("SEC-9", is_unchanged, now,
                   [&] { return "a stranger's datagram from " + user + " changed what a relay keeps for its users"; });
    return false;
}

}  // namespace culvert::model
