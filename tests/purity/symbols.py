"""Which functions of the operating system a static library uses: what its object files leave undefined."""

import re
import subprocess

# Names of functions whose results, or whose effects, do not follow from their arguments.
HIDDEN_INPUTS = {
    "clock": r"clock|clock_gettime|clock_getres|ftime|gettimeofday|time|times|timespec_get|localtime(_r)?|mktime|"
             r"timerfd_\w+|alarm|(nano|u)?sleep|clock_nanosleep|std::chrono::.*_clock::now\(\)|std::this_thread::.*",
    "random numbers": r"arc4random\w*|[dejlmn]rand48|getentropy|getrandom|s?rand(om)?(_r)?|std::random_device::.*|RAND_\w+|"
                      r"BN_\w*rand\w*|EVP_PKEY_(keygen|generate|Q_keygen)|EVP_RAND_\w+|randombytes\w*",
    "network": r"socket(pair)?|bind|listen|accept4?|connect|shutdown|[gs]etsockopt|get(sock|peer)name|(send|recv)(m?msg)?|"
               r"sendto|recvfrom|getaddrinfo|getnameinfo|gethostby\w+|getifaddrs|if_nametoindex",
    "files": r"(f|fd|fre)?open(at)?(64)?|creat(64)?|p?(read|write)v?(2|64)?|ioctl|v?dprintf|unlink(at)?|rename|mkdir|"
             r"readlink|opendir|f?stat(64)?|std::.*basic_(i|o)?f(ile|stream)\w*.*|std::.*basic_filebuf.*|"
             r"std::filesystem::.*|std::c(in|out|err|log)",
    "waiting": r"p?poll|p?select|epoll_\w+|eventfd(_\w+)?|signalfd|pipe2?",
    "threads and processes": r"pthread_create|thrd_create|std::thread::_M_start_thread.*|v?fork|exec[lv]p?e?|"
                             r"posix_spawnp?|system|kill|getpid|gettid",
    "environment": r"(secure_)?getenv|(un)?setenv|putenv|environ|gethostname|uname|sysconf|setlocale|getauxval",
}
_PATTERNS = {kind: re.compile(f"(?:{pattern})(?:@.*)?") for kind, pattern in HIDDEN_INPUTS.items()}


def kind_of(symbol):
    """The kind of hidden input that a demangled symbol is; None for those that are harmless."""
    for kind, pattern in _PATTERNS.items():
        if pattern.fullmatch(symbol):
            return kind
    return None


def hidden_inputs(archive):
    """(object file, symbol, kind) of each hidden input that an archive, or a single object file, asks the linker for."""
    listing = subprocess.run(["nm", "--demangle", "--undefined-only", archive], check=True, capture_output=True, text=True)
    member = str(archive)
    found = []
    for line in listing.stdout.splitlines():
        if line.endswith(".o:"):
            member = line.removesuffix(":")
        elif match := re.fullmatch(r"\s+[Uw] (.*)", line):
            if kind := kind_of(match[1]):
                found.append((member, match[1], kind))
    return found
