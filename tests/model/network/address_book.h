#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

#include "culvert/net/ip_address.h"

namespace culvert::model {

struct Host;
struct Segment;

/// Where addresses come from. Clear of the ranges of tunnels (100.64.0.0/10, fd00:2021:1111::/48) and of usual
/// resources (10.0.0.0/8, fd00::/16).
enum class AddressRange : std::uint8_t {
    kPublicV4,   ///< 198.18.0.0/15
    kPublicV6,   ///< 2001:db8:c0::/48 and following, a /64 for each
    kPrivateV4,  ///< 192.168.0.0/16
    kRelayV4,    ///< 203.0.113.0/24
    kRelayV6,    ///< 2001:db8:3478::/48
};

/// Who has which address, and who had.
class AddressBook {
public:
    /// What an address leads to. Neither: to nobody any more.
    struct Place {
        Host* host = nullptr;
        Segment* nat_of = nullptr;
        bool is_private = false;

        [[nodiscard]] bool is_stale() const { return host == nullptr && nat_of == nullptr; }
    };

    /// An address that nobody ever had. Throws std::length_error once an IPv4 range is used up: after 130 048
    /// addresses, 65 024 private ones, 254 of relays.
    net::IpAddress issue(AddressRange range, Host& host);
    net::IpAddress issue_for_nat(Segment& segment);
    void retire(const net::IpAddress& address);

    /// nullptr if nobody ever had it. What it points to lives as long as the book and follows every change.
    [[nodiscard]] const Place* find(const net::IpAddress& address) const;

private:
    [[nodiscard]] net::IpAddress next(AddressRange range);

    static constexpr std::size_t kRanges = 5;
    std::array<std::uint32_t, kRanges> issued_{};
    std::map<net::IpAddress, Place> places_;
};

}  // namespace culvert::model
