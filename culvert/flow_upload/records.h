#pragma once

#include "culvert/flow_upload/clock_history.h"
#include "culvert/portal_api/flow_record.h"
#include "culvert/tunnel/flow_tracker.h"

namespace culvert::flow_upload {

/// As the portal is told of it.
[[nodiscard]] portal_api::FlowRecord to_record(const tunnel::TrackedFlow& flow, const ClockHistory& clock);

}  // namespace culvert::flow_upload
