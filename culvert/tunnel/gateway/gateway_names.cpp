#include "culvert/tunnel/gateway/gateway_names.h"

#include <algorithm>

#include "culvert/observability/log.h"
#include "culvert/tunnel/flow_key.h"
#include "culvert/tunnel/names/name_rules.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

GatewayNames::GatewayNames(const Rng& rng) : sessions_{{}, rng.child("nat sessions")} {}

// --- Setting up ---

std::optional<p2p::DomainStatus> GatewayNames::handle_request(const ClientId& client, const ClientPolicy& policy,
                                                              p2p::AssignedIps message, Instant now) {
    auto request = read_request(client, message);
    if (!request) {
        return refuse(message);
    }
    if (!policy.covers(message.resource, request->domain)) {
        kLog.debug("Refused to set up a name that the client may not use", log::field("cid", client),
                   log::field("rid", message.resource), log::field("domain", request->domain));
        return refuse(message);
    }
    if (!requests_.submit(std::move(*request), now)) {
        kLog.debug("Too many names are looked up", log::field("cid", client), log::field("rid", message.resource));
    }
    return std::nullopt;
}

p2p::DomainStatus GatewayNames::finish_request(const NameRequests::Resolved& resolved, const ClientPolicy& policy,
                                               FlowTable& flows, Instant now) {
    const auto& [client, domain, message] = resolved.request;
    if (!policy.covers(message.resource, domain)) {
        kLog.debug("The client may not use a name any more", log::field("cid", client),
                   log::field("rid", message.resource));
        return refuse(message);
    }
    auto& translations = translations_[client];
    const bool is_repeated = std::ranges::all_of(message.proxy_ips, [&](const net::IpAddress& proxy) {
        const auto* target = translations.find(proxy);
        return target != nullptr && target->resource == message.resource;
    });
    if (!is_repeated) {
        flows.invalidate();  // flows to these proxy IPs may have been judged by another resource's filters
    }
    return set_up(resolved, translations, sessions_, now);
}

// --- Ending ---

void GatewayNames::forget_client(const ClientId& client, Instant now) {
    requests_.forget_client(client);
    sessions_.finish_client(client, now);
    translations_.erase(client);
}

void GatewayNames::forget_resource(const ClientId& client, const ResourceId& resource, Instant now) {
    const auto translations = translations_.find(client);
    if (translations == translations_.end()) {
        return;
    }
    translations->second.forget_resource(resource);
    // Those of names that gave way to others as well: nobody can tell any more what they belonged to.
    sessions_.finish_proxies(
        client, [&](const net::IpAddress& proxy) { return translations->second.find(proxy) == nullptr; }, now);
}

// --- Packets ---

const nat::Translations& GatewayNames::of(const ClientId& client) const {
    static const nat::Translations kNone;
    const auto found = translations_.find(client);
    return found == translations_.end() ? kNone : found->second;
}

std::expected<void, Refusal> GatewayNames::pass_on(const ClientId& client, packet::IpPacket& packet,
                                                   const net::IpAddress& real, FlowTable& flows, Instant now) {
    // What the flow looks like from the other side.
    auto outside = outbound_flow(packet).value();
    outside.remote = real;
    const bool is_echo = packet.is_icmp();
    const auto is_unmistakable = [&](std::uint16_t port) {
        outside.client_value = port;
        outside.remote_value = is_echo ? port : outside.remote_value;
        return flows.find(outside, now) == nullptr;
    };
    const auto proxy = packet.destination();
    const auto value = packet.source_value().value().value;
    switch (sessions_.translate_out(client, packet, now)) {
        case nat::SessionTable::Out::kTranslated:
            outside.remote = packet.destination();  // where the name was when the session began
            if (!is_unmistakable(packet.source_value().value().value)) {
                packet.set_destination(proxy);
                packet.set_source_value(value);
                return std::unexpected{Refusal::kPortTaken};
            }
            return {};
        case nat::SessionTable::Out::kNoSession:
            if (!sessions_.open(client, packet, real, now, is_unmistakable)) {
                return std::unexpected{Refusal::kPortTaken};
            }
            return {};
        case nat::SessionTable::Out::kAnswerToNothing:
            return std::unexpected{Refusal::kNoSession};
        case nat::SessionTable::Out::kUntranslatable:
            break;
    }
    return std::unexpected{Refusal::kNoL4Value};
}

std::optional<Bytes> GatewayNames::pass_on_error(const ClientId& client, const packet::IpPacket& packet,
                                                 Instant now) const {
    const auto error = packet::inspect_icmp_error(packet);
    if (!error || !*error) {
        return std::nullopt;
    }
    return sessions_.translate_error_out(client, packet, **error, now);
}

bool GatewayNames::is_mistakable(const ClientId& client, const packet::IpPacket& packet, FlowTable& flows,
                                 Instant now) const {
    const auto like = has_sessions() ? sessions_.session_like(client, packet, now) : std::nullopt;
    if (!like) {
        return false;
    }
    auto inside = outbound_flow(packet).value();
    inside.remote = like->proxy;
    inside.client_value = like->value;
    inside.remote_value = packet.is_icmp() ? like->value : inside.remote_value;
    return flows.find(inside, now) != nullptr;
}

}  // namespace culvert::tunnel
