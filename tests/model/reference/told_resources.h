#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/device/tun_config.h"
#include "tests/model/reference/filters.h"

namespace culvert::model {

/// What a client's process has been told by the portal: its interface, its resources, the gateways of its flows.
/// Messages that reached it, applied as spec/tunnel.md sections 3.3 to 3.15 say.
class ToldResources {
public:
    using Resource = portal_api::ClientCidrResource;
    struct Flow {
        GatewayId gateway;
        SiteId site;
        Instant created_at;
    };

    /// The process ended; a new one will know nothing.
    void clear(Instant now);
    /// New sockets and keys: resources stay, flows end (section 3.17).
    void reset() {
        flows_.clear();
        given_.clear();
        gateway_addresses_.clear();
    }
    void handle(const portal_api::ToClient& message, Instant now);
    /// The portal got a message of the client.
    void handle(const portal_api::FromClient& message, Instant now);

    [[nodiscard]] const std::optional<portal_api::Interface>& interface() const { return interface_; }
    [[nodiscard]] const std::map<ResourceId, Resource>& all() const { return resources_; }
    /// When anything about the resource last changed for the client; nullopt if it does not have it.
    [[nodiscard]] std::optional<Instant> told_at(const ResourceId& id) const;
    /// When the client last had it to give up; nullopt if it never did.
    [[nodiscard]] std::optional<Instant> removed_at(const ResourceId& id) const;

    /// The resources that a packet to `address` may select: those with the longest prefix. Several if their networks
    /// are equal, since then it depends on which one was connected first (section 3.4).
    [[nodiscard]] std::vector<const Resource*> candidates(const net::IpAddress& address) const;
    /// The same for a service: those with the longest prefix among those whose filters permit it, if any does
    /// (section 12).
    [[nodiscard]] std::vector<const Resource*> candidates(const net::IpAddress& address, const Service& service) const;
    /// Any resource whose network covers `address`.
    [[nodiscard]] std::vector<const Resource*> covering(const net::IpAddress& address) const;

    [[nodiscard]] const Flow* flow(const ResourceId& id) const;
    [[nodiscard]] const std::map<ResourceId, Flow>& flows() const { return flows_; }
    /// Whether the client may reach the resource through the gateway. Where answers crossed requests, either of them
    /// may have counted, so this is more than flow().
    [[nodiscard]] bool is_given(const ResourceId& id, const GatewayId& gateway) const;
    /// Whether it is inside the tunnel the address of a gateway that some flow was ever given. A second answer to one
    /// request changes nothing for the client, so this is more than the gateways of flows().
    [[nodiscard]] bool is_gateway(const net::IpAddress& address) const { return gateway_addresses_.contains(address); }
    /// Whether some resource with this site could not be reached the last time the client asked.
    /// Ever: only a connection, which no message tells of, ends it (spec/tunnel.md section 3.14).
    [[nodiscard]] bool was_told_offline(const SiteId& site) const { return offline_sites_.contains(site); }

    /// What the TUN interface must look like; nullopt before the first `init`.
    [[nodiscard]] std::optional<tunnel::TunConfig> tun_config() const;

private:
    /// Requests for access to one resource: when the portal last got one, and when the client got the last answer.
    struct Request {
        std::optional<Instant> asked;
        std::optional<Instant> answered;

        [[nodiscard]] bool is_open() const { return asked && (!answered || *asked > *answered); }
    };

    void end_flow(const ResourceId& id);
    void add(const portal_api::ClientResource& resource, Instant now);
    void remove(const ResourceId& id, Instant now);
    void handle_one(const portal_api::ClientInit& message, Instant now);
    void handle_one(const portal_api::ConfigChanged& message, Instant now);
    void handle_one(const portal_api::ResourceCreatedOrUpdated& message, Instant now);
    void handle_one(const portal_api::ResourceDeleted& message, Instant now);
    void handle_one(const portal_api::FlowCreated& message, Instant now);
    void handle_one(const portal_api::FlowCreationFailed& message, Instant now);
    void handle_one(const portal_api::RelaysPresence&, Instant) {}
    void handle_one(const portal_api::GatewayIceCandidates&, Instant) {}
    void handle_one(const portal_api::InvalidateGatewayIceCandidates&, Instant) {}
    // There are no pools of devices.
    void handle_one(const portal_api::DevicePoolCreatedOrUpdated&, Instant) {}
    void handle_one(const portal_api::DeviceAccessAuthorized&, Instant) {}
    void handle_one(const portal_api::DeviceAccessDenied&, Instant) {}
    void handle_one(const portal_api::ClientIceCandidates&, Instant) {}
    void handle_one(const portal_api::InvalidateClientIceCandidates&, Instant) {}
    void handle_one(const portal_api::ClientIceCandidateError&, Instant) {}
    void handle_one(const portal_api::RejectAccess&, Instant) {}
    void handle_one(const portal_api::ResourceFiltersUpdated&, Instant) {}

    std::optional<portal_api::Interface> interface_;
    std::map<ResourceId, Resource> resources_;
    std::map<ResourceId, Instant> told_at_;
    std::map<ResourceId, Instant> removed_at_;
    std::map<ResourceId, Flow> flows_;
    std::map<ResourceId, Request> requests_;
    std::map<ResourceId, std::set<GatewayId>> given_;
    std::set<net::IpAddress> gateway_addresses_;
    std::map<SiteId, Instant> offline_sites_;
};

/// The TUN interface of a gateway that was told these addresses (spec/tunnel.md section 6.10).
[[nodiscard]] tunnel::TunConfig gateway_tun_config(const portal_api::Interface& interface);

}  // namespace culvert::model
