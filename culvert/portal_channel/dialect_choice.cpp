#include "culvert/portal_channel/dialect_choice.h"

#include "culvert/base/snapshot.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {

using portal_api::Dialect;

void DialectChoice::start(Instant now) {
    const bool is_known = newer_missing_at_ && now < *newer_missing_at_ + kAskNewerAgainAfter;
    current_ = is_known || !has_newer_ ? Dialect::kV1 : Dialect::kV2;
}

bool DialectChoice::handle_not_found(Instant now) {
    if (current_ == Dialect::kV2) {
        newer_missing_at_ = now;
        current_ = Dialect::kV1;
        return true;
    }
    newer_missing_at_.reset();
    return false;
}

void DialectChoice::describe(Snapshot& out) const {
    out.field("dialect", current_).field("newer_missing_at", newer_missing_at_);
}

}  // namespace culvert::portal_channel
