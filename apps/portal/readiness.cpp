#include "apps/portal/readiness.h"

#include "apps/portal/constants.h"
#include "culvert/observability/log.h"

namespace culvert::portal_server {
namespace {

constexpr log::Logger kLog{"portal_server"};

}  // namespace

std::optional<std::string> Readiness::problem(Instant now) {
    if (tried_at_ && now - *tried_at_ < kTryWriteInterval) {
        return problem_;
    }
    tried_at_ = now;
    const bool was_ready = !problem_;
    problem_ = attempt();
    if (problem_ && was_ready) {
        kLog.error("Not ready: no device can connect until this is mended", log::field("reason", *problem_));
    } else if (!problem_ && !was_ready) {
        kLog.info("Ready again");
    }
    return problem_;
}

std::optional<std::string> Readiness::attempt() {
    try {
        storage_.try_to_write();
        return std::nullopt;
    } catch (const portal::StorageError& error) {
        return error.what();
    }
}

}  // namespace culvert::portal_server
