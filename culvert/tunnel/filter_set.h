#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/refusal.h"

namespace culvert::tunnel {

/// The part of a packet that traffic filters look at, seen from the resource's side: `port` is the destination port of
/// what a client sends and the source port of what a resource sends. Without meaning unless TCP or UDP.
struct Service {
    enum class Protocol : std::uint8_t { kTcp, kUdp, kIcmp, kOther };

    Protocol protocol = Protocol::kOther;
    std::uint16_t port = 0;

    friend bool operator==(const Service&, const Service&) = default;
};

/// The union of the traffic filters of one or more resources (spec/tunnel.md section 6.3).
class FilterSet {
public:
    /// Permits what `filters` permit in addition to what is permitted already. An empty list permits everything; a
    /// filter whose range is empty permits nothing, but does not make the list count as empty.
    void add(std::span<const portal_api::Filter> filters);

    /// nullopt: permitted.
    [[nodiscard]] std::optional<Refusal> check(const Service& service) const;
    [[nodiscard]] bool permits(const Service& service) const { return !check(service); }

private:
    struct Range {
        std::uint16_t first;
        std::uint16_t last;
    };
    using Ranges = std::vector<Range>;  // sorted, with gaps in between

    static void insert(Ranges& ranges, Range range);
    [[nodiscard]] static bool contains(const Ranges& ranges, std::uint16_t port);

    Ranges tcp_;
    Ranges udp_;
    bool icmp_ = false;
    bool everything_ = false;
};

}  // namespace culvert::tunnel
