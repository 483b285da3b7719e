#include "culvert/portal_link/portal_host.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <boost/asio/post.hpp>

#include "culvert/observability/log.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::portal_link {
namespace {

namespace asio = boost::asio;

constexpr log::Logger kLog{"portal_channel"};

/// RFC 6761 section 6.3.
bool is_this_host(std::string_view name) {
    return name == "localhost" || name.ends_with(".localhost");
}

/// Portals of several addresses share their load.
void shuffle(std::vector<net::IpAddress>& addresses, Rng& rng) {
    for (std::size_t left = addresses.size(); left > 1; --left) {
        std::swap(addresses[left - 1], addresses[rng.below(left)]);
    }
}

asio::ip::tcp::endpoint to_endpoint(const net::IpAddress& address, std::uint16_t port) {
    return {asio::ip::make_address(address.to_string()), port};
}

}  // namespace

std::vector<net::IpAddress> interleaved(const std::vector<net::IpAddress>& addresses) {
    std::vector<net::IpAddress> ipv6;
    std::vector<net::IpAddress> ipv4;
    for (const auto& address : addresses) {
        (address.is_v4() ? ipv4 : ipv6).push_back(address);
    }
    std::vector<net::IpAddress> mixed;
    for (std::size_t i = 0; i < std::max(ipv6.size(), ipv4.size()); ++i) {
        for (const auto* family : {&ipv6, &ipv4}) {
            if (i < family->size()) {
                mixed.push_back((*family)[i]);
            }
        }
    }
    return mixed;
}

PortalHost::PortalHost(asio::io_context& context, Options options) : context_{context}, options_{std::move(options)} {}

void PortalHost::set_name_servers(std::vector<net::IpAddress> servers) {
    name_servers_ = std::move(servers);
}

void PortalHost::find(Handler handler) {
    cancel();
    if (const auto literal = net::IpAddress::parse(options_.host)) {
        return report({*literal}, std::move(handler));
    }
    if (is_this_host(options_.host)) {
        return report({*net::IpAddress::parse("::1"), *net::IpAddress::parse("127.0.0.1")}, std::move(handler));
    }
    look_up_ = std::make_unique<resolver::AddressLookUp>(
        context_,
        resolver::AddressLookUp::Options{.servers = name_servers_.empty() ? std::nullopt : std::optional{name_servers_},
                                         .mark = options_.mark,
                                         .limit = portal_channel::kLookUpTime,
                                         .uses_hosts_file = true,
                                         .patience = portal_channel::kOtherFamilyWait,
                                         .port = options_.dns_port,
                                         .resolv_conf = options_.resolv_conf},
        [this, handler = std::move(handler)](std::optional<resolver::AddressLookUp::Found> found) mutable {
            report(found ? std::move(found->addresses) : std::vector<net::IpAddress>{}, std::move(handler));
        });
    look_up_->start(options_.host);
}

void PortalHost::cancel() {
    pending_.reset();
    look_up_.reset();
}

/// The look-up may be what calls, so it stays for now.
void PortalHost::report(std::vector<net::IpAddress> found, Handler handler) {
    if (found.empty()) {
        kLog.debug("Nobody knows the portal's name now", log::field("known_addresses", addresses_.size()));
    } else {
        shuffle(found, options_.rng);
        addresses_ = interleaved(found);
    }
    std::vector<asio::ip::tcp::endpoint> endpoints;
    for (const auto& address : addresses_) {
        if (endpoints.size() < portal_channel::kMaxDialledAddresses) {
            endpoints.push_back(to_endpoint(address, options_.port));
        }
    }
    pending_ = std::make_shared<bool>(true);
    asio::post(context_, [weak = std::weak_ptr{pending_}, endpoints = std::move(endpoints),
                          handler = std::move(handler)]() mutable {
        if (const auto pending = weak.lock()) {
            handler(std::move(endpoints));
        }
    });
}

}  // namespace culvert::portal_link
