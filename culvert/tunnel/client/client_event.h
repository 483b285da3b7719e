#pragma once

#include <variant>
#include <vector>

#include "culvert/crypto/keys.h"
#include "culvert/dns/proxy_addresses.h"
#include "culvert/dns/stub_io.h"
#include "culvert/tunnel/client/resource_view.h"
#include "culvert/tunnel/device/device_event.h"
#include "culvert/tunnel/flow_tracker.h"

namespace culvert::tunnel {

/// The complete, sorted list; only the newest one matters.
struct ResourcesChanged {
    std::vector<ResourceView> resources;
};

/// All addresses that were ever given to names, to be given to the next session of this process: applications that
/// never ask again must not reach something else (spec/dns.md section 6).
struct DnsRecordsChanged {
    std::vector<dns::ProxyRecord> records;
};

/// After a reset: connect to the portal anew, with this key.
struct KeyChanged {
    crypto::PublicKey public_key;
};

/// What a client asks its host to do (spec/tunnel.md section 3.16).
///
/// A dns::Ask is for a resolver that is reached around the tunnel (ViaHost or DohServer); what comes of it comes back
/// as DnsResponse or DnsFailure.
using ClientEvent = std::variant<TunInterfaceUpdated, SendToPortal, AskForRelays, ConnectionEnded, ResourcesChanged,
                                 KeyChanged, DnsRecordsChanged, dns::Ask, dns::StopAsking, FlowsTracked>;

}  // namespace culvert::tunnel
