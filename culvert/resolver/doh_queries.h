#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/dns/stub_io.h"
#include "culvert/dns/upstream.h"
#include "culvert/net/ip_address.h"
#include "culvert/resolver/address_look_up.h"
#include "culvert/resolver/https_transfers.h"
#include "culvert/resolver/query_observer.h"

namespace culvert::resolver {

/// Asks resolvers over HTTPS (RFC 8484; spec/dns.md section 14.2). The address of such a server is asked of the host's
/// own name servers, past the stub that the host may have been told to use. Everything happens on the thread that runs
/// the context.
class DohQueries {
public:
    struct Options {
        SocketMark mark;
        /// For tests: the only port of servers, and that of the name servers that know them.
        std::uint16_t https_port;
        std::uint16_t dns_port;
    };

    DohQueries(boost::asio::io_context& context, Options options, QueryObserver observer);

    /// Who knows the addresses of servers that are named.
    void set_name_servers(std::vector<net::IpAddress> servers);

    /// `message` has the id 0. Too many open queries, or a URL that is not of the accepted form, is a failure at once.
    void ask(dns::AskId id, const dns::DohServer& server, ByteSpan message);
    /// Nobody is told of it any more.
    void stop(dns::AskId id);

    /// The host is on another network: connections and addresses are those of before. What is open fails.
    void handle_network_change();

    /// Queries that are open.
    [[nodiscard]] std::size_t size() const { return queries_.size(); }

private:
    /// What is known of a server with a name.
    struct Server {
        std::vector<net::IpAddress> addresses;
        Instant known_until;
        std::unique_ptr<AddressLookUp> look_up;
    };
    struct Query {
        dns::DohServer server;
        std::string host;
        bool has_named_host = false;
        std::string url;  // with the message
        std::optional<HttpsTransfers::Id> transfer;
    };
    using Entry = std::map<dns::AskId, Query>::iterator;

    /// Somebody has to know, but once is enough until it works again.
    void note_failure(const std::string& host, const std::string& error);

    void start(Entry entry);
    void send(Entry entry, const std::vector<net::IpAddress>& addresses);
    [[nodiscard]] bool make_room();
    void look_up(const std::string& host);
    void handle_addresses(const std::string& host, std::optional<AddressLookUp::Found> found);
    void handle_result(dns::AskId id, std::expected<HttpsTransfers::Response, HttpsTransfers::Error> result);
    void fail(dns::AskId id);

    boost::asio::io_context& context_;
    Options options_;
    QueryObserver observer_;
    std::vector<net::IpAddress> name_servers_;
    std::map<std::string, Server> servers_;
    std::set<std::string> failing_;  // by host
    std::map<dns::AskId, Query> queries_;
    HttpsTransfers transfers_;
};

struct DohUrl {
    std::string host;  // in lower case
    std::optional<net::IpAddress> address;

    friend bool operator==(const DohUrl&, const DohUrl&) = default;
};
/// nullopt unless it is of the accepted form: https, a host, this port (443 if none is
/// named), no user, query or fragment.
[[nodiscard]] std::optional<DohUrl> parse_doh_url(const std::string& url, std::uint16_t port);

}  // namespace culvert::resolver
