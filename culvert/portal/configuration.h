#pragma once

#include <expected>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/portal/storage.h"

/// The file that `culvert-portal apply` takes.
namespace culvert::portal {

/// A file, read and checked for everything that can be checked without a database. A section that the file does not
/// have is unset.
struct Configuration {
    struct Dns {
        std::optional<std::string> search_domain;
        /// One of the two at most has servers.
        std::vector<net::SocketAddress> upstream;
        std::vector<std::string> doh;
    };
    struct AccountSection {
        std::optional<std::string> name;
        std::optional<std::string> slug;
        std::optional<std::chrono::seconds> client_session_lifetime;
        std::optional<Dns> dns;
    };
    // `renamed_from`: the name that the thing has had so far. It keeps its id, and with it all that belongs to it.
    struct SiteEntry {
        std::string name;
        std::optional<std::string> renamed_from;
    };
    struct ActorEntry {
        std::string name;
        std::optional<std::string> renamed_from;
        ActorType type = ActorType::kUser;
        std::optional<std::string> email;
        bool is_disabled = false;
    };
    struct GroupEntry {
        std::string name;
        std::optional<std::string> renamed_from;
        std::vector<std::string> members;
    };
    /// A device by its owner's name and by the id that it gives itself, which is what `device list` shows.
    struct MemberEntry {
        std::string actor;
        std::string external_id;
    };
    struct ResourceEntry {
        /// Without id, sites and members, which only the database knows.
        Resource resource;
        std::optional<std::string> renamed_from;
        std::vector<std::string> sites;
        std::vector<MemberEntry> members;
    };
    struct PolicyEntry {
        std::string group;
        std::string resource;
        bool is_disabled = false;
        bool logs_flows = true;
        std::optional<std::string> description = {};
        PolicyConditions conditions = {};
    };

    std::optional<AccountSection> account;
    std::optional<std::vector<SiteEntry>> sites;
    std::optional<std::vector<ActorEntry>> actors;
    std::optional<std::vector<GroupEntry>> groups;
    std::optional<std::vector<ResourceEntry>> resources;
    std::optional<std::vector<PolicyEntry>> policies;
    std::optional<FlowLogging> flow_logging;

    /// The error is one line that names the place: `resources[1].address: must be ...`.
    [[nodiscard]] static std::expected<Configuration, std::string> parse(std::string_view json);
};

/// A configuration that does not go together with what the database holds; what() names the place.
class ConfigurationError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct ApplyOptions {
    /// Says what would happen, and changes nothing.
    bool is_dry_run = false;
    /// Whether sites and actors may be deleted to which tokens or devices belong, which go with them for good.
    bool may_cut_off = false;
};

/// What apply() did, or would do.
struct ApplySummary {
    enum class Outcome {
        kApplied,
        kDryRun,
        /// It would cut off devices, and nobody said that it may. Nothing was changed.
        kNeedsPermission,
    };

    Outcome outcome = Outcome::kApplied;
    /// Whether tokens or devices go.
    bool cuts_off = false;
    /// A line for each thing created, changed or deleted: `created  site "hq"`; behind those deleted, an indented line
    /// for each kind of thing that goes with them.
    std::vector<std::string> lines;
    std::size_t created = 0;
    std::size_t changed = 0;
    std::size_t deleted = 0;
    std::size_t unchanged = 0;
};

/// Makes the database match: what a section lists is created or changed, what it does not list is deleted; things are
/// told apart by their names. All of it happens or nothing. Throws ConfigurationError and StorageError.
[[nodiscard]] ApplySummary apply(const Configuration& configuration, Storage& storage, Rng& rng,
                                 const ApplyOptions& options);

}  // namespace culvert::portal
