#include "culvert/turn/request.h"

#include <cassert>

#include "culvert/base/overloaded.h"
#include "culvert/stun/message_builder.h"

namespace culvert::turn {
namespace {

using stun::AttributeType;

/// Both families are always asked for; the relay answers with those it has.
void add_allocation_attributes(stun::MessageBuilder& builder) {
    builder.requested_transport(stun::kTransportUdp)
        .address_family(AttributeType::kAdditionalAddressFamily, net::Family::kIpv6);
}

}  // namespace

stun::Method method_of(const RequestKind& kind) {
    return std::visit(overloaded{
                          [](const BindingRequest&) { return stun::Method::kBinding; },
                          [](const AllocateRequest&) { return stun::Method::kAllocate; },
                          [](const RefreshRequest&) { return stun::Method::kRefresh; },
                          [](const ChannelBindRequest&) { return stun::Method::kChannelBind; },
                      },
                      kind);
}

Bytes encode_request(const RequestKind& kind, const stun::TransactionId& id, std::string_view software,
                     const Authentication* authentication) {
    stun::MessageBuilder builder{stun::Class::kRequest, method_of(kind), id};
    std::visit(overloaded{
                   [&](const BindingRequest&) {},
                   [&](const AllocateRequest&) { add_allocation_attributes(builder); },
                   [&](const RefreshRequest&) { add_allocation_attributes(builder); },
                   [&](const ChannelBindRequest& bind) {
                       builder.address(AttributeType::kXorPeerAddress, bind.peer).channel_number(bind.channel);
                   },
               },
               kind);
    builder.text(AttributeType::kSoftware, software);
    if (std::holds_alternative<BindingRequest>(kind)) {
        return builder.build();
    }
    if (const auto* refresh = std::get_if<RefreshRequest>(&kind); refresh != nullptr && refresh->deletes_allocation) {
        builder.u32(AttributeType::kLifetime, 0);
    }
    assert(authentication != nullptr);
    builder.text(AttributeType::kUsername, authentication->username).text(AttributeType::kRealm, authentication->realm);
    if (authentication->nonce) {
        builder.text(AttributeType::kNonce, *authentication->nonce);
    }
    return builder.integrity(authentication->key.reveal()).build();
}

}  // namespace culvert::turn
