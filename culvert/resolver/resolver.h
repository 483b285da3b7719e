#pragma once

#include <cstdint>
#include <vector>

#include "culvert/dns/name.h"
#include "culvert/dns/stub_io.h"
#include "culvert/net/ip_address.h"
#include "culvert/resolver/constants.h"
#include "culvert/resolver/doh_queries.h"
#include "culvert/resolver/host_names.h"
#include "culvert/resolver/host_queries.h"
#include "culvert/resolver/query_observer.h"
#include "culvert/resolver/socket_mark.h"

namespace culvert::resolver {

/// What a control thread does on the host's network for the names of its data path: queries of a stub or site resolver,
/// and the addresses of names that a gateway serves. Past the tunnel, and past the stub that the host may have been
/// told to use.
///
/// Everything happens on the thread that runs the context, which must outlive the resolver; SIGPIPE must be ignored.
/// Not to be destroyed from within what it calls.
class Resolver {
public:
    struct Options {
        SocketMark mark;
        // For tests.
        std::uint16_t https_port = kDohPort;
        std::uint16_t dns_port = 53;
    };

    Resolver(boost::asio::io_context& context, Options options, QueryObserver observer);

    /// The host's own name servers. Sentinels among them are left out.
    void set_system_resolvers(std::vector<net::IpAddress> servers);

    /// A query that goes through the tunnel is none of ours: a failure.
    void ask(const dns::Ask& ask);
    void stop(const dns::StopAsking& stop);

    /// For gateways: as HostNames::look_up().
    void look_up(const dns::Name& name, AddressLookUp::Handler handler) { names_.look_up(name, std::move(handler)); }

    /// The host is on another network.
    void handle_network_change() { doh_.handle_network_change(); }

private:
    QueryObserver observer_;
    HostQueries host_;
    DohQueries doh_;
    HostNames names_;
};

}  // namespace culvert::resolver
