#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "culvert/base/rng.h"
#include "culvert/net/ip_address.h"

namespace culvert::net {

/// Hashes what identifies a packet's flow, two addresses and up to 64 bits more, for tables whose keys strangers
/// choose.
///
/// The secret is drawn once per table: who chooses addresses and ports does not know what two choices have in common,
/// so nobody can fill one bucket. The low bits are as good as the high ones: a table may have a power of two of
/// buckets. A multiplication of 64 x 64 bits, folded, as in the wyhash family; two of them per packet.
class AddressPairHash {
public:
    explicit AddressPairHash(Rng& rng) : secret_{rng.next_u64(), rng.next_u64()} {}

    [[nodiscard]] std::uint64_t operator()(const IpAddress& a, const IpAddress& b, std::uint64_t rest) const {
        const auto one = words_of(a);
        const auto two = words_of(b);
        const auto addresses = fold(two[0] ^ one[1] ^ secret_[0], two[1] ^ one[0] ^ secret_[1]);
        return fold(addresses ^ secret_[1], rest ^ secret_[0]);
    }

private:
    using Words = std::array<std::uint64_t, 2>;

    [[nodiscard]] static Words words_of(const IpAddress& address) {
        Words words{};
        const auto bytes = address.bytes();
        std::memcpy(&words[0], bytes.data(), address.is_v4() ? 4 : 8);
        if (address.is_v6()) {
            std::memcpy(&words[1], bytes.data() + 8, 8);
        }
        return words;
    }
    [[nodiscard]] static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
        __extension__ using Product = unsigned __int128;
        const auto product = static_cast<Product>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
    }

    Words secret_;
};

}  // namespace culvert::net
