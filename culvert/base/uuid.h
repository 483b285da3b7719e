#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/base/hash_salt.h"

namespace culvert {

class Rng;

/// A 128-bit identifier in the textual form of RFC 9562; ordered byte-wise.
class Uuid {
public:
    constexpr Uuid() = default;
    constexpr explicit Uuid(std::array<std::uint8_t, 16> bytes) : bytes_{bytes} {}

    /// Accepts the hyphenated form in either case, nothing else.
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);

    /// A version 4 (random) identifier.
    [[nodiscard]] static Uuid random(Rng& rng);

    /// Lower-case, hyphenated.
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

    friend auto operator<=>(const Uuid&, const Uuid&) = default;

private:
    std::array<std::uint8_t, 16> bytes_{};
};

/// A Uuid that names one kind of thing only, so that ids of different kinds cannot be mixed up.
template <typename Tag>
class Id {
public:
    constexpr Id() = default;
    constexpr explicit Id(Uuid uuid) : uuid_{uuid} {}

    [[nodiscard]] static std::optional<Id> parse(std::string_view text) {
        const auto uuid = Uuid::parse(text);
        return uuid ? std::optional{Id{*uuid}} : std::nullopt;
    }
    [[nodiscard]] static Id random(Rng& rng) { return Id{Uuid::random(rng)}; }

    [[nodiscard]] const Uuid& uuid() const { return uuid_; }
    [[nodiscard]] std::string to_string() const { return uuid_.to_string(); }

    friend auto operator<=>(const Id&, const Id&) = default;

private:
    Uuid uuid_;
};

using AccountId = Id<struct AccountTag>;
using ClientId = Id<struct ClientTag>;
using GatewayId = Id<struct GatewayTag>;
using RelayId = Id<struct RelayTag>;
using ResourceId = Id<struct ResourceTag>;
using SiteId = Id<struct SiteTag>;

}  // namespace culvert

template <>
struct std::hash<culvert::Uuid> {
    std::size_t operator()(const culvert::Uuid& id) const noexcept {
        std::size_t value;
        std::memcpy(&value, id.bytes().data(), sizeof value);
        return culvert::salted(value);
    }
};

template <typename Tag>
struct std::hash<culvert::Id<Tag>> {
    std::size_t operator()(const culvert::Id<Tag>& id) const noexcept { return std::hash<culvert::Uuid>{}(id.uuid()); }
};
