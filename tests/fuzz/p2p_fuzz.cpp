// Control packets between client and gateway: any IP packet must be told apart from them without harm, and what they
// carry must survive being taken apart and put together again.

#include <cstdint>
#include <cstdlib>

#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"

namespace {

using namespace culvert;
using namespace culvert::tunnel::p2p;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// The payload in a packet of our own making comes out unchanged.
void check_framing(ByteSpan payload) {
    const auto packet = make_control_packet(EventType::kAssignedIps, payload);
    if (!packet) {
        require(payload.size() > 1232);
        return;
    }
    const auto parsed = parse_control_packet(*packet);
    require(parsed && parsed->event_type == static_cast<std::uint8_t>(EventType::kAssignedIps));
    require(equal(parsed->payload, payload));
}

void check_payload(ByteSpan payload) {
    const auto request = decode_assigned_ips(payload);
    if (!request) {
        return;
    }
    // the answer has a member less and a status instead, which JSON readers must take
    const auto status = encode(DomainStatus{request->resource, request->domain, NatStatus::kInactive});
    require(status.starts_with('{') && status.ends_with("\"status\":\"Inactive\"}"));
    require(!decode_assigned_ips(as_bytes(status)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span{data, size});
    if (const auto control = parse_control_packet(bytes)) {
        require(is_control_packet(bytes));
        require(control->payload.size() + 48 <= size);
        check_payload(control->payload);
    }
    check_framing(bytes);
    check_payload(bytes);
    return 0;
}
