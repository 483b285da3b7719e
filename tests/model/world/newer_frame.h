#pragma once

#include <string>
#include <string_view>

#include "culvert/base/rng.h"

namespace culvert::model {

/// A frame of the portal's protocol as a later generation might send it: with members that nobody knows in objects
/// anywhere, and a resource of unknown type in a client's `init`. Devices and portal understand it as if nothing had
/// been added (PRO-2; spec/portal-protocol.md section 5). Empty objects stay empty: those of replies and `phx_close`
/// are compared as a whole (section 3.3).
[[nodiscard]] std::string make_newer(std::string_view frame, Rng& rng);

}  // namespace culvert::model
