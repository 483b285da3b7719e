#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/dns/name.h"
#include "culvert/dns/pattern.h"

namespace culvert::dns {

/// Which resource a name belongs to: the one with the least of all patterns that match (Pattern's order).
///
/// A trie of patterns from right to left, whose branches are in that order: the first match found is the answer, and
/// what a look-up costs depends on the name and on what resembles it, not on how many patterns there are.
class PatternSet {
public:
    PatternSet();
    ~PatternSet();
    PatternSet(PatternSet&&) noexcept;
    PatternSet& operator=(PatternSet&&) noexcept;

    /// Replaces an earlier pattern of this resource. Of several resources with one pattern, the one added last counts;
    /// once that is gone, the one before it.
    void add(ResourceId resource, const Pattern& pattern);
    void remove(ResourceId resource);

    [[nodiscard]] std::optional<ResourceId> match(const Name& name) const;

    /// How many branches match() looks at for this name, for tests.
    [[nodiscard]] std::size_t cost(const Name& name) const;

    [[nodiscard]] std::size_t size() const { return patterns_.size(); }

private:
    struct Node;
    struct Search;

    std::unique_ptr<Node> root_;
    std::map<ResourceId, Pattern> patterns_;
};

}  // namespace culvert::dns
