#include "culvert/turn/server/allocation_table.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <numeric>

#include "culvert/base/deadlines.h"
#include "culvert/observability/log.h"
#include "culvert/turn/constants.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {
namespace {

constexpr log::Logger kLog{"relay"};

/// When something happens to the channel next, unless it is refreshed.
Instant deadline(const ServerChannel& channel) {
    return channel.is_bound ? channel.expires_at : channel.expires_at + kChannelCoolDown;
}

}  // namespace

AllocationTable::AllocationTable(PortRange ports, Quotas quotas, std::uint64_t hash_key, std::deque<Command>& commands)
    : ports_{ports},
      quotas_{quotas},
      commands_{commands},
      to_peer_{64, FlowHash{hash_key}},
      to_client_{64, FlowHash{~hash_key}} {
    free_ports_.resize(ports_.count());
    std::iota(free_ports_.begin(), free_ports_.end(), ports_.lowest);
}

ServerAllocation* AllocationTable::find(const net::SocketAddress& client) {
    const auto found = allocations_.find(client);
    return found == allocations_.end() ? nullptr : &found->second;
}

bool AllocationTable::is_full(Instant now) {
    for (; !block_ends_.empty() && block_ends_.front().first <= now; block_ends_.pop_front()) {
        const auto [end, port] = block_ends_.front();
        const auto blocked = blocked_ports_.find(port);
        if (blocked != blocked_ports_.end() && blocked->second == end) {
            blocked_ports_.erase(blocked);
            free_ports_.push_back(port);
        }
    }
    return free_ports_.empty();
}

std::expected<std::vector<net::SocketAddress>, AllocationTable::Refusal> AllocationTable::admit(
    const net::SocketAddress& client, std::string_view user, Instant now) {
    std::vector<net::SocketAddress> leaving;
    if (allocations_.contains(client)) {
        leaving.push_back(client);
    }
    const auto usage = usage_.find(user);
    if (usage != usage_.end() && usage->second.clients.size() >= quotas_.allocations_per_user) {
        const auto abandoned = find_abandoned(usage->second, now);
        if (!abandoned) {
            return std::unexpected{Refusal::kUserHasAll};
        }
        leaving.push_back(*abandoned);
    }
    const bool is_out_of_ports = is_full(now);
    if (!leaving.empty()) {
        return leaving;
    }
    const auto ports = ports_.count() - blocked_ports_.size();
    if (!allocation_shares_.may_have_more(ports, allocations_.size(), client.ip)) {
        return std::unexpected{Refusal::kSourceHasShare};
    }
    if (!is_out_of_ports) {
        return leaving;
    }
    const auto largest = allocation_shares_.largest();
    if (!largest || largest->count <= allocation_shares_.share(ports, client.ip)) {
        return std::unexpected{Refusal::kNoPort};
    }
    leaving.push_back(ranking_.least_useful(largest->source));
    return leaving;
}

std::optional<net::SocketAddress> AllocationTable::find_abandoned(const Usage& usage, Instant now) const {
    const auto found = std::ranges::find_if(usage.clients, [&](const auto& client) {
        const auto& allocation = allocations_.at(client);
        const auto lifetime = allocation.expires_at - allocation.heard_at;
        return allocation.channels.empty() && now >= allocation.heard_at + lifetime / 100 * kAbandonedAfterPercent;
    });
    return found == usage.clients.end() ? std::nullopt : std::optional{*found};
}

const ServerAllocation& AllocationTable::create(const net::SocketAddress& client, std::string_view user, bool v4,
                                                bool v6, Duration lifetime, Rng& rng, Instant now) {
    assert(!is_full(now) && !allocations_.contains(client) && (v4 || v6));

    const auto port = take_free_port(rng);
    const auto expires_at = now + lifetime;
    clients_by_port_.emplace(port, client);
    allocation_deadlines_.emplace(expires_at, client);
    if (v4) {
        commands_.emplace_back(CreateAllocation{port, net::Family::kIpv4});
    }
    if (v6) {
        commands_.emplace_back(CreateAllocation{port, net::Family::kIpv6});
    }
    usage_[std::string{user}].clients.insert(client);
    allocation_shares_.add(client.ip, user);
    ranking_.add(client, user, now);
    auto& allocation = allocations_[client];
    allocation.user = user;
    allocation.port = port;
    allocation.has_v4 = v4;
    allocation.has_v6 = v6;
    allocation.expires_at = expires_at;
    allocation.heard_at = now;
    return allocation;
}

