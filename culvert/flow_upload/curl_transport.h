#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/flow_upload/transport.h"
#include "culvert/net/ip_address.h"
#include "culvert/resolver/socket_mark.h"

namespace culvert::flow_upload {

/// Posts over HTTP with libcurl, HTTP/2 where the server can. A server must prove who it is to the system's certificate
/// authorities (OpenSSL's, with SSL_CERT_FILE and SSL_CERT_DIR). No proxies, no cookies. Blocks the thread that calls,
/// which must ignore SIGPIPE, but never for longer than kAttention without calling `attend`.
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
    ~CurlTransport() override;

    [[nodiscard]] std::optional<Answer> post(const Destination& to, const std::string& token,
                                             const std::string& body) override;
    [[nodiscard]] bool pause(Duration duration) override;

    /// pause() and post() look around at once. From any thread.
    void wake();

private:
    class Request;
    struct CloseMulti {
        void operator()(void* multi) const;
    };

    Options options_;
    std::unique_ptr<void, CloseMulti> multi_;
};

}  // namespace culvert::flow_upload
