#include "tests/model/network/address_book.h"

#include <stdexcept>

#include "culvert/base/bytes.h"

namespace culvert::model {
namespace {

/// The n-th address of a range of /24s, without those that end in .0 or .255.
net::IpAddress v4_address(std::uint32_t first, std::uint32_t networks, std::uint32_t n) {
    constexpr std::uint32_t kHosts = 254;
    if (n >= networks * kHosts) {
        throw std::length_error{"the simulated Internet has run out of addresses of a range"};
    }
    std::array<std::byte, 4> bytes{};
    store_be(MutableByteSpan{bytes}, first + n / kHosts * 256 + n % kHosts + 1);
    return net::IpAddress::from_bytes(bytes);
}

/// ::1 in the n-th /64 from 2001:db8:`block`::/48 on.
net::IpAddress v6_address(std::uint16_t block, std::uint32_t n) {
    std::array<std::byte, 16> bytes{};
    const MutableByteSpan span{bytes};
    store_be(span, std::uint32_t{0x20010db8});
    store_be(span.subspan(4), static_cast<std::uint32_t>((std::uint32_t{block} << 16) + n));
    bytes[15] = std::byte{1};
    return net::IpAddress::from_bytes(bytes);
}

}  // namespace

net::IpAddress AddressBook::issue(AddressRange range, Host& host) {
    const auto address = next(range);
    places_[address] = {.host = &host, .is_private = range == AddressRange::kPrivateV4};
    return address;
}

net::IpAddress AddressBook::issue_for_nat(Segment& segment) {
    const auto address = next(AddressRange::kPublicV4);
    places_[address] = {.nat_of = &segment};
    return address;
}

void AddressBook::retire(const net::IpAddress& address) {
    places_[address] = {};
}

const AddressBook::Place* AddressBook::find(const net::IpAddress& address) const {
    const auto place = places_.find(address);
    return place == places_.end() ? nullptr : &place->second;
}

net::IpAddress AddressBook::next(AddressRange range) {
    const auto n = issued_[static_cast<std::size_t>(range)]++;
    switch (range) {
        case AddressRange::kPublicV4:
            return v4_address(0xc6120000, 512, n);
        case AddressRange::kPublicV6:
            return v6_address(0x00c0, n);
        case AddressRange::kPrivateV4:
            return v4_address(0xc0a80000, 256, n);
        case AddressRange::kRelayV4:
            return v4_address(0xcb007100, 1, n);
        case AddressRange::kRelayV6:
            return v6_address(0x3478, n);
    }
    throw std::logic_error{"no such range"};
}

}  // namespace culvert::model
