#include "culvert/sandbox/core_dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace culvert::sandbox {

void forbid_core_dumps() {
    // Neither can fail: lowering a limit needs no privilege.
    constexpr rlimit kNone{0, 0};
    ::setrlimit(RLIMIT_CORE, &kNone);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace culvert::sandbox
