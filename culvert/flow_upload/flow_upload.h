#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"
#include "culvert/portal_api/messages.h"
#include "culvert/resolver/socket_mark.h"
#include "culvert/tunnel/flow_tracker.h"

namespace culvert::flow_upload {

/// What a device does with records of its flows: keeps them on disk and uploads them to where the portal says, on a
/// thread of its own that nothing else waits for. Source: spec/newer-dialect.md section 11.
///
/// What finds no room, in memory or on disk, is counted, and one line says how much was lost.
class FlowUpload {
public:
    struct Options {
        /// Where records wait. Its parent must exist.
        std::filesystem::path folder;
        resolver::SocketMark mark;
        /// Whether the portal may name a URL without TLS: if the connection to it has none either.
        bool allows_plain_text = false;
        /// Of the portal, whose addresses set_portal_addresses() tells.
        std::string portal_host;
        /// Whom to ask for other hosts; unset: as this host is configured.
        std::optional<std::vector<net::IpAddress>> name_servers;
    };

    /// Goes on with what an earlier run left.
    explicit FlowUpload(Options options);
    /// Writes down what was added, and ends.
    ~FlowUpload();
    FlowUpload(const FlowUpload&) = delete;
    FlowUpload& operator=(const FlowUpload&) = delete;

    // Called by one other thread; never wait.

    /// What the portal says (again): where to, and how often. Without it, or with an interval of 0, nothing is
    /// recorded.
    void configure(const std::optional<portal_api::FlowLogSettings>& settings);
    void add(tunnel::FlowsTracked tracked, Instant now, WallTime wall_now);
    void set_name_servers(std::vector<net::IpAddress> servers);
    void set_portal_addresses(std::vector<net::IpAddress> addresses);

private:
    class Worker;
    std::unique_ptr<Worker> worker_;
};

}  // namespace culvert::flow_upload
