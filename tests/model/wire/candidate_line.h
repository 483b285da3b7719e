#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "culvert/net/socket_address.h"

namespace culvert::model::wire {

enum class CandidateKind : std::uint8_t { kHost, kServerReflexive, kRelay };

/// A signalled candidate, decoded as strictly as senders must write it. Source: spec/connectivity.md 3.2 and 3.3.
struct CandidateLine {
    std::uint32_t priority = 0;
    net::SocketAddress address;
    CandidateKind kind = CandidateKind::kHost;
    std::optional<std::string_view> ufrag;

    /// On failure, what is wrong with it; a literal.
    [[nodiscard]] static std::expected<CandidateLine, std::string_view> parse(std::string_view line);
    /// Address and kind as a tolerant receiver reads them, whatever else the line has.
    [[nodiscard]] static std::optional<CandidateLine> read(std::string_view line);
    /// Whether the priority is one that the formula can give a candidate of this kind and family.
    [[nodiscard]] bool has_valid_priority() const;
};

}  // namespace culvert::model::wire
