#pragma once

#include <memory>

#include "tests/model/observer/verdict.h"
#include "tests/model/world/observation.h"

namespace culvert::model {

/// Checks every datagram on every wire against the specifications, with decoders of its own: forms, signatures, order,
/// timing, and who may send what to whom (PRO-1, SEC-5, SEC-8, RES-1 to RES-3, STA-3 of docs/invariants.md).
class WireChecker final : public Observer {
public:
    explicit WireChecker(const Setup& setup);
    ~WireChecker() override;

    void observe(const Observation& observation, Instant now) override;
    [[nodiscard]] bool has_found_violations() const;
    /// The case is over.
    [[nodiscard]] Verdict finish(Instant now);

private:
    struct Rules;
    std::unique_ptr<Rules> rules_;
};

}  // namespace culvert::model
