#include "culvert/portal/address_pool.h"

#include <bit>

#include "culvert/portal/tunnel_addresses.h"

namespace culvert::portal {
namespace {

constexpr std::uint32_t kWordBits = 64;

}  // namespace

AddressPool::AddressPool() {
    for (auto& range : ranges_) {
        // All bits of a level are set that stand for something below it, then those at the ends go.
        auto bits = std::size_t{kLastTunnelOffset} + 1;
        range.free = bits;
        for (auto& level : range.levels) {
            const auto words = (bits + kWordBits - 1) / kWordBits;
            level.assign(words, ~std::uint64_t{0});
            if (const auto rest = bits % kWordBits; rest != 0) {
                level.back() = (std::uint64_t{1} << rest) - 1;
            }
            bits = words;
        }
        for (std::uint32_t offset = 0; offset < kFirstTunnelOffset; ++offset) {
            range.clear(offset);
        }
    }
}

std::optional<net::IpAddress> AddressPool::take(net::Family family, Rng& rng) {
    auto& range = ranges_.at(index(family));
    const auto start =
        kFirstTunnelOffset + static_cast<std::uint32_t>(rng.below(kLastTunnelOffset - kFirstTunnelOffset + 1));
    auto offset = range.first_from(start);
    if (!offset) {
        offset = range.last_before(start);
    }
    if (!offset) {
        return std::nullopt;
    }
    range.clear(*offset);
    return tunnel_address(family, *offset);
}

void AddressPool::mark_taken(const net::IpAddress& address) {
    if (const auto offset = tunnel_offset(address)) {
        ranges_.at(index(address.family())).clear(*offset);
    }
}

void AddressPool::release(const net::IpAddress& address) {
    if (const auto offset = tunnel_offset(address)) {
        ranges_.at(index(address.family())).set(*offset);
    }
}

bool AddressPool::Range::test(std::uint32_t offset) const {
    return (levels[0][offset / kWordBits] >> (offset % kWordBits) & 1U) != 0;
}

void AddressPool::Range::set(std::uint32_t offset) {
    if (test(offset)) {
        return;
    }
    ++free;
    for (auto& level : levels) {
        level[offset / kWordBits] |= std::uint64_t{1} << (offset % kWordBits);
        offset /= kWordBits;
    }
}

void AddressPool::Range::clear(std::uint32_t offset) {
    if (!test(offset)) {
        return;
    }
    --free;
    for (auto& level : levels) {
        auto& word = level[offset / kWordBits];
        word &= ~(std::uint64_t{1} << (offset % kWordBits));
        if (word != 0) {
            return;
        }
        offset /= kWordBits;
    }
}

std::optional<std::uint32_t> AddressPool::Range::first_from(std::uint32_t offset) const {
    for (std::size_t level = 0; level < kLevels; ++level) {
        const auto& words = levels.at(level);
        if (offset / kWordBits >= words.size()) {
            return std::nullopt;
        }
        const auto rest = words[offset / kWordBits] >> (offset % kWordBits) << (offset % kWordBits);
        if (rest != 0) {
            auto found = offset / kWordBits * kWordBits + static_cast<std::uint32_t>(std::countr_zero(rest));
            while (level-- > 0) {
                found = found * kWordBits + static_cast<std::uint32_t>(std::countr_zero(levels.at(level)[found]));
            }
            return found;
        }
        offset = offset / kWordBits + 1;
    }
    return std::nullopt;
}

std::optional<std::uint32_t> AddressPool::Range::last_before(std::uint32_t offset) const {
    for (std::size_t level = 0; level < kLevels; ++level) {
        const auto below = (std::uint64_t{1} << (offset % kWordBits)) - 1;
        const auto rest = levels.at(level)[offset / kWordBits] & below;
        if (rest != 0) {
            auto found = offset / kWordBits * kWordBits + static_cast<std::uint32_t>(std::bit_width(rest)) - 1;
            while (level-- > 0) {
                const auto word = levels.at(level)[found];
                found = found * kWordBits + static_cast<std::uint32_t>(std::bit_width(word)) - 1;
            }
            return found;
        }
        offset /= kWordBits;
    }
    return std::nullopt;
}

}  // namespace culvert::portal
