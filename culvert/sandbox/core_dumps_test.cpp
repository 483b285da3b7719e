#include "culvert/sandbox/core_dumps.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "culvert/sandbox/testing/child.h"

namespace culvert::sandbox {
namespace {

TEST(CoreDumps, AreForbiddenForGood) {
    const auto ending = testing::in_child([] {
        forbid_core_dumps();
        rlimit limit{};
        ::getrlimit(RLIMIT_CORE, &limit);
        return limit.rlim_max == 0 && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 1;
    });

    EXPECT_TRUE(ending.exited_with(0));
}

TEST(CoreDumps, ACrashLeavesNone) {
    const auto ending = testing::in_child([] {
        forbid_core_dumps();
        std::signal(SIGSEGV, SIG_DFL);
        std::raise(SIGSEGV);
        return 0;
    });

    ASSERT_TRUE(ending.was_killed_by(SIGSEGV));
    EXPECT_FALSE(WCOREDUMP(ending.status));
}

}  // namespace
}  // namespace culvert::sandbox
