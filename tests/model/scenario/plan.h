#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/scenario/action.h"

namespace culvert::model {

/// What a scenario's author knows at some point of it: who exists, what runs, which faults are active, as if every step
/// took effect at once. Only to draw sensible next steps; the judgement of a run is the reference model's.
class Plan {
public:
    /// Faults that may be active at once (spec/testing.md section 7.5).
    static constexpr std::size_t kMaxFaults = 3;

    explicit Plan(const Setup& setup);

    void advance_to(milliseconds now);
    void apply(const Action& action);

    struct Resource {
        ResourceNo number;
        net::IpNetwork address;
        std::vector<SiteNo> sites;
        std::vector<portal_api::Filter> filters;
    };
    struct Policy {
        GroupNo group;
        ResourceNo resource;
        bool is_disabled = false;
    };

    /// Running honest clients whose host is awake: the ones with applications.
    [[nodiscard]] std::vector<ClientNo> clients() const { return running(clients_, false); }
    [[nodiscard]] std::vector<ClientNo> hostile_clients() const { return running(clients_, true); }
    /// Running honest gateways.
    [[nodiscard]] std::vector<GatewayNo> gateways() const { return running(gateways_, false); }
    [[nodiscard]] std::vector<GatewayNo> hostile_gateways() const { return running(gateways_, true); }
    /// Hostile ones among them: they serve like others until they are told not to.
    [[nodiscard]] std::vector<RelayNo> relays() const;
    [[nodiscard]] std::vector<RelayNo> hostile_relays() const;
    /// All three kinds, without hostile clients and gateways.
    [[nodiscard]] std::vector<Device> devices() const;
    /// Those of devices() that have a NAT of their own.
    [[nodiscard]] std::vector<Device> devices_behind_nat() const;
    /// Devices that run, and the portal.
    [[nodiscard]] std::vector<Process> processes() const;
    [[nodiscard]] std::vector<Process> stopped_processes() const;
    [[nodiscard]] bool is_portal_running() const { return !stopped_.contains(PortalNo{}); }
    /// Devices whose token was not deleted yet, running or not. Never the last honest client.
    [[nodiscard]] std::vector<Device> revocable_devices() const;

    [[nodiscard]] std::vector<Resource> resources() const;
    [[nodiscard]] std::vector<ResourceNo> deleted_resources() const;
    [[nodiscard]] std::vector<Policy> policies() const;
    [[nodiscard]] std::vector<std::pair<GroupNo, ResourceNo>> missing_policies() const;
    [[nodiscard]] std::vector<std::pair<ClientNo, GroupNo>> memberships(bool present) const;
    [[nodiscard]] bool is_allowed(ClientNo client, ResourceNo resource) const;
    [[nodiscard]] std::uint8_t sites() const { return sites_; }
    [[nodiscard]] const std::optional<std::string>& search_domain() const { return search_domain_; }

    [[nodiscard]] bool may_start_fault() const { return faults_.size() + stopped_.size() < kMaxFaults; }
    [[nodiscard]] bool is_served(const Resource& resource, GatewayNo gateway) const;
    /// Whether it sent something to a resource of the gateway's site, so that they may have a tunnel.
    [[nodiscard]] bool may_have_tunnel(ClientNo client, GatewayNo gateway) const;
    /// The first of `port`, `port + 1`, ... (skipping 0) that the client did not use with this protocol before.
    [[nodiscard]] std::uint16_t unused_port(ClientNo client, Protocol protocol, std::uint16_t port) const;

private:
    struct Client {
        std::set<GroupNo> groups;
        bool is_hostile = false;
    };
    struct Gateway {
        SiteNo site;
        bool is_hostile = false;
    };

    [[nodiscard]] bool is_running(const Process& process) const;
    template <typename No, typename Entry>
    [[nodiscard]] std::vector<No> running(const std::map<No, Entry>& entries, bool hostile) const {
        std::vector<No> result;
        for (const auto& [number, entry] : entries) {
            if (entry.is_hostile == hostile && is_running(number)) {
                result.push_back(number);
            }
        }
        return result;
    }
    void begin_fault(milliseconds duration);
    void visit(ClientNo client, const Destination& destination);

    milliseconds now_{0};
    std::uint8_t sites_;
    std::uint8_t groups_;
    std::map<ClientNo, Client> clients_;
    std::map<GatewayNo, Gateway> gateways_;
    std::set<std::pair<ClientNo, SiteNo>> visited_;
    std::map<Device, Access> accesses_;
    std::set<Device> devices_;
    std::set<RelayNo> hostile_relays_;
    std::vector<Resource> all_resources_;
    std::set<ResourceNo> deleted_;
    std::map<std::pair<GroupNo, ResourceNo>, bool> policies_;  // whether disabled
    std::optional<std::string> search_domain_;

    std::set<Process> stopped_;
    std::set<Device> revoked_;
    std::map<Process, milliseconds> asleep_;  // until when
    std::multiset<milliseconds> faults_;      // when each ends
    std::map<std::pair<ClientNo, Protocol>, std::set<std::uint16_t>> used_ports_;
};

}  // namespace culvert::model
