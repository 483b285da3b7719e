#include "culvert/turn/channel_bindings.h"

#include <algorithm>
#include <cassert>

namespace culvert::turn {

std::optional<std::uint16_t> ChannelBindings::create(const net::SocketAddress& peer, Instant now) {
    if (const auto known = by_peer_.find(peer); known != by_peer_.end()) {
        const auto channel = known->second;  // put() takes the old entry, and `known` with it, away
        const auto& binding = entry(channel)->binding;
        if (binding.is_bound && now - binding.since < kChannelLifetime + kChannelCoolDown) {
            put(channel, peer, now);
            return channel;
        }
    }
    for (std::size_t attempts = 0; attempts < kChannelCount; ++attempts) {
        const auto channel = next_;
        next_ = channel == kLastChannel ? kFirstChannel : static_cast<std::uint16_t>(channel + 1);
        const auto* used = find(channel);
        if (used == nullptr || can_reuse(*used, now)) {
            put(channel, peer, now);
            return channel;
        }
    }
    return std::nullopt;
}

void ChannelBindings::confirm(std::uint16_t channel, Instant now) {
    if (auto* const known = entry(channel); known != nullptr && known->exists) {
        known->binding.since = now;
        known->binding.is_bound = true;
        known->binding.has_received = false;
        known->refresh_reported = false;
    }
}

void ChannelBindings::forget(std::uint16_t channel) {
    if (find(channel) != nullptr) {
        remove(channel);
    }
}

void ChannelBindings::clear() {
    entries_.clear();
    by_peer_.clear();
    next_refresh_.reset();
    // The relay may still know the old bindings, so numbers are not counted from the start again.
}

std::optional<std::uint16_t> ChannelBindings::to(const net::SocketAddress& peer, Instant now) const {
    const auto known = by_peer_.find(peer);
    if (known == by_peer_.end() || now - entry(known->second)->binding.since >= kChannelLifetime) {
        return std::nullopt;
    }
    return known->second;
}

bool ChannelBindings::is_bound(const net::SocketAddress& peer, Instant now) const {
    const auto channel = to(peer, now);
    return channel && entry(*channel)->binding.is_bound;
}

std::optional<net::SocketAddress> ChannelBindings::receive(std::uint16_t channel) {
    auto* const known = entry(channel);
    if (known == nullptr || !known->exists || !known->binding.is_bound) {
        return std::nullopt;
    }
    auto& binding = known->binding;
    if (!binding.has_received) {
        binding.has_received = true;
        const auto due = binding.since + kChannelRefreshAfter;
        next_refresh_ = next_refresh_ ? std::min(*next_refresh_, due) : due;
    }
    return binding.peer;
}

const ChannelBindings::Binding* ChannelBindings::find(std::uint16_t channel) const {
    const auto* const known = entry(channel);
    return known != nullptr && known->exists ? &known->binding : nullptr;
}

std::vector<std::uint16_t> ChannelBindings::channels_to_refresh(Instant now) {
    std::vector<std::uint16_t> out;
    if (!next_refresh_ || now < *next_refresh_) {
        return out;
    }
    next_refresh_.reset();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        auto& [exists, refresh_reported, binding] = entries_[i];
        if (!exists || !binding.is_bound || !binding.has_received || refresh_reported) {
            continue;
        }
        const auto due = binding.since + kChannelRefreshAfter;
        if (now >= due) {
            refresh_reported = true;
            out.push_back(static_cast<std::uint16_t>(kFirstChannel + i));
        } else {
            next_refresh_ = next_refresh_ ? std::min(*next_refresh_, due) : due;
        }
    }
    return out;
}

bool ChannelBindings::can_reuse(const Binding& binding, Instant now) {
    return now - binding.since >= kChannelLifetime + kChannelCoolDown && !binding.has_received;
}

ChannelBindings::Entry* ChannelBindings::entry(std::uint16_t channel) {
    const std::size_t index = channel - std::size_t{kFirstChannel};
    return index < entries_.size() ? &entries_[index] : nullptr;
}

const ChannelBindings::Entry* ChannelBindings::entry(std::uint16_t channel) const {
    const std::size_t index = channel - std::size_t{kFirstChannel};
    return index < entries_.size() ? &entries_[index] : nullptr;
}

void ChannelBindings::put(std::uint16_t channel, const net::SocketAddress& peer, Instant now) {
    assert(channel >= kFirstChannel && channel <= kLastChannel);
    const std::size_t index = channel - std::size_t{kFirstChannel};
    if (index >= entries_.size()) {
        entries_.resize(index + 1);
    }
    if (entries_[index].exists) {
        remove(channel);
    }
    entries_[index] = Entry{.exists = true, .refresh_reported = false, .binding = {.peer = peer, .since = now}};
    by_peer_.insert_or_assign(peer, channel);
}

void ChannelBindings::remove(std::uint16_t channel) {
    auto* const known = entry(channel);
    // The peer may have got another number since.
    if (const auto it = by_peer_.find(known->binding.peer); it != by_peer_.end() && it->second == channel) {
        by_peer_.erase(it);
    }
    *known = Entry{};
}

}  // namespace culvert::turn
