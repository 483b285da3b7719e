#include "culvert/resolver/resolver.h"

#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/dns/address_ranges.h"

namespace culvert::resolver {

Resolver::Resolver(boost::asio::io_context& context, Options options, QueryObserver observer)
    : observer_{std::move(observer)},
      host_{context, options.mark, observer_},
      doh_{context, {.mark = options.mark, .https_port = options.https_port, .dns_port = options.dns_port}, observer_},
      names_{context, {.mark = options.mark, .port = options.dns_port}} {}

void Resolver::set_system_resolvers(std::vector<net::IpAddress> servers) {
    std::erase_if(servers, dns::is_sentinel_address);
    doh_.set_name_servers(std::move(servers));
}

void Resolver::ask(const dns::Ask& ask) {
    std::visit(overloaded{[&](const dns::ViaHost& host) { host_.ask(ask.id, host.server, ask.transport, ask.message); },
                          [&](const dns::DohServer& server) { doh_.ask(ask.id, server, ask.message); },
                          [&](const dns::ViaTunnel&) { observer_.on_failure(ask.id); }},
               ask.route);
}

void Resolver::stop(const dns::StopAsking& stop) {
    host_.stop(stop.id);
    doh_.stop(stop.id);
}

}  // namespace culvert::resolver
