#pragma once

#include <string>

/// The User-Agent header of a device. Source: spec/portal-protocol.md section 2.3.
namespace culvert::portal_api {

struct UserAgent {
    std::string os;          // may contain spaces
    std::string os_version;  // empty: unknown
    std::string component;   // "headless-client", "gateway", "relay", ...
    std::string version;     // X.Y.Z
    std::string arch;        // empty: left out
    std::string kernel;      // empty: left out

    /// `{os}/{os_version} {component}/{version} ({arch}; {kernel})`, with everything removed that a header may not
    /// carry.
    [[nodiscard]] std::string to_string() const;
};

}  // namespace culvert::portal_api
