#include "culvert/sandbox/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>

#include "culvert/sandbox/core_dumps.h"

namespace culvert::sandbox {
namespace {

/// The kernel's sets have so many bits.
constexpr int kMostCapabilities = 64;
constexpr auto kUsable = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);

/// Those of `wanted` that this thread has.
Capabilities held(const Capabilities& wanted) {
    Capabilities found;
    capng_get_caps_process();
    std::ranges::copy_if(wanted, std::back_inserter(found), [](int capability) {
        return capng_have_capability(CAPNG_PERMITTED, static_cast<unsigned>(capability)) != 0;
    });
    return found;
}

/// Whether this user namespace has that id.
bool is_mapped(const char* map, id_t id) {
    std::ifstream ranges{map};
    std::uint64_t first = 0;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    while (ranges >> first >> outside >> count) {
        if (id >= first && id - first < count) {
            return true;
        }
    }
    return false;
}

std::string because_of_errno() {
    return errno == 0 ? std::string{} : std::string{" ("} + std::strerror(errno) + ")";
}

std::expected<void, std::string> become(const Identity& identity) {
    errno = 0;
    const auto flags = static_cast<capng_flags_t>(CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
    const int result = capng_change_id(static_cast<int>(identity.uid), static_cast<int>(identity.gid), flags);
    if (result != 0) {
        return std::unexpected{"cannot become the user " + identity.name + because_of_errno() +
                               ". Start the program as that user, or name another with --user; a container needs "
                               "CAP_SETUID, CAP_SETGID and CAP_SETPCAP, and that id in its user namespace."};
    }
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    if (::getresuid(&real, &effective, &saved) != 0 || real != identity.uid || effective != identity.uid ||
        saved != identity.uid || ::getegid() != identity.gid) {
        return std::unexpected{"the kernel did not make this process the user " + identity.name + "."};
    }
    return {};
}

}  // namespace

std::expected<void, std::string> drop_privileges(const std::optional<Identity>& identity, const Capabilities& keep) {
    const auto kept = held(keep);
    capng_clear(CAPNG_SELECT_ALL);
    for (const auto capability : kept) {
        capng_update(CAPNG_ADD, kUsable, static_cast<unsigned>(capability));
    }
    if (identity) {
        if (auto became = become(*identity); !became) {
            return became;
        }
        forbid_core_dumps();
    } else {
        // The bounding set stays if CAP_SETPCAP is missing. Then nothing is lost: see no_new_privs below.
        capng_apply(CAPNG_SELECT_BOUNDS);
        if (capng_apply(CAPNG_SELECT_CAPS) != 0) {
            return std::unexpected{"cannot give up capabilities" + because_of_errno() + "."};
        }
        capng_apply(CAPNG_SELECT_AMBIENT);
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return std::unexpected{"cannot give up new privileges" + because_of_errno() + "."};
    }
    if (has_more_than(kept)) {
        return std::unexpected{std::string{"some capabilities are left that should have been given up."}};
    }
    return {};
}

bool can_become(const Identity& identity) {
    return held({CAP_SETUID, CAP_SETGID, CAP_SETPCAP}).size() == 3 && is_mapped("/proc/self/uid_map", identity.uid) &&
           is_mapped("/proc/self/gid_map", identity.gid);
}

bool has_more_than(const Capabilities& allowed) {
    capng_get_caps_process();
    for (int capability = 0; capability < kMostCapabilities; ++capability) {
        const auto has = [&](capng_type_t set) {
            return capng_have_capability(set, static_cast<unsigned>(capability)) != 0;
        };
        if (std::ranges::find(allowed, capability) == allowed.end() &&
            (has(CAPNG_EFFECTIVE) || has(CAPNG_PERMITTED) || has(CAPNG_AMBIENT))) {
            return true;
        }
    }
    return false;
}

}  // namespace culvert::sandbox
