#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/net/ip_address.h"

namespace culvert::portal {

/// Which tunnel addresses are free, as bits.
///
/// Every device that was ever registered keeps its addresses, so the ranges fill up, and whoever has a token can fill
/// them. Finding a free one must not take longer then: a summary of three levels leads to it in a few steps, however
/// many are taken. 270 KiB for each family.
class AddressPool {
public:
    AddressPool();

    /// The first free address at or after a random one, else the last free one before it; it is taken then. nullopt if
    /// there is none.
    [[nodiscard]] std::optional<net::IpAddress> take(net::Family family, Rng& rng);

    /// Addresses outside the devices' range are ignored, as are taken ones that are taken and free ones that are freed.
    void mark_taken(const net::IpAddress& address);
    void release(const net::IpAddress& address);

    [[nodiscard]] std::size_t free_count(net::Family family) const { return ranges_.at(index(family)).free; }

private:
    static constexpr std::size_t kLevels = 4;

    struct Range {
        /// levels[0] has a bit for each address, set if it is free; a bit of levels[n + 1] says that a word of
        /// levels[n] is not zero.
        std::array<std::vector<std::uint64_t>, kLevels> levels;
        std::size_t free = 0;

        void set(std::uint32_t offset);
        void clear(std::uint32_t offset);
        [[nodiscard]] bool test(std::uint32_t offset) const;
        [[nodiscard]] std::optional<std::uint32_t> first_from(std::uint32_t offset) const;
        [[nodiscard]] std::optional<std::uint32_t> last_before(std::uint32_t offset) const;
    };

    static std::size_t index(net::Family family) { return family == net::Family::kIpv4 ? 0 : 1; }

    std::array<Range, 2> ranges_;
};

}  // namespace culvert::portal
