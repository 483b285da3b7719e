#pragma once

namespace culvert::sandbox {

/// Keeps this process's memory, with the secrets in it, to itself: no core dump, and no debugger or reader of
/// /proc/PID/mem that is not root. Call it first in main(), before a secret is read; a change of user undoes the half
/// of it that drop_privileges() therefore does again.
void forbid_core_dumps();

}  // namespace culvert::sandbox
