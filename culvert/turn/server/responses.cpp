#include "culvert/turn/server/responses.h"

#include "culvert/stun/message_builder.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::MessageBuilder;
using stun::Method;

MessageBuilder start(Class cls, const stun::Header& request, std::string_view software) {
    MessageBuilder builder{cls, request.method, request.transaction_id};
    builder.text(AttributeType::kSoftware, software);
    return builder;
}

std::uint32_t seconds(std::chrono::seconds lifetime) {
    return static_cast<std::uint32_t>(lifetime.count());
}

}  // namespace

bool is_served(Method method) {
    switch (method) {
        case Method::kBinding:
        case Method::kAllocate:
        case Method::kRefresh:
        case Method::kCreatePermission:
        case Method::kChannelBind:
            return true;
        default:
            return false;
    }
}

std::string_view method_name(Method method) {
    switch (method) {
        case Method::kBinding:
            return "binding";
        case Method::kAllocate:
            return "allocate";
        case Method::kRefresh:
            return "refresh";
        case Method::kCreatePermission:
            return "create permission";
        case Method::kChannelBind:
            return "channel bind";
        default:
            return "unknown";
    }
}

std::string_view reason_phrase(std::uint16_t code) {
    switch (code) {
        case stun::kBadRequest:
            return "Bad Request";
        case stun::kUnauthorized:
            return "Unauthorized";
        case stun::kForbidden:
            return "Forbidden";
        case stun::kAllocationMismatch:
            return "Allocation Mismatch";
        case stun::kStaleNonce:
            return "Stale Nonce";
        case stun::kAddressFamilyNotSupported:
            return "Address Family not Supported";
        case stun::kPeerAddressFamilyMismatch:
            return "Peer Address Family Mismatch";
        case stun::kWrongCredentials:
            return "Wrong Credentials";
        case stun::kAllocationQuotaReached:
            return "Allocation Quota Reached";
        case stun::kInsufficientCapacity:
            return "Insufficient Capacity";
        default:
            return "Server Error";
    }
}

Bytes binding_success(const stun::Header& request, const net::SocketAddress& mapped, std::string_view software) {
    return start(Class::kSuccess, request, software).address(AttributeType::kXorMappedAddress, mapped).build();
}

Bytes allocate_success(const stun::Header& request, const AllocateSuccess& success, std::string_view software,
                       const stun::LongTermKey& key) {
    auto builder = start(Class::kSuccess, request, software);
    if (success.relayed_v4) {
        builder.address(AttributeType::kXorRelayedAddress, *success.relayed_v4);
    }
    if (success.relayed_v6) {
        builder.address(AttributeType::kXorRelayedAddress, *success.relayed_v6);
    }
    return builder.address(AttributeType::kXorMappedAddress, success.mapped)
        .u32(AttributeType::kLifetime, seconds(success.lifetime))
        .integrity(key.reveal())
        .build();
}

Bytes refresh_success(const stun::Header& request, std::chrono::seconds lifetime, std::string_view software,
                      const stun::LongTermKey& key) {
    return start(Class::kSuccess, request, software)
        .u32(AttributeType::kLifetime, seconds(lifetime))
        .integrity(key.reveal())
        .build();
}

Bytes plain_success(const stun::Header& request, std::string_view software, const stun::LongTermKey& key) {
    return start(Class::kSuccess, request, software).integrity(key.reveal()).build();
}

Bytes error_response(const stun::Header& request, std::uint16_t code, const std::optional<Uuid>& nonce,
                     std::string_view software, const std::optional<stun::LongTermKey>& key) {
    auto builder = start(Class::kError, request, software);
    builder.error_code(code, reason_phrase(code));
    if (nonce) {
        builder.text(AttributeType::kRealm, kRelayRealm).text(AttributeType::kNonce, nonce->to_string());
    }
    if (key) {
        builder.integrity(key->reveal());
    }
    return builder.build();
}

}  // namespace culvert::turn
