#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "culvert/base/rng.h"
#include "culvert/relay/data_plane.h"
#include "tests/model/sockets/simulated_kernel.h"

namespace culvert::model {

/// The relay's production loop above a simulated kernel, under virtual time. Used like EventLoop.
class RelayLoop {
public:
    RelayLoop(relay::DataPlane::Options options, std::string stamp_secret, const Rng& rng, const Rng& kernel_rng);

    /// Takes turns until the loop would sleep. Throws std::logic_error if it never would.
    void run(Instant now, WallTime wall_now);
    /// When run() is to be called next.
    [[nodiscard]] std::optional<Instant> poll_timeout();

    [[nodiscard]] relay::DataPlane& plane() { return *plane_; }
    [[nodiscard]] const relay::DataPlane& plane() const { return *plane_; }
    [[nodiscard]] SimulatedKernel& kernel() { return kernel_; }
    [[nodiscard]] const SimulatedKernel& kernel() const { return kernel_; }

private:
    SimulatedKernel kernel_;
    std::unique_ptr<relay::DataPlane> plane_;
};

}  // namespace culvert::model
