#include "tests/model/network/nat.h"

#include <limits>

#include "culvert/turn/constants.h"
#include "tests/model/network/mix.h"

namespace culvert::model {
namespace {

/// The part of a remote end that a behaviour depends on.
net::SocketAddress reduce(const net::SocketAddress& remote, Dependence dependence) {
    switch (dependence) {
        case Dependence::kIndependent:
            return {};
        case Dependence::kAddress:
            return {remote.ip, 0};
        case Dependence::kAddressAndPort:
            return remote;
    }
    return remote;
}

std::uint16_t port_after(std::uint16_t port) {
    return port == std::numeric_limits<std::uint16_t>::max() ? Nat::kFirstPort : static_cast<std::uint16_t>(port + 1);
}

}  // namespace

Nat::Nat(const NatBox& box, const net::IpAddress& public_address, std::uint64_t salt)
    : box_{box},
      public_address_{public_address},
      salt_{salt},
      mappings_{box.idle_timeout, kTableSize},
      admitted_{box.idle_timeout, kTableSize} {}

net::SocketAddress Nat::outbound(const net::SocketAddress& inner, const net::SocketAddress& remote, Instant now) {
    const auto key = mapping_key(inner, remote);
    const auto* existing = mappings_.refresh(key, now);
    const auto outer = existing != nullptr ? *existing : create_mapping(key, now);

    if (box_.filtering != Dependence::kIndependent) {
        const FilterKey admission{outer, reduce(remote, box_.filtering)};
        if (admitted_.refresh(admission, now) == nullptr) {
            admitted_.insert(admission, {}, now);
        }
    }
    return outer;
}

std::expected<net::SocketAddress, DropReason> Nat::inbound(const net::SocketAddress& remote,
                                                           const net::SocketAddress& outer, Instant now) {
    const auto key = mapping_at(outer, now);
    if (!key) {
        return std::unexpected{DropReason::kNatNoMapping};
    }
    if (box_.filtering != Dependence::kIndependent &&
        admitted_.find({outer, reduce(remote, box_.filtering)}, now) == nullptr) {
        return std::unexpected{DropReason::kNatFiltered};
    }
    if (box_.inbound_refreshes) {
        mappings_.refresh(*key, now);
    }
    return key->inner;
}

std::optional<net::SocketAddress> Nat::mapped_to(const net::SocketAddress& outer, Instant now) const {
    return mapping_at(outer, now).transform([](const MappingKey& key) { return key.inner; });
}

std::vector<net::SocketAddress> Nat::outer_endpoints(const net::SocketAddress& inner, Instant now) const {
    std::vector<net::SocketAddress> endpoints;
    mappings_.for_each(now, [&](const MappingKey& key, const net::SocketAddress& outer) {
        if (key.inner == inner) {
            endpoints.push_back(outer);
        }
    });
    return endpoints;
}

void Nat::reboot() {
    mappings_.clear();
    admitted_.clear();
    port_holders_.clear();
    first_mapping_.reset();
    salt_ = mix(salt_, 0);
}

void Nat::renumber(const net::IpAddress& public_address) {
    reboot();
    public_address_ = public_address;
}

void Nat::replace(const NatBox& box) {
    *this = Nat{box, public_address_, mix(salt_, 0)};
}

Nat::MappingKey Nat::mapping_key(const net::SocketAddress& inner, const net::SocketAddress& remote) const {
    return {inner, inner.is_v4() ? reduce(remote, box_.mapping) : net::SocketAddress{}};
}

std::optional<Nat::MappingKey> Nat::mapping_at(const net::SocketAddress& outer, Instant now) const {
    if (!outer.is_v4()) {
        const MappingKey key{outer, {}};
        return mappings_.find(key, now) != nullptr ? std::optional{key} : std::nullopt;
    }
    const auto holder = port_holders_.find(outer.port);
    if (holder == port_holders_.end()) {
        return std::nullopt;
    }
    const auto* current = mappings_.find(holder->second, now);
    return current != nullptr && *current == outer ? std::optional{holder->second} : std::nullopt;
}

net::SocketAddress Nat::create_mapping(const MappingKey& key, Instant now) {
    auto outer = key.inner;
    if (key.inner.is_v4()) {
        outer = {public_address_, choose_port(key, now)};
        port_holders_.insert_or_assign(outer.port, key);
        if (!first_mapping_) {
            first_mapping_ = key;
        }
    }
    mappings_.insert(key, outer, now);
    return outer;
}

// After expiry an endpoint-independent mapping gets the port it had, one that depends on the remote end a new one.
std::uint16_t Nat::choose_port(const MappingKey& key, Instant now) {
    const bool is_stable = box_.mapping == Dependence::kIndependent;
    const bool is_first = !first_mapping_ || (is_stable && *first_mapping_ == key);
    if (box_.maps_to_3478 && is_first && is_free(turn::kRelayPort, now)) {
        return turn::kRelayPort;
    }
    if (box_.keeps_port && is_free(key.inner.port, now)) {
        return key.inner.port;
    }
    // Ends: the table is smaller than the range of ports.
    auto port = is_stable ? stable_port(key.inner) : next_port_;
    while (!is_free(port, now)) {
        port = port_after(port);
    }
    if (!is_stable) {
        next_port_ = port_after(port);
    }
    return port;
}

std::uint16_t Nat::stable_port(const net::SocketAddress& inner) const {
    constexpr std::uint64_t kPorts = std::numeric_limits<std::uint16_t>::max() - kFirstPort + 1;
    const auto endpoint = std::uint64_t{load_be<std::uint32_t>(inner.ip.bytes())} << 16 | inner.port;
    return static_cast<std::uint16_t>(kFirstPort + mix(salt_, endpoint) % kPorts);
}

bool Nat::is_free(std::uint16_t port, Instant now) const {
    return !mapping_at({public_address_, port}, now);
}

}  // namespace culvert::model
