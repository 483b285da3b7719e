#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <string>

#include "culvert/io/file_descriptor.h"
#include "culvert/os_dns/method.h"

namespace culvert::os_dns {

struct KeeperOptions {
    DnsMethod method = DnsMethod::kSystemdResolved;
    unsigned interface_index = 0;
    bool is_sandboxed = true;
    /// For tests.
    std::filesystem::path root = "/";
};

/// Starts the keeper: a process that controls the machine's DNS for a client, so that the client need not. It goes on
/// being who it is now, while the client becomes somebody without privileges, and can do nothing with them but the
/// requests of keeper_messages.h: nobody who takes the client over gains the right to write files or to talk to D-Bus.
/// It outlives a client that is killed, and puts everything back then.
///
/// Returns the client's end of the line, a SOCK_SEQPACKET; when it is closed, the keeper puts everything back and ends.
/// Call it before there is a second thread.
[[nodiscard]] std::expected<io::FileDescriptor, std::string> start_keeper(const KeeperOptions& options);

}  // namespace culvert::os_dns
