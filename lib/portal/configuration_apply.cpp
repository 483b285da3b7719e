// Making the database match a configuration.

#include <algorithm>
#include <map>
#include <set>

#include "culvert/portal/configuration.h"

namespace culvert::portal {
namespace {

/// The rows of a table by name. Names that occur twice keep the row with the lowest id.
template <typename Id, typename Row>
std::map<std::string, Row> by_name(const std::map<Id, Row>& rows) {
    std::map<std::string, Row> named;
    for (const auto& [id, row] : rows) {
        named.emplace(row.name, row);
    }
    return named;
}

class Application {
public:
    Application(const Configuration& configuration, Storage& storage, Rng& rng)
        : configuration_{configuration}, storage_{storage}, rng_{rng} {}

    ApplySummary run() {
        apply_account();
        apply_sites();
        apply_actors();
        apply_groups();
        apply_resources();
        apply_policies();
        return std::move(summary_);
    }

private:
    void apply_account() {
        if (!configuration_.account) {
            return;
        }
        const auto before = storage_.load_directory().account;
        auto account = before;
        const auto& section = *configuration_.account;
        account.name = section.name.value_or(account.name);
        account.slug = section.slug.value_or(account.slug);
        if (section.dns) {
            account.search_domain = section.dns->search_domain;
            account.upstream_dns = section.dns->upstream;
        }
        store(account, account == before ? Outcome::kUnchanged : Outcome::kChanged, label("account", account.name));
    }

    void apply_sites() {
        if (!configuration_.sites) {
            return;
        }
        const auto known = storage_.load_directory().sites;
        const auto named = by_name(known);
        std::set<SiteId> kept;
        for (const auto& entry : *configuration_.sites) {
            const auto found = named.find(entry.name);
            const Site site{found == named.end() ? SiteId::random(rng_) : found->second.id, entry.name};
            kept.insert(site.id);
            store_row(site, known, label("site", site.name));
        }
        erase_others(known, kept, "site");
    }

    void apply_actors() {
        if (!configuration_.actors) {
            return;
        }
        const auto known = storage_.load_directory().actors;
        const auto named = by_name(known);
        std::set<ActorId> kept;
        for (const auto& entry : *configuration_.actors) {
            const auto found = named.find(entry.name);
            const Actor actor{found == named.end() ? ActorId::random(rng_) : found->second.id, entry.type, entry.name,
                              entry.email};
            kept.insert(actor.id);
            store_row(actor, known, label("actor", actor.name));
        }
        erase_others(known, kept, "actor");
    }

    void apply_groups() {
        if (!configuration_.groups) {
            return;
        }
        const auto directory = storage_.load_directory();
        const auto named = by_name(directory.groups);
        const auto actors = by_name(directory.actors);
        std::set<GroupId> kept;
        for (std::size_t i = 0; i < configuration_.groups->size(); ++i) {
            const auto& entry = (*configuration_.groups)[i];
            const auto place = "groups[" + std::to_string(i) + "].members";
            const auto found = named.find(entry.name);
            const Group group{found == named.end() ? GroupId::random(rng_) : found->second.id, entry.name};
            kept.insert(group.id);
            if (found == named.end()) {
                storage_.put(group);
            }
            std::set<ActorId> members;
            for (const auto& name : entry.members) {
                members.insert(resolve(actors, name, place, "actor").id);
            }
            const bool is_changed = store_members(directory, group.id, std::move(members));
            count(found == named.end() ? Outcome::kCreated
                  : is_changed         ? Outcome::kChanged
                                       : Outcome::kUnchanged,
                  label("group", group.name));
        }
        erase_others(directory.groups, kept, "group");
    }

    /// Whether anything changed.
    bool store_members(const Directory& directory, const GroupId& group, std::set<ActorId> wanted) {
        bool is_changed = false;
        for (const auto& [id, membership] : directory.memberships) {
            if (membership.group == group && wanted.erase(membership.actor) == 0) {
                storage_.erase(id);
                is_changed = true;
            }
        }
        for (const auto& actor : wanted) {
            storage_.put(Membership{MembershipId::random(rng_), actor, group});
            is_changed = true;
        }
        return is_changed;
    }

