// Making the database match a configuration.

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <type_traits>

#include "culvert/portal/configuration.h"
#include "culvert/portal_api/external_id.h"

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

/// "2 tokens: a, b", with as many of the names as a person reads.
std::string enumerate(const std::vector<std::string>& names, const std::string& one, const std::string& several) {
    constexpr std::size_t kMostShown = 20;
    auto text = std::to_string(names.size()) + " " + (names.size() == 1 ? one : several) + ": ";
    for (std::size_t i = 0; i < std::min(names.size(), kMostShown); ++i) {
        text += (i > 0 ? ", " : "") + names[i];
    }
    return names.size() > kMostShown ? text + " and " + std::to_string(names.size() - kMostShown) + " more" : text;
}

std::string quote(const std::string& name) {
    return "\"" + name + "\"";
}

std::string label(const std::string& kind, const std::string& name) {
    return kind + " " + quote(name);
}

std::string policy_name(const Directory& directory, const Policy& policy) {
    return quote(directory.groups.at(policy.group).name) + " -> " + quote(directory.resources.at(policy.resource).name);
}

/// Thrown to undo what was tried.
struct Undo {};

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
        apply_flow_logging();
        name_abandoned_resources();
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
        account.client_session_lifetime = section.client_session_lifetime.value_or(account.client_session_lifetime);
        if (section.dns) {
            account.search_domain = section.dns->search_domain;
            account.upstream_dns = section.dns->upstream;
            account.upstream_doh = section.dns->doh;
        }
        store(account, account == before ? Outcome::kUnchanged : Outcome::kChanged, label("account", account.name));
    }

    void apply_sites() {
        if (!configuration_.sites) {
            return;
        }
        const auto directory = storage_.load_directory();
        const auto& known = directory.sites;
        const auto named = renamed(by_name(known), *configuration_.sites, "sites");
        std::set<SiteId> kept;
        for (const auto& entry : *configuration_.sites) {
            const auto found = named.find(entry.name);
            const Site site{found == named.end() ? SiteId::random(rng_) : found->second.id, entry.name};
            kept.insert(site.id);
            store_row(site, known, "site");
        }
        for (const auto& [id, site] : known) {
            if (!kept.contains(id)) {
                const auto dependents = storage_.find_dependents(id);
                for (const auto& [resource_id, resource] : directory.resources) {
                    if (std::ranges::count(resource.sites, id) > 0) {
                        abandoned_by_.emplace(resource_id, site.name);
                    }
                }
                storage_.erase(id);
                count(Outcome::kDeleted, label("site", site.name));
                report_dependents(dependents, "gateway", "gateways");
            }
        }
    }

    void apply_actors() {
        if (!configuration_.actors) {
            return;
        }
        const auto directory = storage_.load_directory();
        const auto& known = directory.actors;
        const auto named = renamed(by_name(known), *configuration_.actors, "actors");
        std::set<ActorId> kept;
        for (const auto& entry : *configuration_.actors) {
            const auto found = named.find(entry.name);
            const Actor actor{found == named.end() ? ActorId::random(rng_) : found->second.id, entry.type, entry.name,
                              entry.email, entry.is_disabled};
            kept.insert(actor.id);
            store_row(actor, known, "actor");
        }
        for (const auto& [id, actor] : known) {
            if (!kept.contains(id)) {
                const auto dependents = storage_.find_dependents(id);
                storage_.erase(id);
                count(Outcome::kDeleted, label("actor", actor.name));
                report_dependents(dependents, "client", "clients");
                report_memberships(directory, [&](const Membership& row) { return row.actor == id; });
            }
        }
    }

    void apply_groups() {
        if (!configuration_.groups) {
            return;
        }
        const auto directory = storage_.load_directory();
        const auto named = renamed(by_name(directory.groups), *configuration_.groups, "groups");
        const auto actors = by_name(directory.actors);
        std::set<GroupId> kept;
        for (std::size_t i = 0; i < configuration_.groups->size(); ++i) {
            const auto& entry = (*configuration_.groups)[i];
            const auto place = "groups[" + std::to_string(i) + "].members";
            const auto found = named.find(entry.name);
            const Group group{found == named.end() ? GroupId::random(rng_) : found->second.id, entry.name};
            kept.insert(group.id);
            const auto before = directory.groups.find(group.id);
            const bool is_renamed = before != directory.groups.end() && before->second != group;
            if (found == named.end() || is_renamed) {
                storage_.put(group);
            }
            std::set<ActorId> members;
            for (const auto& name : entry.members) {
                members.insert(resolve(actors, name, place, "actor").id);
            }
            const bool is_changed = store_members(directory, group.id, std::move(members)) || is_renamed;
            count(found == named.end() ? Outcome::kCreated
                  : is_changed         ? Outcome::kChanged
                                       : Outcome::kUnchanged,
                  is_renamed ? renamed_label("group", before->second.name, group.name) : label("group", group.name));
        }
        for (const auto& [id, group] : directory.groups) {
            if (!kept.contains(id)) {
                storage_.erase(id);
                count(Outcome::kDeleted, label("group", group.name));
                report_memberships(directory, [&](const Membership& row) { return row.group == id; });
                report_policies(directory, [&](const Policy& row) { return row.group == id; });
            }
        }
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
        const auto named = renamed(by_name(directory.resources), *configuration_.resources, "resources");
        const auto sites = by_name(directory.sites);
        const auto actors = by_name(directory.actors);
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
            for (std::size_t j = 0; j < entry.members.size(); ++j) {
                const auto& member = entry.members[j];
                const auto member_place =
                    "resources[" + std::to_string(i) + "].devices[" + std::to_string(j) + "].actor";
                resource.members.push_back({resolve(actors, member.actor, member_place, "actor").id,
                                            portal_api::to_external_id(member.external_id)});
            }
            std::ranges::sort(resource.members);
            const auto repeated = std::ranges::unique(resource.members);  // by its id, and by what it makes of that
            resource.members.erase(repeated.begin(), repeated.end());
            kept.insert(resource.id);
            store_row(resource, directory.resources, "resource");
            note_absent_members(entry, resource);
        }
        for (const auto& [id, resource] : directory.resources) {
            if (!kept.contains(id)) {
                storage_.erase(id);
                count(Outcome::kDeleted, label("resource", resource.name));
                report_policies(directory, [&](const Policy& row) { return row.resource == id; });
            }
        }
    }

    /// A device may be named before it exists, so that a file need not wait for it; but a slip of the pen looks alike.
    void note_absent_members(const Configuration::ResourceEntry& entry, const Resource& pool) {
        const auto present = storage_.load_directory().pool_clients;
        const auto absent =
            std::ranges::count_if(pool.members, [&](const PoolMember& member) { return !present.contains(member); });
        if (absent > 0) {
            summary_.lines.push_back("note     " + label("resource", entry.resource.name) + " names " +
                                     std::to_string(absent) +
                                     (absent == 1 ? " device that has" : " devices that have") +
                                     " not connected yet: they are in the pool once they do");
        }
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
                                .conditions = entry.conditions,
                                .is_disabled = entry.is_disabled,
                                .logs_flows = entry.logs_flows,
                                .description = entry.description};
            kept.insert(policy.id);
            const auto before = directory.policies.find(policy.id);
            store(policy,
                  before == directory.policies.end() ? Outcome::kCreated
                  : before->second == policy         ? Outcome::kUnchanged
                                                     : Outcome::kChanged,
                  "policy " + policy_name(directory, policy));
        }
        for (const auto& [id, policy] : directory.policies) {
            if (!kept.contains(id)) {
                storage_.erase(id);
                count(Outcome::kDeleted, "policy " + policy_name(directory, policy));
            }
        }
    }

    void apply_flow_logging() {
        if (!configuration_.flow_logging) {
            return;
        }
        auto account = storage_.load_directory().account;
        const bool is_known = account.flow_logging == *configuration_.flow_logging;
        account.flow_logging = *configuration_.flow_logging;
        store(account, is_known ? Outcome::kUnchanged : Outcome::kChanged, "flow logs");
    }

    /// Resources that no section took care of after their only sites went.
    void name_abandoned_resources() {
        if (abandoned_by_.empty()) {
            return;
        }
        const auto directory = storage_.load_directory();
        std::vector<std::string> notes;
        for (const auto& [id, site] : abandoned_by_) {
            const auto resource = directory.resources.find(id);
            if (resource != directory.resources.end() && resource->second.sites.empty()) {
                notes.push_back("note     " + label("resource", resource->second.name) +
                                " has no site any more, since " + quote(site) + " went: nobody can reach it");
            }
        }
        std::ranges::sort(notes);
        std::ranges::move(notes, std::back_inserter(summary_.lines));
    }

    /// `named`, as if the renaming that `entries` ask for had happened before. What has happened before is no mistake:
    /// a file can be applied again.
    template <typename Row, typename Entry>
    static std::map<std::string, Row> renamed(std::map<std::string, Row> named, const std::vector<Entry>& entries,
                                              const std::string& section) {
        for (bool is_settled = false; !is_settled;) {  // of "b from a" and "c from b", the second has to come first
            is_settled = true;
            for (const auto& entry : entries) {
                if (!entry.renamed_from || named.contains(name_of(entry))) {
                    continue;
                }
                if (auto row = named.extract(*entry.renamed_from); !row.empty()) {
                    row.key() = name_of(entry);
                    named.insert(std::move(row));
                    is_settled = false;
                }
            }
        }
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const auto& old = entries[i].renamed_from;
            const auto is_listed = [&](const Entry& entry) { return name_of(entry) == *old; };
            if (old && named.contains(*old) && std::ranges::none_of(entries, is_listed)) {
                throw ConfigurationError{section + "[" + std::to_string(i) + "].renamed_from: both " + quote(*old) +
                                         " and " + quote(name_of(entries[i])) +
                                         " exist; to delete the former, remove \"renamed_from\""};
            }
        }
        return named;
    }

    template <typename Entry>
    static const std::string& name_of(const Entry& entry) {
        if constexpr (std::is_same_v<Entry, Configuration::ResourceEntry>) {
            return entry.resource.name;
        } else {
            return entry.name;
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
    void store_row(const Row& row, const std::map<Id, Row>& known, const std::string& kind) {
        const auto before = known.find(row.id);
        if (before == known.end()) {
            store(row, Outcome::kCreated, label(kind, row.name));
        } else if (before->second.name != row.name) {
            store(row, Outcome::kChanged, renamed_label(kind, before->second.name, row.name));
        } else {
            store(row, before->second == row ? Outcome::kUnchanged : Outcome::kChanged, label(kind, row.name));
        }
    }

    /// What went with the thing deleted last.
    void report(const std::vector<std::string>& names, const std::string& one, const std::string& several) {
        if (!names.empty()) {
            summary_.lines.push_back("         with " + enumerate(names, one, several));
        }
    }

    void report_dependents(const Dependents& dependents, const std::string& one, const std::string& several) {
        std::vector<std::string> tokens;
        std::ranges::transform(dependents.tokens, std::back_inserter(tokens), &TokenId::to_string);
        std::vector<std::string> devices;
        std::ranges::transform(dependents.devices, std::back_inserter(devices), quote);
        report(tokens, "token", "tokens");
        report(devices, one, several);
        summary_.cuts_off |= !tokens.empty() || !devices.empty();
    }

    template <typename Predicate>
    void report_memberships(const Directory& directory, const Predicate& is_gone) {
        std::vector<std::string> names;
        for (const auto& [id, membership] : directory.memberships) {
            if (is_gone(membership)) {
                names.push_back(quote(directory.actors.at(membership.actor).name) + " in " +
                                quote(directory.groups.at(membership.group).name));
            }
        }
        std::ranges::sort(names);
        report(names, "membership", "memberships");
    }

    template <typename Predicate>
    void report_policies(const Directory& directory, const Predicate& is_gone) {
        std::vector<std::string> names;
        for (const auto& [id, policy] : directory.policies) {
            if (is_gone(policy)) {
                names.push_back(policy_name(directory, policy));
            }
        }
        std::ranges::sort(names);
        report(names, "policy", "policies");
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

    static std::string renamed_label(const std::string& kind, const std::string& from, const std::string& to) {
        return label(kind, to) + ", until now " + quote(from);
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
    /// Resources by whose deleted site they were served.
    std::map<ResourceId, std::string> abandoned_by_;
};

}  // namespace

ApplySummary apply(const Configuration& configuration, Storage& storage, Rng& rng, const ApplyOptions& options) {
    ApplySummary summary;
    try {
        storage.in_transaction([&] {
            summary = Application{configuration, storage, rng}.run();
            if (options.is_dry_run) {
                summary.outcome = ApplySummary::Outcome::kDryRun;
                throw Undo{};
            }
            if (summary.cuts_off && !options.may_cut_off) {
                summary.outcome = ApplySummary::Outcome::kNeedsPermission;
                throw Undo{};
            }
        });
    } catch (const Undo&) {
        // `summary` says why.
    }
    return summary;
}

}  // namespace culvert::portal
