#pragma once

#include <cstdint>

namespace culvert::tcp {

/// A sequence number: counts bytes, from anywhere, and wraps (RFC 9293 section 3.4). Two of them have an order only if
/// they are less than 2^31 apart, which all of one connection that matter are.
class Sequence {
public:
    constexpr Sequence() = default;
    constexpr explicit Sequence(std::uint32_t value) : value_{value} {}

    [[nodiscard]] constexpr std::uint32_t value() const { return value_; }

    friend constexpr Sequence operator+(Sequence a, std::size_t bytes) {
        return Sequence{a.value_ + static_cast<std::uint32_t>(bytes)};
    }
    friend constexpr Sequence operator-(Sequence a, std::size_t bytes) {
        return Sequence{a.value_ - static_cast<std::uint32_t>(bytes)};
    }
    Sequence& operator+=(std::size_t bytes) { return *this = *this + bytes; }

    /// Bytes from `a` up to `b`. Requires a <= b.
    friend constexpr std::uint32_t distance(Sequence a, Sequence b) { return b.value_ - a.value_; }

    friend constexpr bool operator==(Sequence, Sequence) = default;
    friend constexpr bool operator<(Sequence a, Sequence b) {
        return static_cast<std::int32_t>(a.value_ - b.value_) < 0;
    }
    friend constexpr bool operator>(Sequence a, Sequence b) { return b < a; }
    friend constexpr bool operator<=(Sequence a, Sequence b) { return !(b < a); }
    friend constexpr bool operator>=(Sequence a, Sequence b) { return !(a < b); }

private:
    std::uint32_t value_ = 0;
};

}  // namespace culvert::tcp
