#pragma once

#include <optional>
#include <string>
#include <vector>

#include "culvert/io/sysctl_changes.h"

namespace culvert::io {

/// How this host forwarded before we came, and what must change so that it does.
struct ForwardingSurvey {
    /// Interfaces that forward already; nullopt: the host does as a whole. As in ForwardingRules.
    std::optional<std::vector<std::string>> ipv4_routers;
    std::optional<std::vector<std::string>> ipv6_routers;
    /// In the order in which to change them. Includes what the kernel changes along with them.
    std::vector<SysctlChange> changes;
};

/// Looks at the settings of this network namespace and changes nothing.
///
/// A host that forwards IPv6 ignores router advertisements and drops what it learnt from them, its default route as
/// well, unless an interface has accept_ra=2: those that listen to routers now get that first. Whether a host has IPv6
/// at all (disable_ipv6) is its owner's choice and stays.
[[nodiscard]] ForwardingSurvey survey_forwarding(const std::string& tun_name);

}  // namespace culvert::io
