#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/dns/name.h"
#include "culvert/dns/pattern_set.h"
#include "culvert/dns/proxy_addresses.h"

namespace culvert::dns {

/// The DNS resources that a client may reach: which names are theirs, and what addresses those have.
class Resources {
public:
    struct Match {
        ResourceId id;
        IpStack stack = IpStack::kDual;

        friend bool operator==(const Match&, const Match&) = default;
    };

    /// Replaces the resource of this id. False if `address` is no pattern: no name belongs to it then.
    bool add(ResourceId id, std::string_view address, IpStack stack);
    void remove(ResourceId id);

    /// The most specific one.
    [[nodiscard]] std::optional<Match> match(const Name& name) const;
    [[nodiscard]] bool contains(ResourceId id) const { return stacks_.contains(id); }

private:
    /// What was found for a name, as long as nothing changed since.
    struct Found {
        Name name;
        std::optional<Match> match;
        std::uint64_t changes = 0;
    };

    PatternSet patterns_;
    std::map<ResourceId, IpStack> stacks_;
    /// Names that were asked for lately, each at the place that its hash says: machines ask for few names, over and
    /// over.
    mutable std::vector<Found> recent_;
    std::uint64_t changes_ = 1;
};

}  // namespace culvert::dns
