#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "culvert/dns/name.h"
#include "culvert/resolver/address_look_up.h"

namespace culvert::resolver {

/// Finds the addresses of names as the host itself would: by its hosts file, its search list and its name servers
/// (spec/dns.md section 10.1). For gateways. Remembers nothing. Everything happens on the thread that runs the context.
class HostNames {
public:
    struct Options {
        SocketMark mark;
        // For tests, as those of AddressLookUp.
        std::uint16_t port = 53;
        std::string resolv_conf = "/etc/resolv.conf";
    };

    HostNames(boost::asio::io_context& context, Options options) : context_{context}, options_{std::move(options)} {}

    /// The handler may be called before this returns: too many names are being looked up, or the hosts file knows it.
    /// What is no host name (host_name_of()) has no addresses.
    void look_up(const dns::Name& name, AddressLookUp::Handler handler);

    /// Names that are being looked up.
    [[nodiscard]] std::size_t size() const { return look_ups_.size(); }

private:
    boost::asio::io_context& context_;
    Options options_;
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, std::unique_ptr<AddressLookUp>> look_ups_;
};

/// The name as libraries take it. nullopt for what is none of a host: other characters than letters, digits, hyphens
/// and underscores, which need escapes; what ends in a number (RFC 1123 section 2.1), which those libraries take for an
/// address, so that whoever may choose names could choose addresses; and names of this host itself (RFC 6761 section
/// 6.3).
[[nodiscard]] std::optional<std::string> host_name_of(const dns::Name& name);

}  // namespace culvert::resolver
