// What devices are told about recording flows (spec/newer-dialect.md sections 5.3 and 10).

#include "culvert/portal/control_plane.h"

namespace culvert::portal {
namespace {

/// Any will do where nothing is uploaded, as long as it is one.
constexpr std::string_view kNoApiUrl = "https://flow-logs.invalid/";

}  // namespace

/// Later devices do not understand an `init` that has none. An interval of 0 says that they shall not upload.
portal_api::FlowLogSettings ControlPlane::flow_log_settings() const {
    const auto& logging = directory_.account.flow_logging;
    if (!logging.is_on) {
        return {.api_url = std::string{kNoApiUrl}, .upload_interval_secs = 0, .upload_batch_size = 0};
    }
    return {.api_url = logging.api_url,
            .upload_interval_secs = static_cast<std::uint32_t>(logging.upload_interval.count()),
            .upload_batch_size = logging.upload_batch_size};
}

const portal_api::IngestKey& ControlPlane::ingest_key() {
    if (!ingest_key_) {
        ingest_key_ = storage_.ingest_key(rng_);
    }
    return *ingest_key_;
}

/// Also where nothing is recorded: later devices drop an authorization which has none.
std::string ControlPlane::ingest_token(const FlowEnds& ends, portal_api::FlowRole role, UnixSeconds wall_now) {
    auto claims = ingest_claims(ends, directory_, wall_now);
    claims.role = role;
    return portal_api::sign_ingest_token(claims, ingest_key());
}

}  // namespace culvert::portal
