#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "culvert/portal/model.h"
#include "culvert/portal_api/flow_record.h"
#include "culvert/portal_api/ingest_token.h"

/// Flows that devices have reported.
namespace culvert::portal {

/// A report as it is kept: what the device says of the flow, and what its token says of the authorization.
struct FlowLogEntry {
    portal_api::FlowRecord record;
    portal_api::FlowRole role = portal_api::FlowRole::kInitiator;
    Uuid initiator;
    /// A gateway or another client.
    Uuid responder;
    Uuid authorization;
    PolicyId policy;
    ResourceId resource;
    std::string resource_name;
    ActorId actor;
    std::string actor_name;
    std::optional<std::string> actor_email;

    friend bool operator==(const FlowLogEntry&, const FlowLogEntry&) = default;
};

/// Attributed by the token, whatever the record says.
[[nodiscard]] FlowLogEntry make_flow_log_entry(portal_api::FlowRecord record, const portal_api::IngestClaims& claims);

/// What became of a report.
enum class FlowLogged : std::uint8_t {
    kNew,
    /// The flow was known and is over now.
    kClosed,
    /// Nothing of it was news.
    kKnown,
};

struct FlowLogQuery {
    /// Flows that began then or later.
    std::optional<WallMicroseconds> since = std::nullopt;
    std::optional<Uuid> initiator = std::nullopt;
    std::optional<Uuid> responder = std::nullopt;
    std::optional<ResourceId> resource = std::nullopt;
    /// Of which the newest.
    std::size_t limit = 1000;
};

}  // namespace culvert::portal
