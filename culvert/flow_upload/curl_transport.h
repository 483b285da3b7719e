#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "culvert/flow_upload/transport.h"
#include "culvert/net/ip_address.h"
#include "culvert/resolver/curl_multi.h"
#include "culvert/resolver/socket_mark.h"

namespace culvert::flow_upload {

/// Posts over HTTP with libcurl, by the rules of resolver::CurlRequest. Blocks the thread that calls, but never for
/// longer than kAttention without calling `attend`.
class CurlTransport final : public Transport {
public:
    struct Options {
        resolver::SocketMark mark;
        /// Addresses of a host; none: unknown. Called on the same thread.
        std::function<std::vector<net::IpAddress>(const std::string& host)> look_up;
        /// Does what else there is to do. False: the program ends.
        std::function<bool()> attend;
    };

    explicit CurlTransport(Options options);

    [[nodiscard]] std::optional<Answer> post(const Destination& to, const std::string& token,
                                             const std::string& body) override;
    [[nodiscard]] bool pause(Duration duration) override;

    /// pause() and post() look around at once. From any thread.
    void wake();

private:
    class Request;

    Options options_;
    resolver::CurlMulti multi_;
};

}  // namespace culvert::flow_upload
