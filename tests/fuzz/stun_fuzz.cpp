// The STUN parser on any datagram: what it accepts must survive all accessors, and encoding the parts again must give
// the same parts.

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "culvert/stun/integrity.h"
#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"

namespace {

using namespace culvert;
using namespace culvert::stun;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void call_all_accessors(const Message& message) {
    for (const auto type : {AttributeType::kUsername, AttributeType::kLifetime, AttributeType::kIceControlled,
                            AttributeType::kXorMappedAddress, AttributeType::kAdditionalAddressFamily,
                            static_cast<AttributeType>(0x7fff)}) {
        static_cast<void>(message.text(type));
        static_cast<void>(message.u32(type));
        static_cast<void>(message.u64(type));
        static_cast<void>(message.address(type));
        static_cast<void>(message.address_family(type));
        require(message.has(type) == message.find(type).has_value());
    }
    static_cast<void>(message.channel_number());
    static_cast<void>(message.requested_transport());
    static_cast<void>(message.addresses(AttributeType::kXorRelayedAddress));
    if (const auto error = message.error_code()) {
        require(error->code >= 300 && error->code < 700);
    }
    static_cast<void>(message.verify_fingerprint());
    require(message.has_integrity() || !message.verify_integrity(as_bytes("key")));
}

/// Encodes the visible attributes again, typed where there is a type, and compares.
void encode_again(const Message& message) {
    if (message.has(AttributeType::kFingerprint)) {
        return;  // one in front of MESSAGE-INTEGRITY: encoded again it would hide the right one at the end
    }
    MessageBuilder raw{message.cls(), message.method(), message.transaction_id()};
    for (const auto& attribute : message.attributes()) {
        if (attribute.type == AttributeType::kXorPeerAddress || attribute.type == AttributeType::kXorMappedAddress) {
            const auto address = message.addresses(attribute.type);
            require(!address.empty());
        }
        raw.raw(attribute.type, attribute.value);
    }
    const auto bytes = raw.integrity(as_bytes("key")).fingerprint().build();
    // Attributes behind MESSAGE-INTEGRITY are gone, so this one is the first.
    const auto again = Message::parse(bytes, kRelayTextLimits);
    if (!again) {
        return;  // accepted with the other limits only
    }
    require(again->header() == message.header());
    require(again->verify_fingerprint());
    auto theirs = again->attributes().begin();
    for (const auto& attribute : message.attributes()) {
        require((*theirs).type == attribute.type && equal((*theirs).value, attribute.value));
        ++theirs;
    }
    require(again->verify_integrity(as_bytes("key")));
    require(!again->verify_integrity(as_bytes("another key")));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A heap copy of exact size, so that the sanitizer sees each byte read beyond it.
    const Bytes datagram = to_bytes(std::as_bytes(std::span{data, size}));
    const auto header = Header::parse(datagram);
    for (const auto limits : {kPeerTextLimits, kRelayTextLimits}) {
        const auto message = Message::parse(datagram, limits);
        if (message) {
            require(header.has_value() && *header == message->header());
            call_all_accessors(*message);
            if (size < 60'000) {
                encode_again(*message);
            }
        } else if (!header) {
            require(message.error() == header.error());
        }
    }
    return 0;
}
