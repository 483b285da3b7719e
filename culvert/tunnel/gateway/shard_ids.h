#pragma once

#include <cstdint>
#include <optional>

namespace culvert::tunnel {

/// Makes numbers that a shard gives out for itself unique within the process: the upper bits say which shard's they
/// are.
class ShardIds {
public:
    explicit ShardIds(std::uint16_t shard) : shard_{shard} {}

    /// Requires a number of fewer than 48 bits.
    [[nodiscard]] std::uint64_t id_of(std::uint64_t number) const { return (shard_ << kNumberBits) | number; }
    /// nullopt: it is another shard's.
    [[nodiscard]] std::optional<std::uint64_t> number_of(std::uint64_t id) const {
        return id >> kNumberBits == shard_ ? std::optional{id & ((std::uint64_t{1} << kNumberBits) - 1)} : std::nullopt;
    }

private:
    static constexpr unsigned kShardBits = 16;
    static constexpr unsigned kNumberBits = 64 - kShardBits;

    std::uint64_t shard_;
};

}  // namespace culvert::tunnel
