#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"
#include "culvert/net/ip_address.h"
#include "culvert/portal_api/url.h"
#include "culvert/portal_channel/constants.h"
#include "culvert/portal_channel/event.h"

namespace boost::asio {
class io_context;
}

namespace culvert::portal_link {

struct ConnectionOptions {
    portal_api::Role role = portal_api::Role::kClient;
    portal_api::LoginUrl url;
    std::string user_agent;
    /// Relays only: proves knowledge of the secret behind their TURN credentials.
    std::optional<std::string> stamp_secret;
    /// For how long to wait for the portal, in all, before giving up; unset: for ever. A device that was never joined
    /// gives up after 16 attempts.
    std::optional<Duration> max_partition_time;
    /// SO_MARK of the socket. Needs CAP_NET_ADMIN; clients and gateways set io::kSocketMark.
    std::optional<std::uint32_t> socket_mark;
    /// A PEM file with the certificate authorities to trust; unset: the system's store.
    std::optional<std::string> ca_file;
    /// For TCP, TLS and the upgrade together.
    Duration dial_timeout = portal_channel::kDialTimeout;
    /// For the jitter of delays, and the order of addresses.
    Rng rng = Rng::from_number(0);
    /// Called with the portal's addresses whenever they have been looked up, on the thread that runs the connection.
    std::function<void(const std::vector<net::IpAddress>&)> on_addresses;
    // For tests: of name servers, and where it stands which the host has.
    std::uint16_t dns_port = 53;
    std::string resolv_conf = "/etc/resolv.conf";
};

/// A device's connection to the portal: keeps one WebSocket open, joins the role's channel and reconnects by itself.
///
/// It asks the portal for the newer dialect first, and speaks the older one with those that do not have it. The
/// portal's host is looked up anew for each attempt, past the tunnel and without waiting, and of its addresses the
/// first that answers is used.
///
/// Source: spec/portal-protocol.md sections 2 to 4, spec/newer-dialect.md sections 2 to 4. All functions may be called
/// from any thread; they only queue work. Events are delivered one at a time, in order, on the thread that runs the
/// connection. After Closed or Fatal nothing more is delivered. A connection that is destroyed drops its socket without
/// ceremony; use close() to part properly.
class PortalConnection {
public:
    using EventHandler = std::function<void(portal_channel::Event)>;

    /// Nothing happens on the network before connect(). The error is a sentence. Runs on a thread of its own.
    [[nodiscard]] static std::expected<std::unique_ptr<PortalConnection>, std::string> create(ConnectionOptions options,
                                                                                              EventHandler on_event);
    /// The same, run by whoever runs `context`, by a single thread. The connection must be destroyed by that thread, or
    /// after it stopped.
    [[nodiscard]] static std::expected<std::unique_ptr<PortalConnection>, std::string> create(
        ConnectionOptions options, EventHandler on_event, boost::asio::io_context& context);

    ~PortalConnection();
    PortalConnection(const PortalConnection&) = delete;
    PortalConnection& operator=(const PortalConnection&) = delete;

    /// Connects, or reconnects if connected already: that yields a fresh `init`. While a connection with the same key
    /// is being made this does nothing. Relays have no key.
    void connect(const std::optional<crypto::PublicKey>& public_key);

    /// The device's network changed: as connect() with the same key, but also if a connection is being made or waited
    /// for, which in the other network may never come. Does nothing before connect() and after the end.
    void reconnect();

    /// The host has other addresses or routes: the connection is made anew if its packets would leave with another
    /// source address now, or none, and is otherwise left alone. One that is being made or waited for starts anew.
    void handle_network_change();

    /// Sends if joined. Otherwise what is about candidates waits for the next join, and anything else is dropped. While
    /// joined nothing is; if the portal does not take it, the connection is made anew.
    void send(portal_api::FromDevice message);
    /// The connection to that peer has ended, and with it what waits of its candidates.
    void forget_candidates(const Uuid& peer);

    /// Closes the WebSocket properly (bounded to a second), then delivers Closed.
    void close();

    /// Whom to ask for the portal's host, once the host's configuration leads to the tunnel; empty: as it is
    /// configured.
    void set_name_servers(std::vector<net::IpAddress> servers);

private:
    class Runner;
    class Thread;
    explicit PortalConnection(std::shared_ptr<Runner> runner);

    std::unique_ptr<Thread> thread_;  // unset if somebody else runs the connection
    std::shared_ptr<Runner> runner_;
};

}  // namespace culvert::portal_link
