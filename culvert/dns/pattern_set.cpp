#include "culvert/dns/pattern_set.h"

#include <algorithm>
#include <span>
#include <utility>

namespace culvert::dns {

struct PatternSet::Node {
    struct Edge {
        Token token;
        std::unique_ptr<Node> node;
    };

    /// The branch for `token`, or where to put it.
    std::vector<Edge>::iterator place_of(const Token& token) {
        return std::ranges::lower_bound(edges, token.rank(), {}, [](const Edge& edge) { return edge.token.rank(); });
    }

    void add(ResourceId resource, std::span<const Token> tokens) {
        if (tokens.empty()) {
            resources.push_back(resource);
            return;
        }
        auto edge = place_of(tokens[0]);
        if (edge == edges.end() || edge->token != tokens[0]) {
            edge = edges.insert(edge, {tokens[0], std::make_unique<Node>()});
        }
        edge->node->add(resource, tokens.subspan(1));
    }

    /// Requires what add() put there.
    void remove(ResourceId resource, std::span<const Token> tokens) {
        if (tokens.empty()) {
            std::erase(resources, resource);
            return;
        }
        const auto edge = place_of(tokens[0]);
        edge->node->remove(resource, tokens.subspan(1));
        if (edge->node->is_empty()) {
            edges.erase(edge);
        }
    }

    [[nodiscard]] bool is_empty() const { return resources.empty() && edges.empty(); }

    /// Those whose pattern ends here, in the order in which they came.
    std::vector<ResourceId> resources;
    /// In the order of their tokens.
    std::vector<Edge> edges;
};

struct PatternSet::Search {
    /// With all tokens so far literal: a name has one place at most where they may end, and most of what is looked at
    /// is of this kind.
    [[nodiscard]] std::optional<ResourceId> visit_literals(const Node& node, std::size_t end) {
        if (!node.resources.empty() && (end == text.size() || end == text.apex())) {
            return node.resources.back();
        }
        for (const auto& edge : node.edges) {
            std::optional<ResourceId> found;
            if (edge.token.is_literal()) {
                const auto next = edge.token.advance(text, end, true);
                cost += next || !edge.token.first() ? 1 : 0;
                found = next ? visit_literals(*edge.node, *next) : std::nullopt;
            } else {
                ++cost;
                Positions ends;
                ends.add(end);
                const auto next = edge.token.advance(text, ends, true);
                found = next.empty() ? std::nullopt : visit(*edge.node, next);
            }
            if (found) {
                return found;
            }
        }
        return std::nullopt;
    }

    /// Behind a wildcard.
    [[nodiscard]] std::optional<ResourceId> visit(const Node& node, const Positions& ends) {
        if (!node.resources.empty() && (ends.contains(text.size()) || ends.contains(text.apex()))) {
            return node.resources.back();
        }
        const auto characters = text.characters_at(ends);
        for (const auto& edge : node.edges) {
            if (const auto first = edge.token.first(); first && !characters.test(static_cast<unsigned char>(*first))) {
                continue;
            }
            ++cost;
            const auto next = edge.token.advance(text, ends, false);
            if (next.empty()) {
                continue;
            }
            if (const auto found = visit(*edge.node, next)) {
                return found;
            }
        }
        return std::nullopt;
    }

    NameText text;
    std::size_t cost = 0;
};

PatternSet::PatternSet() : root_{std::make_unique<Node>()} {}
PatternSet::~PatternSet() = default;
PatternSet::PatternSet(PatternSet&&) noexcept = default;
PatternSet& PatternSet::operator=(PatternSet&&) noexcept = default;

void PatternSet::add(ResourceId resource, const Pattern& pattern) {
    remove(resource);
    root_->add(resource, pattern.tokens());
    patterns_.emplace(resource, pattern);
}

void PatternSet::remove(ResourceId resource) {
    if (const auto entry = patterns_.find(resource); entry != patterns_.end()) {
        root_->remove(resource, entry->second.tokens());
        patterns_.erase(entry);
    }
}

std::optional<ResourceId> PatternSet::match(const Name& name) const {
    if (name.is_root()) {
        return std::nullopt;
    }
    Search search{NameText{name}};
    return search.visit_literals(*root_, 0);
}

std::size_t PatternSet::cost(const Name& name) const {
    Search search{NameText{name}};
    static_cast<void>(search.visit_literals(*root_, 0));
    return search.cost;
}

}  // namespace culvert::dns
