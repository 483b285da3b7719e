#pragma once

#include <cstdint>
#include <string_view>

#include "tests/model/scenario/enumerators.h"

namespace culvert::model {

/// Why a judge lets something pass that its rule would forbid, or predicts nothing. This is all of them: safety has an
/// excuse only where the protocols leave no defence, and liveness is judged where the world is calm (calm.h).
enum class Excuse : std::uint8_t {
    // --- No prediction ---
    kHostileGateway,  ///< a packet's gateway keeps no rule
    kGatewayItself,   ///< a packet to a gateway's own address is answered only while its client has a grant there
    kNoGateway,       ///< no gateway that the portal could name is online, or not for each of equal resources
    kUnsurePath,      ///< no relay that both surely reach and have ports at, NATs that forget, a relay that lies
    kFullBuffers,     ///< more packets wait for a connection than it keeps (CON-1)
    kWrongClock,      ///< a gateway's clock says that access is over, or is about to be

    // --- No defence ---
    kRecordedCheck,   ///< a recorded check leads a connection that is being made to where it came from
    kRecordedAnswer,  ///< an answer counts, wherever it comes from
    kValidRequest,    ///< a relay cannot tell what a user with valid credentials is up to
    kUnreachable,     ///< who is cut off from the portal cannot hear of a revocation
    kForgottenHost,   ///< a relay still has what its client forgot, or of somebody who had its address and port before

    // --- Under way ---
    kChangeCrossed,  ///< access changed while the packet or request was on its way
    kPathSwitch,     ///< packets on the old path are overtaken by those on the new one
    kQueued,         ///< written before the news, sent after it by the queues of an event loop

    // --- A person is told, and rightly so ---
    kNoRelay,    ///< a device has no relay in reach
    kFullRelay,  ///< a relay has no port left
};

/// `recorded-check`; lives for ever.
[[nodiscard]] inline std::string_view to_string(Excuse excuse) {
    return name_of(excuse);
}

}  // namespace culvert::model
