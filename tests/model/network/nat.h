#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "culvert/net/socket_address.h"
#include "tests/model/network/drop_reason.h"
#include "tests/model/network/expiring_table.h"
#include "tests/model/scenario/setup.h"

namespace culvert::model {

/// A NAT box for IPv4 and stateful firewall for IPv6, with the behaviours of RFC 4787 (spec/testing.md section 4.3).
///
/// IPv6 is not translated: an endpoint is its own mapping. What a host sends refreshes its mapping and admits the
/// remote end (its address, or address and port) for `idle_timeout`; what comes in refreshes the mapping at most.
/// With endpoint-independent filtering a mapping that is alive admits everybody.
class Nat {
public:
    /// Mappings, and admitted remote ends, that a box holds.
    static constexpr std::size_t kTableSize = 4096;
    /// Outer ports that are not kept from the inside lie from here upwards.
    static constexpr std::uint16_t kFirstPort = 42000;

    /// `salt` decides which ports are given out.
    Nat(const NatBox& box, const net::IpAddress& public_address, std::uint64_t salt);

    /// A packet leaves from `inner` to `remote`. Returns the source address that it has outside.
    net::SocketAddress outbound(const net::SocketAddress& inner, const net::SocketAddress& remote, Instant now);
    /// A packet from `remote` arrives at `outer`. Returns whom it is for.
    std::expected<net::SocketAddress, DropReason> inbound(const net::SocketAddress& remote,
                                                          const net::SocketAddress& outer, Instant now);

    /// The inner endpoint that `outer` is mapped to, whatever the filter says.
    [[nodiscard]] std::optional<net::SocketAddress> mapped_to(const net::SocketAddress& outer, Instant now) const;
    /// As what the Internet knows `inner`: none if it sent nothing, several if mappings depend on the remote end.
    [[nodiscard]] std::vector<net::SocketAddress> outer_endpoints(const net::SocketAddress& inner, Instant now) const;

    /// Forgets everything; ports that are given out afterwards are other ones.
    void reboot();
    /// Reboots with another public address.
    void renumber(const net::IpAddress& public_address);
    /// Becomes another box at the same address.
    void replace(const NatBox& box);

    [[nodiscard]] const NatBox& box() const { return box_; }
    [[nodiscard]] const net::IpAddress& public_address() const { return public_address_; }

private:
    struct MappingKey {
        net::SocketAddress inner;
        net::SocketAddress remote;  ///< as far as mappings depend on it, see reduce()
        friend auto operator<=>(const MappingKey&, const MappingKey&) = default;
    };
    struct FilterKey {
        net::SocketAddress outer;
        net::SocketAddress remote;  ///< as far as the filter depends on it
        friend auto operator<=>(const FilterKey&, const FilterKey&) = default;
    };

    [[nodiscard]] MappingKey mapping_key(const net::SocketAddress& inner, const net::SocketAddress& remote) const;
    [[nodiscard]] std::optional<MappingKey> mapping_at(const net::SocketAddress& outer, Instant now) const;
    [[nodiscard]] net::SocketAddress create_mapping(const MappingKey& key, Instant now);
    [[nodiscard]] std::uint16_t choose_port(const MappingKey& key, Instant now);
    [[nodiscard]] std::uint16_t stable_port(const net::SocketAddress& inner) const;
    [[nodiscard]] bool is_free(std::uint16_t port, Instant now) const;

    NatBox box_;
    net::IpAddress public_address_;
    std::uint64_t salt_;
    ExpiringTable<MappingKey, net::SocketAddress> mappings_;  ///< to the outer endpoint
    ExpiringTable<FilterKey, std::monostate> admitted_;
    /// Who was given an IPv4 port last; the mapping may be gone.
    std::map<std::uint16_t, MappingKey> port_holders_;
    std::optional<MappingKey> first_mapping_;
    std::uint16_t next_port_ = kFirstPort;
};

}  // namespace culvert::model