    void apply_resources() {
        if (!configuration_.resources) {
            return;
        }
        const auto directory = storage_.load_directory();
        const auto named = by_name(directory.resources);
        const auto sites = by_name(directory.sites);
        std::set<ResourceId> kept;
        for (std::size_t i = 0; i < configuration_.resources->size(); ++i) {
            const auto& entry = (*configuration_.resources)[i];
            const auto place = "resources[" + std::to_string(i) + "].sites";
            const auto found = named.find(entry.resource.name);
            auto resource = entry.resource;
            resource.id = found == named.end() ? ResourceId::random(rng_) : found->second.id;
            for (const auto& name : entry.sites) {
                resource.sites.push_back(resolve(sites, name, place, "site").id);
            }
            std::ranges::sort(resource.sites);
            kept.insert(resource.id);
            store_row(resource, directory.resources, label("resource", resource.name));
        }
        erase_others(directory.resources, kept, "resource");
    }

    void apply_policies() {
        if (!configuration_.policies) {
            return;
        }
        const auto directory = storage_.load_directory();
        const auto groups = by_name(directory.groups);
        const auto resources = by_name(directory.resources);
        std::map<std::pair<GroupId, ResourceId>, Policy> known;
        for (const auto& [id, policy] : directory.policies) {
            known.emplace(std::pair{policy.group, policy.resource}, policy);
        }
        std::set<PolicyId> kept;
        for (std::size_t i = 0; i < configuration_.policies->size(); ++i) {
            const auto& entry = (*configuration_.policies)[i];
            const auto place = "policies[" + std::to_string(i) + "]";
            const auto& group = resolve(groups, entry.group, place + ".group", "group");
            const auto& resource = resolve(resources, entry.resource, place + ".resource", "resource");
            const auto found = known.find({group.id, resource.id});
            const Policy policy{.id = found == known.end() ? PolicyId::random(rng_) : found->second.id,
                                .group = group.id,
                                .resource = resource.id,
                                .is_disabled = entry.is_disabled};
            kept.insert(policy.id);
            store_row(policy, directory.policies, policy_label(group.name, resource.name));
        }
        for (const auto& [id, policy] : directory.policies) {
            if (!kept.contains(id)) {
                storage_.erase(id);
                count(Outcome::kDeleted, policy_label(directory.groups.at(policy.group).name,
                                                      directory.resources.at(policy.resource).name));
            }
        }
    }

    enum class Outcome { kCreated, kChanged, kDeleted, kUnchanged };

    template <typename Row>
    void store(const Row& row, Outcome outcome, std::string label) {
        if (outcome != Outcome::kUnchanged) {
            storage_.put(row);
        }
        count(outcome, std::move(label));
    }

    template <typename Id, typename Row>
    void store_row(const Row& row, const std::map<Id, Row>& known, std::string label) {
        const auto before = known.find(row.id);
        store(row,
              before == known.end()   ? Outcome::kCreated
              : before->second == row ? Outcome::kUnchanged
                                      : Outcome::kChanged,
              std::move(label));
    }

    template <typename Id, typename Row>
    void erase_others(const std::map<Id, Row>& known, const std::set<Id>& kept, const std::string& kind) {
        for (const auto& [id, row] : known) {
            if (!kept.contains(id)) {
                storage_.erase(id);
                count(Outcome::kDeleted, label(kind, row.name));
            }
        }
    }

    template <typename Row>
    static const Row& resolve(const std::map<std::string, Row>& rows, const std::string& name, const std::string& place,
                              const std::string& kind) {
        const auto row = rows.find(name);
        if (row == rows.end()) {
            throw ConfigurationError{place + ": there is no " + kind + " \"" + name + "\""};
        }
        return row->second;
    }

    static std::string label(const std::string& kind, const std::string& name) { return kind + " \"" + name + "\""; }
    static std::string policy_label(const std::string& group, const std::string& resource) {
        return "policy \"" + group + "\" -> \"" + resource + "\"";
    }

    void count(Outcome outcome, std::string label) {
        switch (outcome) {
            case Outcome::kCreated:
                ++summary_.created;
                summary_.lines.push_back("created  " + std::move(label));
                break;
            case Outcome::kChanged:
                ++summary_.changed;
                summary_.lines.push_back("changed  " + std::move(label));
                break;
            case Outcome::kDeleted:
                ++summary_.deleted;
                summary_.lines.push_back("deleted  " + std::move(label));
                break;
            case Outcome::kUnchanged:
                ++summary_.unchanged;
                break;
        }
    }

    const Configuration& configuration_;
    Storage& storage_;
    Rng& rng_;
    ApplySummary summary_;
};

}  // namespace

ApplySummary apply(const Configuration& configuration, Storage& storage, Rng& rng) {
    ApplySummary summary;
    storage.in_transaction([&] { summary = Application{configuration, storage, rng}.run(); });
    return summary;
}

}  // namespace culvert::portal
