#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "culvert/base/rng.h"
#include "culvert/net/ip_address.h"
#include "culvert/resolver/address_look_up.h"
#include "culvert/resolver/socket_mark.h"

/// Private to portal_link: include it in .cpp files only.
namespace culvert::portal_link {

/// Where the portal is. Its name is looked up anew for each attempt to connect, past the tunnel, since it may have
/// moved; if nobody knows the name, the addresses that were found last still hold. Everything happens on the thread
/// that runs the context, and nothing waits.
class PortalHost {
public:
    struct Options {
        std::string host;  ///< a name, or an IP address
        std::uint16_t port = 0;
        resolver::SocketMark mark;
        Rng rng = Rng::from_number(0);  ///< which of several addresses comes first
        // For tests, as those of AddressLookUp.
        std::uint16_t dns_port = 53;
        std::string resolv_conf = "/etc/resolv.conf";
    };
    /// In the order in which to try them. Empty: nobody knows the name, and never did.
    using Handler = std::function<void(std::vector<boost::asio::ip::tcp::endpoint>)>;

    PortalHost(boost::asio::io_context& context, Options options);
    PortalHost(const PortalHost&) = delete;
    PortalHost& operator=(const PortalHost&) = delete;

    /// Whom to ask for what /etc/hosts does not know; empty: as the host is configured.
    void set_name_servers(std::vector<net::IpAddress> servers);

    /// Calls `handler` once, not before this returns, and not after another find() or cancel().
    void find(Handler handler);
    void cancel();

    /// Those found last.
    [[nodiscard]] const std::vector<net::IpAddress>& addresses() const { return addresses_; }

private:
    void report(std::vector<net::IpAddress> found, Handler handler);

    boost::asio::io_context& context_;
    Options options_;
    std::vector<net::IpAddress> name_servers_;
    std::vector<net::IpAddress> addresses_;
    std::unique_ptr<resolver::AddressLookUp> look_up_;
    /// That of the find() whose handler waits to be called. What has another owner by then is not called.
    std::shared_ptr<bool> pending_;
};

/// In the order of RFC 8305 section 4, without its look at the routing table: IPv6 first, then by turns.
[[nodiscard]] std::vector<net::IpAddress> interleaved(const std::vector<net::IpAddress>& addresses);

}  // namespace culvert::portal_link
