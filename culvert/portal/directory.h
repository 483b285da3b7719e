#pragma once

#include <map>
#include <set>
#include <vector>

#include "culvert/portal/model.h"

/// The account's configuration as one value. The core holds one, and on a change loads the next and compares.
namespace culvert::portal {

/// A device that a pool names.
struct PoolClient {
    ClientId id;
    net::IpAddress ipv4;
    net::IpAddress ipv6;

    friend bool operator==(const PoolClient&, const PoolClient&) = default;
};

struct Directory {
    Account account;
    std::map<SiteId, Site> sites;
    std::map<ActorId, Actor> actors;
    std::map<GroupId, Group> groups;
    std::map<MembershipId, Membership> memberships;
    std::map<ResourceId, Resource> resources;
    std::map<PolicyId, Policy> policies;
    /// Those that pools name and that have connected, but for revoked ones.
    std::map<PoolMember, PoolClient> pool_clients = {};
};

/// Why a client may reach a resource: what a flow cites, so that it goes away with either of the two.
struct Grant {
    PolicyId policy;
    MembershipId membership;
    /// When the policy's conditions end it; unset: they do not.
    std::optional<UnixSeconds> until = {};

    friend bool operator==(const Grant&, const Grant&) = default;
};

/// One for each policy that is enabled, whose conditions the client meets, and that links a group of `actor` to
/// `resource`. What lasts longest comes first.
[[nodiscard]] std::vector<Grant> find_grants(const Directory& directory, const ActorId& actor, const ClientFacts& facts,
                                             const ResourceId& resource, TimeWindows& windows);

/// Why no policy grants the resource although some would: the conditions that the client does not meet, each once.
/// None: there is a grant, or nobody meant to give one.
[[nodiscard]] std::vector<ConditionProperty> find_violations(const Directory& directory, const ActorId& actor,
                                                             const ClientFacts& facts, const ResourceId& resource,
                                                             TimeWindows& windows);

/// All that grant something to the client.
[[nodiscard]] std::set<PolicyId> granting_policies(const Directory& directory, const ActorId& actor,
                                                   const ClientFacts& facts, TimeWindows& windows);

/// Resources with a grant and at least one site, in ascending order of id (spec/portal-protocol.md section 9.5).
[[nodiscard]] std::vector<const Resource*> connectable_resources(const Directory& directory, const ActorId& actor,
                                                                 const ClientFacts& facts, TimeWindows& windows);

[[nodiscard]] bool has_time_conditions(const Directory& directory);

/// When any policy may begin or cease to grant something, by time alone; unset: never.
[[nodiscard]] std::optional<UnixSeconds> next_time_boundary(const Directory& directory, UnixSeconds now,
                                                            TimeWindows& windows);

/// What differs between two directories, as far as connected devices have to hear of it beyond a changed list of
/// resources (spec/portal-protocol.md section 12).
struct DirectoryChanges {
    bool dns = false;
    bool slug = false;
    /// What devices are told about recording flows.
    bool flow_logs = false;
    /// Policies whose flows are logged now and were not, or the other way round.
    std::set<PolicyId> logged_otherwise;
    /// Their sites or a policy that leads to them changed: to be deleted and created anew at clients.
    std::set<ResourceId> toggled;
    /// A site of theirs was renamed: to be toggled at clients that cannot handle that.
    std::set<ResourceId> in_renamed_site;
    /// To be told to every gateway.
    std::set<ResourceId> filters;
    /// Address, type or IP stack changed: gateways must forget who was let through.
    std::set<ResourceId> destination;
};

[[nodiscard]] DirectoryChanges compare(const Directory& before, const Directory& after);

}  // namespace culvert::portal