std::uint16_t AllocationTable::take_free_port(Rng& rng) {
    std::swap(free_ports_[rng.below(free_ports_.size())], free_ports_.back());
    const auto port = free_ports_.back();
    free_ports_.pop_back();
    return port;
}

void AllocationTable::extend(const net::SocketAddress& client, Duration lifetime, Instant now) {
    auto& allocation = allocations_.at(client);
    allocation_deadlines_.erase({allocation.expires_at, client});
    allocation.expires_at = now + lifetime;
    allocation.heard_at = now;
    allocation_deadlines_.emplace(allocation.expires_at, client);
    ranking_.set_heard_at(client, now);
}

void AllocationTable::remove(const net::SocketAddress& client) {
    const auto entry = allocations_.find(client);
    assert(entry != allocations_.end());
    const auto& allocation = entry->second;

    for (const auto& [number, channel] : allocation.channels) {
        channel_deadlines_.erase({deadline(channel), client, number});
        disconnect(client, number, channel, allocation.port);
    }
    if (allocation.has_v4) {
        commands_.emplace_back(FreeAllocation{allocation.port, net::Family::kIpv4});
    }
    if (allocation.has_v6) {
        commands_.emplace_back(FreeAllocation{allocation.port, net::Family::kIpv6});
    }
    allocation_deadlines_.erase({allocation.expires_at, client});
    clients_by_port_.erase(allocation.port);
    if (!blocked_ports_.contains(allocation.port)) {
        free_ports_.push_back(allocation.port);
    }
    if (!allocation.channels.empty()) {
        forget_channels(client, allocation, allocation.channels.size());
    }
    allocation_shares_.remove(client.ip, allocation.user);
    ranking_.remove(client);
    const auto usage = usage_.find(allocation.user);
    usage->second.clients.erase(client);
    if (usage->second.clients.empty()) {
        usage_.erase(usage);
    }
    allocations_.erase(entry);
}

std::size_t AllocationTable::remove_all_of(std::string_view user) {
    const auto usage = usage_.find(user);
    if (usage == usage_.end()) {
        return 0;
    }
    const auto clients = usage->second.clients;  // remove() takes the original away
    std::ranges::for_each(clients, [this](const auto& client) { remove(client); });
    return clients.size();
}

bool AllocationTable::make_room_for_channel(const net::SocketAddress& client, const ServerAllocation& allocation) {
    if (usage_.find(allocation.user)->second.channels >= quotas_.channels_per_user) {
        return false;
    }
    if (channels_ < quotas_.channels) {
        return true;
    }
    const auto largest = channel_shares_.largest();
    // One more, or two sources with as many as each other would take the same channel from each other for ever.
    if (!largest || largest->count <= channel_shares_.count(client.ip) + 1) {
        return false;
    }
    take_channel(*largest);
    return true;
}

void AllocationTable::take_channel(const SourceShares::Largest& from) {
    const auto channels_there = [&](const net::SocketAddress& client) {
        return SourceShares::source_of(client.ip) == from.source ? allocations_.at(client).channels.size() : 0;
    };
    const auto client = *std::ranges::max_element(usage_.find(from.user)->second.clients, {}, channels_there);
    auto& allocation = allocations_.at(client);
    // Clients count upwards: the newest goes, what has been there for long stays.
    const auto entry = std::prev(allocation.channels.end());
    const auto& [number, channel] = *entry;
    channel_deadlines_.erase({deadline(channel), client, number});
    if (channel.is_bound) {
        disconnect(client, number, channel, allocation.port);
    }
    kLog.debug("Took a channel from the source that has most", log::field("client", client),
               log::field("channel", number));
    erase_channel(client, allocation, entry);
}

void AllocationTable::erase_channel(const net::SocketAddress& client, ServerAllocation& allocation,
                                    std::map<std::uint16_t, ServerChannel>::iterator channel) {
    allocation.numbers.erase(channel->second.peer);
    allocation.channels.erase(channel);
    ranking_.set_used(client, !allocation.channels.empty());
    forget_channels(client, allocation, 1);
}

void AllocationTable::forget_channels(const net::SocketAddress& client, const ServerAllocation& allocation,
                                      std::size_t count) {
    channel_shares_.remove(client.ip, allocation.user, count);
    usage_.find(allocation.user)->second.channels -= count;
    channels_ -= count;
}

