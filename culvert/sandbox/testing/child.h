#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace culvert::sandbox::testing {

/// How a child process ended.
struct Ending {
    int status;

    [[nodiscard]] bool exited_with(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
    [[nodiscard]] bool was_killed_by(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
};

/// Runs `work` in a child process, because what it gives up is gone for good; its result is the exit code.
template <typename Work>
Ending in_child(Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
        // Neither tests nor checks at exit belong to the child.
        ::_exit(work());
    }
    Ending ending{-1};
    EXPECT_EQ(::waitpid(child, &ending.status, 0), child);
    return ending;
}

inline bool is_root() {
    return ::geteuid() == 0;
}

}  // namespace culvert::sandbox::testing
