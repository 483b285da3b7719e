#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "culvert/sandbox/identity.h"

namespace culvert::sandbox {

/// Numbers of <linux/capability.h>: CAP_NET_ADMIN, ...
using Capabilities = std::vector<int>;

/// Becomes `identity` (nullopt: stays who it is) and gives up every capability but those of `keep` that it has, those
/// that a program it might start could get back included. Checks that it worked. The error is for a person.
///
/// Privileges belong to threads: call it before there is a second one.
[[nodiscard]] std::expected<void, std::string> drop_privileges(const std::optional<Identity>& identity,
                                                               const Capabilities& keep);

/// Whether drop_privileges() can make this thread that user: root in a container often cannot.
[[nodiscard]] bool can_become(const Identity& identity);

/// Whether this thread has a capability that is not in `allowed`, or could get one.
[[nodiscard]] bool has_more_than(const Capabilities& allowed);

}  // namespace culvert::sandbox
