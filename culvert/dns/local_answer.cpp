#include "culvert/dns/local_answer.h"

#include "culvert/dns/constants.h"
#include "culvert/dns/response.h"
#include "culvert/dns/reverse_name.h"

namespace culvert::dns {

namespace {

/// Firefox asks its own resolver over HTTPS, past us, unless this name does not exist.
const Name& canary() {
    static const auto kName = Name::parse("use-application-dns.net").value();
    return kName;
}

AnswerHere answer_addresses(const Message& query, const ProxyAddresses::Assignment& assignment, IpStack stack,
                            net::Family family) {
    ResponseBuilder response{query, ResponseCode::kNoError};
    if (const auto addresses = assignment.addresses(family); addresses && has_family(stack, family)) {
        for (const auto& address : *addresses) {
            response.add(family == net::Family::kIpv4 ? RecordType::kA : RecordType::kAaaa, kLocalTtl, address.bytes());
        }
    }
    return {std::move(response).take()};
}

Decision answer_reverse(const Message& query, const ProxyAddresses& proxies) {
    const auto address = address_of_reverse_name(query.question().name);
    const auto* assignment = address ? proxies.find(*address) : nullptr;
    if (assignment == nullptr) {
        return AskUpstream{};
    }
    ResponseBuilder response{query, ResponseCode::kNoError};
    response.add(RecordType::kPtr, kLocalTtl, assignment->domain().wire());
    return AnswerHere{std::move(response).take()};
}

Decision decide_for(const Resources::Match& resource, const Message& query, ProxyAddresses& proxies) {
    const auto& question = query.question();
    switch (question.type) {
        case RecordType::kA:
        case RecordType::kAaaa: {
            const auto family = question.type == RecordType::kA ? net::Family::kIpv4 : net::Family::kIpv6;
            const auto& assignment = proxies.assign(question.name, resource.id, resource.stack);
            return answer_addresses(query, assignment, resource.stack, family);
        }
        case RecordType::kSrv:
        case RecordType::kTxt:
            return AskSite{resource.id};
        case RecordType::kHttps:
            // Its hints would be real addresses, past the proxy ones. Applications fall back to A and AAAA.
            return AnswerHere{empty_response(query, ResponseCode::kNoError)};
        default:
            return AskUpstream{};
    }
}

}  // namespace

Decision decide(const Message& query, const Resources& resources, ProxyAddresses& proxies) {
    const auto& question = query.question();
    if (question.name == canary()) {
        return AnswerHere{empty_response(query, ResponseCode::kNxDomain)};
    }
    if (question.type == RecordType::kPtr) {
        return answer_reverse(query, proxies);
    }
    const auto resource = resources.match(question.name);
    return resource ? decide_for(*resource, query, proxies) : AskUpstream{};
}

}  // namespace culvert::dns
