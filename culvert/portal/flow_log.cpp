#include "culvert/portal/flow_log.h"

#include <utility>

namespace culvert::portal {

FlowLogEntry make_flow_log_entry(portal_api::FlowRecord record, const portal_api::IngestClaims& claims) {
    return {.record = std::move(record),
            .role = claims.role,
            .initiator = claims.initiator_device,
            .responder = claims.responder_device,
            .authorization = claims.policy_authorization,
            .policy = PolicyId{claims.policy},
            .resource = claims.resource,
            .resource_name = claims.resource_name,
            .actor = ActorId{claims.initiator_actor},
            .actor_name = claims.initiator_actor_name,
            .actor_email = claims.initiator_actor_email};
}

}  // namespace culvert::portal
