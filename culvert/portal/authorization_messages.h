#pragma once

#include <optional>
#include <string>

#include "culvert/portal/directory.h"
#include "culvert/portal/model.h"
#include "culvert/portal_api/ingest_token.h"
#include "culvert/portal_api/messages.h"

/// What the two ends of a flow are told about each other. Source: spec/portal-protocol.md section 11, and
/// spec/newer-dialect.md sections 6 and 10.
namespace culvert::portal {

/// A flow and those that it connects.
struct FlowEnds {
    const Flow& flow;
    const Client& client;
    const Gateway& gateway;
};

/// For the gateway, without `ref`. Whoever is told it again for the same pair gets the same secrets.
[[nodiscard]] portal_api::AuthorizeFlow authorize_flow(const FlowEnds& ends,
                                                       const portal_api::GatewayResource& resource,
                                                       const Directory& directory);
/// For the client.
[[nodiscard]] portal_api::FlowCreated flow_created(const FlowEnds& ends);

/// What the token says that goes with either message; the role is for the caller to set.
[[nodiscard]] portal_api::IngestClaims ingest_claims(const FlowEnds& ends, const Directory& directory, UnixSeconds now);
/// The same of a flow to a device of a pool; `client` is who asked for it.
[[nodiscard]] portal_api::IngestClaims ingest_claims(const DeviceFlow& flow, const Client& client,
                                                     const Directory& directory, UnixSeconds now);

}  // namespace culvert::portal
