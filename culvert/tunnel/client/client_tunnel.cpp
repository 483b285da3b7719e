#include "culvert/tunnel/client/client_tunnel.h"

#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

ClientTunnel::ClientTunnel(const connectivity::Seeds& seeds, Instant now, WallTime wall_now,
                           const ClientOptions& options)
    : core_{connectivity::Role::kClient, seeds, now, wall_now},
      devices_{core_, seeds.own.child("devices")},
      dns_{seeds.own.child("dns")},
      flows_{{.total = kClientFlows, .per_peer = kClientFlowsPerGateway}, seeds.own.child("flows")},
      records_{kClientFlows} {
    resources_.want_internet(options.wants_internet);
    if (const auto refused = dns_.restore(options.dns_records); refused != 0) {
        kLog.warn("Some addresses of names were not taken over", log::field("count", refused));
    }
}

// --- Messages of the portal ---

void ClientTunnel::handle_portal(const portal_api::ToClient& message, Instant now, UnixSeconds wall_now) {
    std::visit(overloaded{
                   [&](const portal_api::ClientInit& init) {
                       // First: whether a connection is still of use depends on who may come.
                       devices_.reconcile(init.authorizations, now, wall_now);
                       handle(init, now);
                   },
                   [&](const portal_api::DeviceAccessAuthorized& authorized) { handle(authorized, now, wall_now); },
                   [&](const auto& any) { handle(any, now); },
               },
               message);
    settle_names(now);
    core_.note_input(now);
    drain_connections(now);
}

void ClientTunnel::handle(const portal_api::ClientInit& message, Instant now) {
    set_interface(message.interface, now);
    set_resources(message.resources, now);
    devices_.set_pools(message.device_pools, now);
    update_tun_config();
    core_.update_relays({}, message.relays, now);
    renew_requests(now);
}

void ClientTunnel::handle(const portal_api::ConfigChanged& message, Instant now) {
    set_interface(message.interface, now);
}

void ClientTunnel::handle(const portal_api::ResourceCreatedOrUpdated& message, Instant now) {
    add_resource(message.resource, now);
}

void ClientTunnel::handle(const portal_api::DevicePoolCreatedOrUpdated& message, Instant now) {
    devices_.upsert_pool(message.pool, now);
    update_tun_config();
}

void ClientTunnel::handle(const portal_api::ResourceDeleted& message, Instant now) {
    remove_resource(message.resource_id, now);
    devices_.remove_pool(message.resource_id, now);
    update_tun_config();
}

void ClientTunnel::handle(const portal_api::RelaysPresence& message, Instant now) {
    core_.update_relays(message.disconnected_ids, message.connected, now);
}

void ClientTunnel::handle(const portal_api::GatewayIceCandidates& message, Instant now) {
    core_.add_candidates(message.gateway_id.uuid(), message.candidates, now);
}

void ClientTunnel::handle(const portal_api::InvalidateGatewayIceCandidates& message, Instant now) {
    core_.remove_candidates(message.gateway_id.uuid(), message.candidates, now);
}

void ClientTunnel::handle(const portal_api::DeviceAccessAuthorized& message, Instant now, UnixSeconds wall_now) {
    if (peers_.contains(GatewayId{message.client_id.uuid()})) {
        kLog.warn("Ignoring access to or of a client that is a gateway", log::field("cid", message.client_id));
        return;
    }
    devices_.handle(message, now, wall_now);
}

// --- Time, outputs, end ---

void ClientTunnel::handle_timeout(Instant now, UnixSeconds wall_now) {
    core_.handle_timeout(now);
    drain_connections(now);
    devices_.handle_timeout(now, wall_now);
    names_.handle_timeout(now);
    dns_.handle_timeout(now);
    resources_changed_ |= statuses_.handle_timeout(now);
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kRecords:
                records_changed_ = true;
                break;
            case Due::kFlowSweep:
                follow_records(now);
                break;
        }
    });
    settle_names(now);
}

std::optional<Instant> ClientTunnel::poll_timeout() {
    return earliest(core_.poll_timeout(), names_.poll_timeout(), dns_.poll_timeout(), devices_.poll_timeout(),
                    statuses_.poll_timeout(), due_.next());
}

std::optional<Bytes> ClientTunnel::poll_tun_packet() {
    if (errors_to_host_.empty()) {
        auto packet = dns_.poll_to_host();
        return packet ? std::move(packet) : devices_.poll_to_host();
    }
    auto error = std::move(errors_to_host_.front());
    errors_to_host_.pop_front();
    return error;
}

