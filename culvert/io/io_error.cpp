#include "culvert/io/io_error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

const char* name_of(Operation operation) {
    switch (operation) {
        case Operation::kUdpSend:
            return "UDP send";
        case Operation::kUdpReceive:
            return "UDP receive";
        case Operation::kTunRead:
            return "TUN read";
        case Operation::kTunWrite:
            return "TUN write";
    }
    return "I/O";
}

}  // namespace

std::string IoError::to_string() const {
    return std::string{name_of(operation)} + ": " + std::strerror(error_number);
}

Severity severity_of(const IoError& error) {
    if (error.operation == Operation::kTunRead || error.operation == Operation::kTunWrite) {
        // The interface is down while it is being configured.
        return error.error_number == EIO ? Severity::kExpected : Severity::kUnexpected;
    }
    switch (error.error_number) {
        case EHOSTDOWN:
        case ENETUNREACH:
        case ENETDOWN:
        case EHOSTUNREACH:
        case ECONNREFUSED:
        case EADDRNOTAVAIL:
        case EINVAL:
            return Severity::kExpected;
        case EPERM:
        case EACCES:
            return Severity::kPermission;
        case EMSGSIZE:
            return Severity::kPathTooNarrow;
        default:
            return Severity::kUnexpected;
    }
}

void ErrorBatch::add(IoError error) {
    const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.error == error; });
    if (entry == entries_.end()) {
        entries_.push_back({error, 1});
    } else {
        ++entry->count;
    }
}

void ErrorBatch::report() {
    for (const auto& [error, count] : entries_) {
        switch (severity_of(error)) {
            case Severity::kExpected:
                kLog.debug("Could not pass packets on", log::field("error", error), log::field("count", count));
                break;
            case Severity::kPermission:
                if (!std::exchange(has_hinted_at_firewall_, true)) {
                    kLog.info("The local firewall refuses our packets: allow outgoing UDP for this program",
                              log::field("error", error));
                }
                break;
            case Severity::kPathTooNarrow:
                if (!std::exchange(has_hinted_at_mtu_, true)) {
                    kLog.warn(
                        "Full-size packets do not fit into the network and are lost: raise the MTU of the interface "
                        "that leads there to at least 1364",
                        log::field("error", error));
                } else {
                    kLog.debug("Could not pass packets on", log::field("error", error), log::field("count", count));
                }
                break;
            case Severity::kUnexpected:
                kLog.warn("Could not pass packets on", log::field("error", error), log::field("count", count));
                break;
        }
    }
    entries_.clear();
}

}  // namespace culvert::io
