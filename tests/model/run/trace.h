#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/model/world/observation.h"

namespace culvert::model {

/// Condenses everything that was observed into one number: two runs of a case must give the same.
class TraceHash final : public Observer {
public:
    void observe(const Observation& observation, Instant now) override;
    [[nodiscard]] std::uint64_t value() const { return hash_; }

private:
    void mix(ByteSpan bytes);
    void mix(std::uint64_t number);

    std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

/// Writes one line for everything that was observed, for a person.
class TraceWriter final : public Observer {
public:
    using Write = std::function<void(const std::string& line)>;
    explicit TraceWriter(Write write) : write_{std::move(write)} {}

    void observe(const Observation& observation, Instant now) override;

private:
    Write write_;
};

/// What a UDP payload is and the inner addresses that can be read off it: "STUN binding request", "WireGuard data 96".
[[nodiscard]] std::string summarise_datagram(ByteSpan payload);
/// "icmp echo request 100.64.0.1 > 10.0.0.1 seq 3".
[[nodiscard]] std::string summarise_packet(ByteSpan packet);
/// Seconds of virtual time since the case began: "12.300".
[[nodiscard]] std::string time_text(Instant now);

}  // namespace culvert::model
