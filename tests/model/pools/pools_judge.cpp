#include "tests/model/pools/pools_judge.h"

#include <algorithm>
#include <chrono>

#include "culvert/base/bytes.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::model::pools {
namespace {

using namespace std::chrono_literals;

/// For messages and packets that are on their way, and for sweeps that look once a second.
constexpr Duration kGrace = 2s;

std::string to_text(const Sent& sent) {
    return std::to_string(sent.from) + " > " + std::to_string(sent.to) + ", " + sent.source.to_string() + " " +
           std::to_string(sent.source_port) + " > " + sent.destination.to_string() + " " +
           std::to_string(sent.destination_port) + " protocol " + std::to_string(sent.protocol);
}

std::optional<std::uint64_t> number_in(const packet::IpPacket& packet) {
    const bool has_payload = packet.is_udp() || packet.is_tcp() || packet.is_icmp_echo();
    if (!has_payload || packet.payload().size() != sizeof(std::uint64_t)) {
        return std::nullopt;
    }
    return load_be<std::uint64_t>(packet.payload());
}

}  // namespace

void PoolsJudge::hears(unsigned client, Instant now) {
    if (cut_off_.at(client)) {
        was_cut_off_.at(client) = *cut_off_.at(client);
        hears_since_.at(client) = now;
        cut_off_.at(client).reset();
    }
}

void PoolsJudge::is_cut_off(unsigned client, Instant now) {
    if (!cut_off_.at(client)) {
        cut_off_.at(client) = now;
    }
}

Instant PoolsJudge::heard(unsigned client, Instant now) const {
    if (cut_off_.at(client)) {
        return *cut_off_.at(client) - kGrace;
    }
    const bool has_just_come_back = now - hears_since_.at(client) < kGrace;
    return (has_just_come_back ? was_cut_off_.at(client) : now) - kGrace;
}

void PoolsJudge::granted(unsigned initiator, unsigned target, unsigned pool, Instant until, Instant now) {
    const auto& pools = history_.back().second;
    check(pools.at(pool).users.contains(initiator) && pools.at(pool).members.contains(target), "POO-2",
          "the portal lets " + std::to_string(initiator) + " through to " + std::to_string(target) + " by pool " +
              std::to_string(pool) + ", which does not say so",
          now);
    grants_.insert_or_assign(Grant{initiator, target, pool}, until);
}

bool PoolsJudge::may(unsigned from, unsigned to, std::uint16_t port, unsigned enforcer, Instant now) const {
    const auto since = heard(enforcer, now);
    for (std::size_t i = 0; i < history_.size(); ++i) {
        const auto until = i + 1 < history_.size() ? history_[i + 1].first : Instant::max();
        if (until < since) {
            continue;
        }
        for (unsigned pool = 0; pool < kPools; ++pool) {
            const auto grant = grants_.find({from, to, pool});
            // Who was let through is not told when that ends: the one that let him in sees to it.
            const bool is_live = grant != grants_.end() &&
                                 (enforcer == from || grant->second == Instant::max() || grant->second + kGrace > now);
            if (is_live && history_[i].second.at(pool).permits(from, to, port)) {
                return true;
            }
        }
    }
    return false;
}

bool PoolsJudge::is_granted(unsigned initiator, unsigned target, Instant now) const {
    return std::ranges::any_of(grants_, [&](const auto& entry) {
        const auto& [grant, until] = entry;
        return grant.initiator == initiator && grant.target == target &&
               (until == Instant::max() || until + kGrace > now);
    });
}

bool PoolsJudge::permits_now(unsigned from, unsigned to, std::uint16_t port) const {
    return std::ranges::any_of(history_.back().second, [&](const Pool& pool) { return pool.permits(from, to, port); });
}

void PoolsJudge::delivered(unsigned client, const Bytes& bytes, Instant now) {
    auto copy = bytes;
    const auto packet = packet::IpPacket::parse(copy);
    const auto number = packet ? number_in(*packet) : std::nullopt;
    if (!number) {
        return judge_error(client, bytes, now);
    }
    const auto found = sent_.find(*number);
    if (found == sent_.end()) {
        return check(false, "POO-1", "nobody sent packet " + std::to_string(*number), now);
    }
    const auto& sent = found->second;
    check(delivered_.insert(*number).second, "POO-1", "twice: " + to_text(sent), now);
    check(sent.to == client && packet->source() == sent.source && packet->destination() == sent.destination &&
              has_address(sent.from, sent.source) && has_address(client, sent.destination),
          "POO-1", std::to_string(client) + " gets " + to_text(sent), now);
    const bool is_answer =
        tuples_.contains({client, sent.from, sent.protocol, sent.destination_port, sent.source_port});
    const auto enforcer = client == kHostile ? sent.from : client;
    check(may(sent.from, client, sent.destination_port, enforcer, now) ||
              (is_answer && may(client, sent.from, sent.source_port, enforcer, now)),
          "POO-2", "nobody may send " + to_text(sent), now);
}

/// The program itself tells applications what may not pass, and so do other clients.
void PoolsJudge::judge_error(unsigned client, const Bytes& bytes, Instant now) {
    auto copy = bytes;
    const auto packet = packet::IpPacket::parse(copy);
    const auto about = packet && packet->is_icmp() ? packet::embedded_header(*packet) : std::nullopt;
    const auto error = about ? packet::inspect_icmp_error(*packet) : std::unexpected{packet::IcmpInspectError{}};
    if (!error || !*error || !has_address(client, packet->destination())) {
        return check(false, "POO-1", std::to_string(client) + " gets what nobody sent", now);
    }
    const auto source_port = (*error)->embedded.source_value.value;
    const auto destination_port = (*error)->embedded.destination_value.value;
    const bool is_about_own = std::ranges::any_of(sent_, [&](const auto& entry) {
        const auto& sent = entry.second;
        return sent.from == client && sent.source == about->source && sent.destination == about->destination &&
               sent.protocol == about->protocol &&
               (sent.source_port == 0 ||
                (sent.source_port == source_port && sent.destination_port == destination_port));
    });
    check(is_about_own, "POO-3", std::to_string(client) + " gets an error about what it did not send", now);
}

void PoolsJudge::candidates_passed(unsigned from, unsigned to, Instant now) {
    check(is_granted(from, to, now) || is_granted(to, from, now), "POO-3",
          "candidates of " + std::to_string(from) + " are passed to " + std::to_string(to) + ", a stranger", now);
}

void PoolsJudge::check(bool is_right, const std::string& id, const std::string& what, Instant now) {
    if (!is_right) {
        const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
        violations_.push_back(id + " at " + std::to_string(at) + " ms: " + what);
    }
}

}  // namespace culvert::model::pools
