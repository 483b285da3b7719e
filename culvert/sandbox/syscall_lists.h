#pragma once

#include <array>

/// System calls by name, because not each exists on each architecture.
namespace culvert::sandbox {

// clang-format off

/// What every program of ours needs while it runs: memory, threads, time, waiting, descriptors, reading files, sockets.
/// Found by running the end-to-end tests with a filter that logs.
inline constexpr std::array kAllowed = {
    // memory (mmap and mprotect: only without PROT_EXEC together with PROT_WRITE)
    "brk", "munmap", "mremap", "madvise", "membarrier", "get_mempolicy",
    // threads (clone: only threads) and their end
    "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "futex", "futex_waitv", "sched_yield",
    "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max",
    "sched_get_priority_min", "getcpu", "exit", "exit_group", "restart_syscall",
    // signals
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending", "rt_sigsuspend",
    "sigaltstack", "tgkill", "tkill",
    // who and where am I
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
    "getpgrp", "capget", "uname", "sysinfo", "getrlimit", "ugetrlimit", "setrlimit", "prlimit64", "getrusage", "times",
    // time and random numbers
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom",
    // waiting
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select",
    "_newselect", "pselect6", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd4", "pipe",
    "pipe2",
    // descriptors
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2", "close",
    "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "lseek", "_llseek", "flock",
    // files
    "open", "openat", "openat2", "stat", "fstat", "lstat", "newfstatat", "fstatat64", "statx", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "statfs", "fstatfs", "umask", "fadvise64",
    "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    // sockets (socket: only Internet and Unix ones, and netlink)
    "socketpair", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "shutdown", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
};

/// For programs that keep files.
inline constexpr std::array kFileChanges = {
    "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "fchmod", "fchmodat", "fchown",
    "ftruncate", "ftruncate64", "fallocate", "fsync", "fdatasync", "sync_file_range", "utimensat",
};

/// No program of ours ever does these, and whoever broke into one would want them.
inline constexpr std::array kDeadly = {
    // other programs, other processes
    "execve", "execveat", "uselib", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd",
    // the kernel itself
    "bpf", "perf_event_open", "userfaultfd", "kexec_load", "kexec_file_load", "init_module", "finit_module",
    "delete_module", "reboot", "iopl", "ioperm", "modify_ldt", "acct", "swapon", "swapoff", "quotactl", "nfsservctl",
    "lookup_dcookie", "vhangup", "syslog", "settimeofday", "clock_settime", "clock_settime64", "sethostname",
    "setdomainname",
    // other views of the system
    "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
    "pivot_root", "chroot", "unshare", "setns", "open_by_handle_at",
    // the kernel's keys
    "keyctl", "add_key", "request_key",
};

// clang-format on

}  // namespace culvert::sandbox
