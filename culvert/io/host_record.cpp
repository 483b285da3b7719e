#include "culvert/io/host_record.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <system_error>

#include "culvert/observability/log.h"

// Newer than some headers: Linux 5.14.
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

constexpr std::size_t kMaxSize = 256 * 1024;

std::string boot_id() {
    std::ifstream file{"/proc/sys/kernel/random/boot_id"};
    std::string line;
    std::getline(file, line);
    return line;
}

/// What no other network namespace has had since boot; the number of an inode, which is used again, on old kernels.
std::string namespace_id() {
    const FileDescriptor socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    std::uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0) {
        return std::to_string(cookie);
    }
    struct stat status{};
    return ::stat("/proc/thread-self/ns/net", &status) == 0 ? "i" + std::to_string(status.st_ino) : "unknown";
}

}  // namespace

HostRecord HostRecord::open(const std::filesystem::path& folder) {
    HostRecord record;
    ::mkdir(folder.c_str(), 0755);
    const auto path = folder / ("host-" + boot_id() + '-' + namespace_id());
    record.file_ = FileDescriptor{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!record.file_) {
        kLog.debug("Cannot note in a file what is changed on this host", log::field("path", path.string()),
                   log::field("error", std::string{std::strerror(errno)}));
    }
    return record;
}

std::vector<SysctlChange> HostRecord::load() const {
    std::vector<SysctlChange> changes;
    std::string text(kMaxSize, '\0');
    const auto length = ::pread(file_.get(), text.data(), text.size(), 0);
    text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    for (std::size_t start = 0; start < text.size();) {
        const auto end = text.find('\n', start);
        if (end == std::string::npos) {
            break;  // not written completely
        }
        if (auto change = parse_change(std::string_view{text}.substr(start, end - start))) {
            changes.push_back(std::move(*change));
        }
        start = end + 1;
    }
    return changes;
}

void HostRecord::store(const std::vector<SysctlChange>& changes) {
    std::string text;
    for (const auto& change : changes) {
        text += to_text(change) + '\n';
    }
    if (!file_) {
        return;
    }
    const auto written = ::pwrite(file_.get(), text.data(), text.size(), 0);
    if (::ftruncate(file_.get(), written > 0 ? written : 0) != 0 || written != static_cast<ssize_t>(text.size())) {
        kLog.warn("Could not note what is changed on this host; after a crash, kernel settings stay as they are",
                  log::field("error", std::string{std::strerror(errno)}));
    }
}

}  // namespace culvert::io
