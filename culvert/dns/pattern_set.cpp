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
    [[nodiscard]] std::optional<ResourceId> visit(const Node& node, const Positions& ends, bool is_literal) {
        if (!node.resources.empty() && (ends.contains(text.size()) || ends.contains(text.apex()))) {
            return node.resources.back();
        }
        const auto characters = text.characters_at(ends);
        for (const auto& edge : node.edges) {
            if (const auto first = edge.token.first(); first && !characters.test(static_cast<unsigned char>(*first))) {
                continue;
            }
            ++cost;
            const auto next = edge.token.advance(text, ends, is_literal);
            if (next.empty()) {
                continue;
            }
            if (const auto found = visit(*edge.node, next, is_literal && edge.token.is_literal())) {
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
    Positions start;
    start.add(0);
    Search search{NameText{name}};
    return search.visit(*root_, start, true);
}

std::size_t PatternSet::cost(const Name& name) const {
    Positions start;
    start.add(0);
    Search search{NameText{name}};
    static_cast<void>(search.visit(*root_, start, true));
    return search.cost;
}

}  // namespace culvert::dns
