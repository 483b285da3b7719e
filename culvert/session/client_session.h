#pragma once

#include <expected>
#include <string>

#include "culvert/os_dns/method.h"
#include "culvert/session/device_session.h"

namespace culvert::session {

struct ClientSessionOptions {
    DeviceOptions device;
    /// Whether the Internet resource is used, should there be one. Off again when it is taken away.
    bool activate_internet_resource = false;
    /// How the machine is made to ask the client about names.
    os_dns::DnsMethod dns_control = os_dns::DnsMethod::kSystemdResolved;
    /// Whether the process that does that is confined beyond its privileges.
    bool confines_keeper = true;
};

/// Runs a client until SIGINT or SIGTERM (success) or until it cannot go on; the error is for a person. SIGHUP makes it
/// drop all connections and start afresh, as after a change of networks.
///
/// Source: spec/session-and-apps.md section 3.
[[nodiscard]] std::expected<void, std::string> run_client(ClientSessionOptions options);

}  // namespace culvert::session
