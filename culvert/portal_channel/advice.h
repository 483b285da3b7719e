#pragma once

#include <string>
#include <string_view>

#include "culvert/portal_api/role.h"

/// What a person can do about a portal that does not want a device: one or two sentences, without a full stop at the
/// end of the last. Source of what each status means: spec/portal-protocol.md section 2.4, spec/newer-dialect.md
/// section 3.1.
namespace culvert::portal_channel {

/// After an HTTP status in the range of 400 to 499.
[[nodiscard]] std::string advice_on_status(unsigned status, portal_api::Role role);

/// After the token was found to be no good.
[[nodiscard]] std::string advice_on_token(portal_api::Role role);

/// After another machine was found to use this device's identity.
[[nodiscard]] std::string advice_on_identity();

}  // namespace culvert::portal_channel
