#pragma once

#include <string>
#include <string_view>

/// The User-Agent header of a device. Source: spec/portal-protocol.md section 2.3.
namespace culvert::portal_api {

/// The versions that our programs give themselves towards a portal: those of the protocol's generation that they
/// speak. Portals decide by them which resources a client gets to see, in which form, and which gateways fit it
/// (spec/portal-protocol.md sections 9.5, 11 and 12).
inline constexpr std::string_view kClientProtocolVersion = "1.5.12";
inline constexpr std::string_view kGatewayProtocolVersion = "1.4.18";

struct UserAgent {
    std::string os;          // may contain spaces; portals take a slash for its end
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
