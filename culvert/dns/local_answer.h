#pragma once

#include <variant>

#include "culvert/base/bytes.h"
#include "culvert/base/uuid.h"
#include "culvert/dns/message.h"
#include "culvert/dns/proxy_addresses.h"
#include "culvert/dns/resources.h"

namespace culvert::dns {

/// The response, made here.
struct AnswerHere {
    Bytes response;
};
/// Only the resolvers of the resource's site know.
struct AskSite {
    ResourceId resource;
};
/// It is not ours, or nothing is known of it here.
struct AskUpstream {};

using Decision = std::variant<AnswerHere, AskSite, AskUpstream>;

/// What becomes of a query that the cache does not answer (spec/dns.md section 4.1). May give proxy addresses to the
/// name.
[[nodiscard]] Decision decide(const Message& query, const Resources& resources, ProxyAddresses& proxies);

}  // namespace culvert::dns
