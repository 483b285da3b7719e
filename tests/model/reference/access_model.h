#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "tests/model/scenario/action.h"

namespace culvert::model {

/// Who may reach what, according to the portal's database: the setup and what administrators did since.
///
/// Source: spec/portal-protocol.md sections 9.5, 11 and 12. Knows nothing of messages: devices may lag behind.
class AccessModel {
public:
    /// `begin`: when the tokens were made; lifetimes count from there.
    AccessModel(const Setup& setup, Instant begin);

    /// An administrator's action that took effect. Others are ignored.
    void apply(const Action& action, Instant now);

    struct Resource {
        ResourceNo number;
        ResourceId id;
        std::string name;
        net::IpNetwork address;
        std::set<SiteNo> sites;
        std::vector<portal_api::Filter> filters;
        /// When any of the above changed.
        Instant changed_at;
    };
    /// Null if it does not exist (any more).
    [[nodiscard]] const Resource* find(const ResourceId& id) const;
    [[nodiscard]] const std::map<ResourceId, Resource>& resources() const { return resources_; }
    [[nodiscard]] std::string site_name(SiteNo site) const;

    /// Whether something holds, and since when.
    struct Standing {
        bool holds = false;
        Instant since;
    };
    /// An enabled policy links the resource to a group of the client, and it has a site: the client is to be shown it.
    [[nodiscard]] Standing is_shown(ClientNo client, const ResourceId& resource) const;
    /// is_shown(), and the client's token is neither expired nor deleted.
    [[nodiscard]] Standing may_reach(ClientNo client, const ResourceId& resource, Instant now) const;
    [[nodiscard]] bool is_revoked(const Device& device) const { return revoked_.contains(device); }
    /// Whether the device may sign in. Its token does not expire, or not yet, and was not deleted.
    [[nodiscard]] Standing may_sign_in(const Device& device, Instant now) const;
    [[nodiscard]] std::optional<Instant> token_expiry(ClientNo client) const;
    /// The last time any resource, or any standing of this client, changed.
    [[nodiscard]] Instant changed_at(ClientNo client) const;

    [[nodiscard]] const std::optional<std::string>& search_domain() const { return search_domain_; }

private:
    struct Policy {
        bool is_disabled = false;
    };

    [[nodiscard]] bool compute_shown(ClientNo client, const Resource& resource) const;
    void update_standings(Instant now);
    [[nodiscard]] Resource* current(ResourceNo number);
    void change(const Action& action, Instant now);
    void create(const CreateResource& action, Instant now);
    void erase(const DeleteResource& action);
    /// Nothing, if the resource does not exist.
    template <typename Change>
    void edit(ResourceNo number, Instant now, Change change);

    const Setup setup_;
    Instant begin_;
    std::map<ResourceNo, std::uint8_t> generations_;
    std::map<ResourceId, Resource> resources_;
    std::map<std::pair<GroupNo, ResourceId>, Policy> policies_;
    std::set<std::pair<ClientNo, GroupNo>> memberships_;
    std::map<Device, Instant> revoked_;
    std::map<SiteNo, std::string> site_names_;
    std::map<std::pair<ClientNo, ResourceId>, Standing> shown_;
    std::map<ClientNo, Instant> changed_at_;
    std::optional<std::string> search_domain_;
};

}  // namespace culvert::model
