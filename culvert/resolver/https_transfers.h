#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/net/ip_address.h"
#include "culvert/resolver/curl_multi.h"
#include "culvert/resolver/descriptor_set.h"
#include "culvert/resolver/socket_mark.h"
#include "culvert/resolver/timer.h"

namespace culvert::resolver {

/// Fetches small things over HTTPS with libcurl, over connections that are kept, by the rules of CurlRequest.
/// Everything happens on the thread that runs the context.
class HttpsTransfers {
public:
    struct Request {
        std::string url;
        std::string accept;
        /// Of the server in `url`, unless its host is an address.
        std::string host;
        std::uint16_t port = 443;
        std::vector<net::IpAddress> addresses;
        /// A longer answer is an error.
        std::size_t max_body = 0;
    };
    struct Response {
        long status = 0;
        std::string content_type;
        Bytes body;
    };
    struct Error {
        std::string text;
        /// There was no connection, so that it may be another address that works.
        bool is_unreachable = false;
    };
    using Id = std::uint64_t;
    /// May start and cancel transfers. Must not destroy this object.
    using Handler = std::function<void(std::expected<Response, Error>)>;

    HttpsTransfers(boost::asio::io_context& context, SocketMark mark);
    ~HttpsTransfers();
    HttpsTransfers(const HttpsTransfers&) = delete;
    HttpsTransfers& operator=(const HttpsTransfers&) = delete;

    /// The handler is called later. nullopt: out of memory.
    std::optional<Id> get(const Request& request, Handler handler);
    /// Its handler is not called any more.
    void cancel(Id id);
    /// What is under way fails, and what comes next is asked over new connections: the network is another one.
    void drop_connections();

private:
    class Transfer;

    void open_multi();
    void act(int fd, int events);
    void deliver_finished();

    SocketMark mark_;
    DescriptorSet descriptors_;
    Timer timer_;
    CurlMulti multi_;
    Id next_ = 0;
    std::map<Id, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace culvert::resolver
