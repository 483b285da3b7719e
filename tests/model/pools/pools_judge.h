#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "tests/model/pools/pools.h"

namespace culvert::model::pools {

/// Who may reach whom through pools, said in as few words as possible: by what administrators configured, what the
/// portal granted to whom until when, and which client can hear of changes. POO-1 to POO-5 of docs/simulation.md.
class PoolsJudge {
public:
    void set_addresses(unsigned client, const net::IpAddress& ipv4, const net::IpAddress& ipv6) {
        addresses_.at(client) = {ipv4, ipv6};
    }
    [[nodiscard]] bool has_address(unsigned client, const net::IpAddress& address) const {
        return addresses_.at(client).contains(address);
    }

    void configure(const Pools& pools, Instant now) { history_.emplace_back(now, pools); }
    /// The client hears what the portal says from now on, or no more.
    void hears(unsigned client, Instant now);
    void is_cut_off(unsigned client, Instant now);
    /// The portal tells `target` to let `initiator` in.
    void granted(unsigned initiator, unsigned target, unsigned pool, Instant until, Instant now);

    void sent(std::uint64_t number, const Sent& sent) {
        sent_.emplace(number, sent);
        tuples_.insert(tuple_of(sent));
    }
    /// A packet gets to the host of the client.
    void delivered(unsigned client, const Bytes& packet, Instant now);
    /// The portal passes candidates of one client on to another.
    void candidates_passed(unsigned from, unsigned to, Instant now);

    /// Whether the pools let the client reach the other one now.
    [[nodiscard]] bool permits_now(unsigned from, unsigned to, std::uint16_t port) const;
    [[nodiscard]] bool was_delivered(std::uint64_t number) const { return delivered_.contains(number); }
    [[nodiscard]] const Sent& packet(std::uint64_t number) const { return sent_.at(number); }

    void check(bool is_right, const std::string& id, const std::string& what, Instant now);
    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
    [[nodiscard]] std::size_t delivered_count() const { return delivered_.size(); }
    [[nodiscard]] std::size_t refused_count() const { return sent_.size() - delivered_.size(); }

private:
    using Tuple = std::tuple<unsigned, unsigned, std::uint8_t, std::uint16_t, std::uint16_t>;
    struct Grant {
        unsigned initiator;
        unsigned target;
        unsigned pool;
        friend auto operator<=>(const Grant&, const Grant&) = default;
    };

    [[nodiscard]] static Tuple tuple_of(const Sent& sent) {
        return {sent.from, sent.to, sent.protocol, sent.source_port, sent.destination_port};
    }
    /// Whether the portal has let `from` through to `to` at that port, as far as the one that sees to it can know.
    [[nodiscard]] bool may(unsigned from, unsigned to, std::uint16_t port, unsigned enforcer, Instant now) const;
    [[nodiscard]] bool is_granted(unsigned initiator, unsigned target, Instant now) const;
    /// How far back what was permitted may still pass at the client.
    [[nodiscard]] Instant heard(unsigned client, Instant now) const;
    void judge_error(unsigned client, const Bytes& packet, Instant now);

    std::array<std::set<net::IpAddress>, kClients> addresses_;
    std::vector<std::pair<Instant, Pools>> history_;
    std::map<Grant, Instant> grants_;
    /// Since when a client is cut off.
    std::array<std::optional<Instant>, kClients> cut_off_;
    std::array<Instant, kClients> hears_since_{};
    /// When one that hears again was cut off.
    std::array<Instant, kClients> was_cut_off_{};
    std::map<std::uint64_t, Sent> sent_;
    std::set<Tuple> tuples_;
    std::set<std::uint64_t> delivered_;
    std::vector<std::string> violations_;
};

}  // namespace culvert::model::pools
