#pragma once

#include <variant>

#include "culvert/dns/name.h"
#include "culvert/dns/stub_io.h"
#include "culvert/tunnel/device/device_event.h"
#include "culvert/tunnel/flow_tracker.h"
#include "culvert/tunnel/names/name_requests.h"

namespace culvert::tunnel {

/// The addresses of a name are wanted, of both families and as any program of this host would find them. The answer is
/// a command, NameFound or NameLookUpFailed.
struct LookUpName {
    NameRequests::LookUpId id;
    dns::Name domain;
};

/// What a gateway asks its host to do. Routes of dns::Ask are dns::ViaHost; their answers are DnsResponse and
/// DnsFailure.
using GatewayEvent = std::variant<TunInterfaceUpdated, SendToPortal, AskForRelays, ConnectionEnded, LookUpName,
                                  dns::Ask, dns::StopAsking, FlowsTracked>;

}  // namespace culvert::tunnel
