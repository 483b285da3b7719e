#include "apps/common/process.h"

#include <sys/resource.h>

#include <csignal>
#include <initializer_list>

namespace culvert::command_line {

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

namespace {

void change_mask(int how) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        sigaddset(&signals, number);
    }
    ::pthread_sigmask(how, &signals, nullptr);
}

}  // namespace

void hold_signals() {
    change_mask(SIG_BLOCK);
}

void release_signals() {
    change_mask(SIG_UNBLOCK);
}

}  // namespace culvert::command_line