std::optional<ClientEvent> ClientTunnel::poll_event() {
    if (auto changed = std::exchange(key_changed_, std::nullopt)) {
        return *changed;
    }
    if (auto event = core_.poll_event()) {
        return std::visit([](auto& alternative) { return ClientEvent{std::move(alternative)}; }, *event);
    }
    if (std::exchange(resources_changed_, false)) {
        // Much that touches the list leaves it as it was: a site that was Unknown anyway, the list of a new `init`.
        if (auto views = resources_.views(statuses_); listed_ != views) {
            listed_ = views;
            return ResourcesChanged{std::move(views)};
        }
    }
    if (!dns_events_.empty()) {
        auto event = std::move(dns_events_.front());
        dns_events_.pop_front();
        return event;
    }
    if (std::exchange(records_changed_, false)) {
        return DnsRecordsChanged{dns_.proxies().records()};
    }
    if (auto tracked = records_.poll()) {
        return *std::move(tracked);
    }
    if (auto tracked = devices_.poll_records()) {
        return *std::move(tracked);
    }
    return std::nullopt;
}

void ClientTunnel::reset(std::string_view reason, Instant now) {
    kLog.info("Resetting network state", log::field("reason", reason));
    note_resources_in_use(now);
    core_.reset(now);
    drain_connections(now);
    forget_all_gateways(now);
    devices_.forget_all(now);
    dns_.handle_network_reset(now);
    settle_names(now);
    key_changed_ = KeyChanged{public_key()};
}

void ClientTunnel::shut_down(Instant now) {
    kLog.info("Shutting down");
    if (due_.is_set(Due::kRecords)) {  // the next session has to know the names of the last moment as well
        due_.clear(Due::kRecords);
        records_changed_ = true;
    }
    records_.finish_all(now);
    devices_.finish_records(now);
    core_.close_all(now);
    forget_all_gateways(now);
    devices_.forget_all(now);
    drain_connections(now);
}

void ClientTunnel::apply(const Command& command, Instant now, UnixSeconds wall_now) {
    std::visit(overloaded{[&](const portal_api::ToClient& message) { handle_portal(message, now, wall_now); },
                          [&](const NetworkChanged& changed) {
                              core_.handle_network_change(changed.addresses, now);
                              drain_connections(now);
                          },
                          [&](const Reset& reset_command) { reset(reset_command.reason, now); },
                          [&](const SetInternetResource& internet) { set_internet_resource(internet.is_active, now); },
                          [&](const SetSystemResolvers& system) { set_system_resolvers(system.servers, now); },
                          [&](const DnsResponse& response) { handle_dns_response(response.id, response.message, now); },
                          [&](const DnsFailure& failure) { handle_dns_failure(failure.id, now); },
                          [&](const ShutDown&) { shut_down(now); }},
               command);
}

std::optional<Uuid> ClientTunnel::peer_of(const Command& command) {
    const auto* message = std::get_if<portal_api::ToClient>(&command);
    if (message == nullptr) {
        return std::nullopt;
    }
    using Peer = std::optional<Uuid>;
    return std::visit(
        overloaded{
            [](const portal_api::ClientInit&) -> Peer { return std::nullopt; },
            [](const portal_api::ConfigChanged&) -> Peer { return std::nullopt; },
            [](const portal_api::ResourceCreatedOrUpdated&) -> Peer { return std::nullopt; },
            [](const portal_api::DevicePoolCreatedOrUpdated&) -> Peer { return std::nullopt; },
            [](const portal_api::ResourceDeleted&) -> Peer { return std::nullopt; },
            [](const portal_api::RelaysPresence&) -> Peer { return std::nullopt; },
            [](const portal_api::FlowCreated& created) -> Peer { return created.gateway_id.uuid(); },
            [](const portal_api::FlowCreationFailed&) -> Peer { return std::nullopt; },
            [](const portal_api::GatewayIceCandidates& added) -> Peer { return added.gateway_id.uuid(); },
            [](const portal_api::InvalidateGatewayIceCandidates& gone) -> Peer { return gone.gateway_id.uuid(); },
            [](const portal_api::DeviceAccessAuthorized& authorized) -> Peer { return authorized.client_id.uuid(); },
            [](const portal_api::DeviceAccessDenied&) -> Peer { return std::nullopt; },
            [](const portal_api::ClientIceCandidates& added) -> Peer { return added.client_id.uuid(); },
            [](const portal_api::InvalidateClientIceCandidates& gone) -> Peer { return gone.client_id.uuid(); },
            [](const portal_api::ClientIceCandidateError& error) -> Peer { return error.client_id.uuid(); },
            [](const portal_api::RejectAccess& reject) -> Peer { return reject.client_id.uuid(); },
            [](const portal_api::ResourceFiltersUpdated&) -> Peer { return std::nullopt; },
        },
        *message);
}

}  // namespace culvert::tunnel
