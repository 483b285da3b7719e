#pragma once

#include <cstddef>
#include <cstdint>

namespace culvert::connectivity {

/// Where the packets of a connection go.
enum class PathKind : std::uint8_t {
    kNone,  ///< no path yet
    kDirect,
    kRelayed,  ///< over a relay of either side, as far as we know
};

/// How many connections and relays there are, and what became of connections so far; for metrics.
struct Census {
    std::size_t connecting = 0;
    std::size_t direct = 0;
    std::size_t relayed = 0;
    std::size_t relays = 0;       ///< known from the portal
    std::size_t allocations = 0;  ///< relays on which we have one
    std::uint64_t established = 0;
    std::uint64_t failed = 0;

    [[nodiscard]] std::size_t& of(PathKind kind) {
        switch (kind) {
            case PathKind::kNone:
                return connecting;
            case PathKind::kDirect:
                return direct;
            case PathKind::kRelayed:
                return relayed;
        }
        return connecting;
    }

    friend bool operator==(const Census&, const Census&) = default;
};

}  // namespace culvert::connectivity
