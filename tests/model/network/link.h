#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/net/ecn.h"
#include "culvert/net/ip_address.h"
#include "tests/model/network/drop_reason.h"
#include "tests/model/scenario/action.h"

namespace culvert::model {

/// IP packets longer than this are lost on every link.
inline constexpr std::size_t kLargestMtu = 1500;

/// Length of the IP packet that carries a UDP payload.
[[nodiscard]] constexpr std::size_t ip_length(std::size_t payload, net::Family family) {
    return payload + (family == net::Family::kIpv4 ? 28 : 48);
}

/// One direction of a host's access link: what an impairment does to the datagrams on it. Latency is not its business.
///
/// First in, first out, unless the impairment reorders; also across a change of the impairment.
class Link {
public:
    /// `rng` is this link's own, so that what happens on one link changes nothing on another.
    explicit Link(const Rng& rng) : rng_{rng} {}

    /// When a datagram comes out at the other end.
    struct Exits {
        Instant first;
        std::optional<Instant> duplicate;
    };
    /// A datagram enters; `now` never decreases. May flip a bit of `payload`, and mark `ecn`.
    std::expected<Exits, DropReason> pass(MutableByteSpan payload, net::Ecn& ecn, net::Family family, Instant now);

    void impair(const Impairment& impairment);
    void heal() { impairment_.reset(); }
    /// Another link with the same impairment takes its place: what is queued is none of its business.
    void replace();

    /// A link that never was cannot delay anything.
    [[nodiscard]] bool was_ever_impaired() const { return was_ever_impaired_; }

private:
    [[nodiscard]] bool chance(std::uint16_t per_mille);
    [[nodiscard]] bool is_lost();
    [[nodiscard]] std::expected<Instant, DropReason> transmit(std::size_t length, Instant now);
    void corrupt(MutableByteSpan payload);
    [[nodiscard]] Instant exit_after(Instant transmitted);
    [[nodiscard]] Instant in_order(Instant exit);

    Rng rng_;
    std::optional<Impairment> impairment_;
    bool was_ever_impaired_ = false;
    unsigned still_to_lose_ = 0;  ///< datagrams of the burst of losses under way
    Instant busy_until_{};
    Instant last_exit_{};
};

}  // namespace culvert::model
