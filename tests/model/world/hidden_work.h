#pragma once

#include <optional>
#include <string_view>

#include "culvert/base/time.h"

namespace culvert::model {

/// What an object of the sans-IO contract (culvert/base/sans_io.h) would have done without telling anybody when
/// (DET-5): a literal, empty if nothing. Call with all outputs drained; finds nothing while something is due.
///
/// Whoever sleeps until poll_timeout() would never get that output. A timeout that is not due has no visible effect, so
/// that asking changes nothing for an object that keeps to the contract.
template <typename PollTimeout, typename HandleTimeout, typename HasOutput>
[[nodiscard]] std::string_view find_hidden_work(Instant now, const PollTimeout& poll_timeout,
                                                const HandleTimeout& handle_timeout, const HasOutput& has_output) {
    const std::optional<Instant> deadline = poll_timeout();
    if (deadline && *deadline <= now) {
        return {};
    }
    handle_timeout();
    if (has_output()) {
        return "had something to say that it had reported no deadline for";
    }
    if (poll_timeout() != deadline) {
        return "changed its deadline when a timeout came that was not due";
    }
    return {};
}

}  // namespace culvert::model
