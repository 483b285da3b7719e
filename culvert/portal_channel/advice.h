#pragma once

#include <string>
#include <string_view>

#include "culvert/portal_api/role.h"

/// What a person can do about a portal that does not want a device: one or two sentences, without a full stop at the
/// end of the last. Source of what each status means: spec/portal-protocol.md section 2.4, spec/newer-dialect.md
/// section 3.1.
namespace culvert::portal_channel {

/// Whether a 401 with that code says that the token is no good, now and later. Without it only the portal's present
/// state may be to blame, and what is stored of a sign-in stays.
[[nodiscard]] bool is_dead_token(std::string_view code);

/// After an HTTP status other than 101. Empty: nothing but to wait, as after what ends by itself.
[[nodiscard]] std::string advice_on_refusal(unsigned status, std::string_view code, portal_api::Role role);

/// After the token was found to be no good.
[[nodiscard]] std::string advice_on_token(portal_api::Role role);

/// After another machine was found to use this device's identity.
[[nodiscard]] std::string advice_on_identity();

/// After nobody knew the portal's host.
[[nodiscard]] std::string advice_on_unknown_host();

/// After the portal could not prove who it is.
[[nodiscard]] std::string advice_on_certificate();

}  // namespace culvert::portal_channel
