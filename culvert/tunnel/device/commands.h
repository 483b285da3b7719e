#pragma once

#include <string>

namespace culvert::tunnel {

/// The network changed: drop all connections without a goodbye and take a new key.
struct Reset {
    /// For the log.
    std::string reason;
};

/// Say goodbye to all peers. The last command.
struct ShutDown {};

}  // namespace culvert::tunnel