std::optional<net::SocketAddress> AllocationTable::block_port(std::uint16_t port, Instant now) {
    assert(port >= ports_.lowest && port <= ports_.highest);
    const auto end = now + kBlockedPortPause;
    blocked_ports_[port] = end;
    block_ends_.emplace_back(end, port);
    const auto owner = clients_by_port_.find(port);
    if (owner == clients_by_port_.end()) {
        std::erase(free_ports_, port);
        return std::nullopt;
    }
    const auto client = owner->second;
    remove(client);
    return client;
}

AllocationTable::BindResult AllocationTable::bind(const net::SocketAddress& client, std::uint16_t channel,
                                                  const net::SocketAddress& peer, Instant now) {
    auto& allocation = allocations_.at(client);
    assert(allocation.has(peer.family()));

    if (const auto number = allocation.numbers.find(peer);
        number != allocation.numbers.end() && number->second != channel) {
        return BindResult::kPeerInOtherChannel;
    }
    if (!allocation.channels.contains(channel) && !make_room_for_channel(client, allocation)) {
        return BindResult::kTooManyChannels;
    }
    auto [entry, is_new] = allocation.channels.try_emplace(channel);
    auto& state = entry->second;
    if (is_new) {
        state.peer = peer;
        allocation.numbers.emplace(peer, channel);
        ++usage_.find(allocation.user)->second.channels;
        channel_shares_.add(client.ip, allocation.user);
        ranking_.set_used(client, true);
        ++channels_;
    } else if (state.peer != peer) {
        return BindResult::kChannelHasOtherPeer;
    } else {
        channel_deadlines_.erase({deadline(state), client, channel});
    }
    state.expires_at = now + kChannelLifetime;
    state.is_bound = true;
    channel_deadlines_.emplace(deadline(state), client, channel);
    connect(client, channel, state, allocation.port);
    return BindResult::kBound;
}

void AllocationTable::connect(const net::SocketAddress& client, std::uint16_t channel, const ServerChannel& state,
                              std::uint16_t port) {
    const FlowEnd near{client, channel};
    const FlowEnd far{state.peer, port};
    to_peer_.insert_or_assign(near, far);
    to_client_.insert_or_assign(far, near);
    commands_.emplace_back(CreateChannelBinding{client, channel, state.peer, port});
}

void AllocationTable::disconnect(const net::SocketAddress& client, std::uint16_t channel, const ServerChannel& state,
                                 std::uint16_t port) {
    to_peer_.erase({client, channel});
    to_client_.erase({state.peer, port});
    commands_.emplace_back(DeleteChannelBinding{client, channel, state.peer, port});
}

void AllocationTable::handle_timeout(Instant now) {
    while (!allocation_deadlines_.empty() && allocation_deadlines_.begin()->first <= now) {
        const auto client = allocation_deadlines_.begin()->second;
        kLog.debug("Allocation expired", log::field("port", allocations_.at(client).port),
                   log::field("client", client));
        remove(client);
    }
    while (!channel_deadlines_.empty() && std::get<Instant>(*channel_deadlines_.begin()) <= now) {
        const auto due = *channel_deadlines_.begin();
        channel_deadlines_.erase(channel_deadlines_.begin());
        expire_channel(due);
    }
}

void AllocationTable::expire_channel(const ChannelDeadline& due) {
    const auto& [at, client, number] = due;
    auto& allocation = allocations_.at(client);
    const auto entry = allocation.channels.find(number);
    auto& channel = entry->second;
    if (channel.is_bound) {
        channel.is_bound = false;
        channel_deadlines_.emplace(deadline(channel), client, number);
        disconnect(client, number, channel, allocation.port);
        kLog.debug("Channel expired", log::field("port", allocation.port), log::field("channel", number));
        return;
    }
    kLog.debug("Channel is free again", log::field("port", allocation.port), log::field("channel", number));
    erase_channel(client, allocation, entry);
}

std::optional<Instant> AllocationTable::poll_timeout() const {
    std::optional<Instant> allocation;
    if (!allocation_deadlines_.empty()) {
        allocation = allocation_deadlines_.begin()->first;
    }
    std::optional<Instant> channel;
    if (!channel_deadlines_.empty()) {
        channel = std::get<Instant>(*channel_deadlines_.begin());
    }
    return earliest(allocation, channel);
}

}  // namespace culvert::turn
