#include "tests/model/world/marked_payload.h"

#include "tests/model/reference/inner_packet.h"

namespace culvert::model {
Bytes make_marked_payload(std::uint64_t number, std::size_t length) {
    auto payload = to_bytes(as_bytes(kMarker));
    append_be(payload, number);
    while (payload.size() < length) {
        payload.push_back(static_cast<std::byte>(payload.size() * 7 + number));
    }
    return payload;
}

}  // namespace culvert::model
