#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/dns/sentinels.h"
#include "culvert/dns/upstream.h"

namespace culvert::dns {

/// Which resolvers answer: who does not is asked last, until it answers. So a dead one costs a timeout once, not with
/// every query.
class ServerHealth {
public:
    /// In which order to ask: `own` and then the others as they are mapped, the silent ones last.
    [[nodiscard]] std::vector<Upstream> order(const Upstream& own, std::span<const Sentinels::Mapping> all) const;

    void answered(const Upstream& server, Instant now);
    /// It was asked at `asked_at` and gave no answer. Counts only if it gave none to anybody since then: a resolver may
    /// be slow for one name.
    void failed(const Upstream& server, Instant asked_at, Instant now);
    /// Whether a silent resolver should be tried beside those that answer. True once in a while.
    [[nodiscard]] bool take_probe(const Upstream& server, Instant now);

    [[nodiscard]] bool is_silent(const Upstream& server) const;
    void clear() { servers_.clear(); }

private:
    struct State {
        std::optional<Instant> answered_at;
        std::optional<Instant> probe_at;  // set: silent
    };

    std::map<Upstream, State> servers_;
};

}  // namespace culvert::dns
