#include "culvert/resolver/address_look_up.h"

#include <ares.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <utility>

#include "culvert/io/socket_address.h"
#include "culvert/observability/log.h"
#include "culvert/resolver/constants.h"

namespace culvert::resolver {
namespace {

constexpr log::Logger kLog{"resolver"};

constexpr int kAttemptsPerServer = 2;

ares_addr_port_node to_node(const net::IpAddress& server, std::uint16_t port) {
    ares_addr_port_node node{};
    const auto bytes = server.bytes();
    node.family = server.is_v4() ? AF_INET : AF_INET6;
    std::memcpy(server.is_v4() ? static_cast<void*>(&node.addr.addr4) : &node.addr.addr6, bytes.data(), bytes.size());
    node.udp_port = port;
    node.tcp_port = port;
    return node;
}

bool set_servers(ares_channel channel, const std::vector<net::IpAddress>& servers, std::uint16_t port) {
    std::vector<ares_addr_port_node> nodes;
    for (const auto& server : servers) {
        nodes.push_back(to_node(server, port));
    }
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
        nodes[i].next = &nodes[i + 1];
    }
    return ares_set_servers_ports(channel, nodes.data()) == ARES_SUCCESS;
}

/// In order, each once, and no more than anybody has use for.
void tidy(std::vector<net::IpAddress>& addresses) {
    std::ranges::sort(addresses);
    const auto rest = std::ranges::unique(addresses);
    addresses.erase(rest.begin(), rest.end());
    addresses.resize(std::min(addresses.size(), kMaxAddressesPerFamily));
}

}  // namespace

void AddressLookUp::Destroy::operator()(ares_channeldata* channel) const {
    ares_destroy(channel);
}

AddressLookUp::AddressLookUp(boost::asio::io_context& context, Options options, Handler handler)
    : options_{std::move(options)},
      handler_{std::move(handler)},
      descriptors_{context,
                   [this](int fd, bool is_readable, bool is_writable) {
                       process(is_readable ? fd : ARES_SOCKET_BAD, is_writable ? fd : ARES_SOCKET_BAD);
                   }},
      retry_{context, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }},
      limit_{context, [this] {
                 kLog.debug("Looking up a name took too long");
                 finish(is_impatient_ ? result() : std::nullopt);
             }} {}

AddressLookUp::~AddressLookUp() = default;

void AddressLookUp::start(const std::string& name) {
    if ((options_.servers && options_.servers->empty()) || !open_channel()) {
        kLog.debug("Cannot look up names: no name servers");
        return finish(std::nullopt);
    }
    limit_.set(options_.limit);
    // Sorting would connect sockets of its own to the addresses found.
    ares_addrinfo_hints hints{.ai_flags = ARES_AI_NOSORT, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(channel_.get(), name.c_str(), nullptr, &hints, handle_family, &ipv4_);
    hints.ai_family = AF_INET6;
    ares_getaddrinfo(channel_.get(), name.c_str(), nullptr, &hints, handle_family, &ipv6_);
    follow();
}

bool AddressLookUp::open_channel() {
    ares_options options{};
    options.flags = ARES_FLAG_NOALIASES;
    options.udp_port = options_.port;
    options.tcp_port = options_.port;
    options.resolvconf_path = options_.resolv_conf.data();
    options.sock_state_cb = [](void* self, ares_socket_t fd, int reads, int writes) {
        static_cast<AddressLookUp*>(self)->descriptors_.watch(fd, reads != 0, writes != 0);
    };
    options.sock_state_cb_data = this;
    int given = ARES_OPT_FLAGS | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB;
    char only_servers[] = "b";
    char hosts_file_first[] = "fb";
    if (options_.servers) {
        options.flags |= ARES_FLAG_NOSEARCH;
        options.lookups = options_.uses_hosts_file ? hosts_file_first : only_servers;
        options.timeout = static_cast<int>(kDohLookUpAttempt.count());
        options.tries = kAttemptsPerServer;
        given |= ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
    }
    ares_channel channel = nullptr;
    if (ares_init_options(&channel, &options, given) != ARES_SUCCESS) {
        return false;
    }
    channel_.reset(channel);
    ares_set_socket_configure_callback(
        channel,
        [](ares_socket_t fd, int, void* mark) { return set_mark(fd, *static_cast<SocketMark*>(mark)) ? 0 : -1; },
        &options_.mark);
    return !options_.servers || set_servers(channel, *options_.servers, options_.port);
}

void AddressLookUp::process(int readable, int writable) {
    ares_process_fd(channel_.get(), readable, writable);
    follow();
}

void AddressLookUp::follow() {
    if (ipv4_.outcome != Outcome::kPending && ipv6_.outcome != Outcome::kPending) {
        return finish(result());
    }
    const bool has_one = ipv4_.outcome == Outcome::kFound || ipv6_.outcome == Outcome::kFound;
    if (has_one && options_.patience && !std::exchange(is_impatient_, true)) {
        limit_.set(std::min(*options_.patience, options_.limit));
    }
    timeval delay{};
    if (ares_timeout(channel_.get(), nullptr, &delay) != nullptr) {
        retry_.set(std::chrono::seconds{delay.tv_sec} + std::chrono::microseconds{delay.tv_usec});
    }
}

void AddressLookUp::finish(std::optional<Found> result) {
    retry_.cancel();
    limit_.cancel();
    channel_.reset();
    // The last thing that is done here: it may destroy us.
    const auto handler = std::exchange(handler_, nullptr);
    handler(std::move(result));
}

std::optional<AddressLookUp::Found> AddressLookUp::result() const {
    const bool has_found = ipv4_.outcome == Outcome::kFound || ipv6_.outcome == Outcome::kFound;
    if (!has_found && (ipv4_.outcome != Outcome::kNone || ipv6_.outcome != Outcome::kNone)) {
        return std::nullopt;
    }
    Found found{.lifetime = kMaxLifetime};
    for (const auto* family : {&ipv4_, &ipv6_}) {
        found.addresses.insert(found.addresses.end(), family->addresses.begin(), family->addresses.end());
        found.lifetime = std::min(found.lifetime, family->lifetime.value_or(kMaxLifetime));
    }
    if (found.addresses.empty()) {
        found.lifetime = kMinLifetime;
    }
    found.lifetime = std::max(found.lifetime, kMinLifetime);
    return found;
}

void AddressLookUp::handle_family(void* family, int status, int /*timeouts*/, ares_addrinfo* answer) {
    auto& out = *static_cast<Family*>(family);
    if (status != ARES_SUCCESS) {
        const bool is_none = status == ARES_ENOTFOUND || status == ARES_ENODATA;
        out.outcome = is_none ? Outcome::kNone : Outcome::kFailed;
        return;
    }
    const auto note_lifetime = [&](int seconds) {
        const Duration lifetime = std::chrono::seconds{std::max(seconds, 0)};
        out.lifetime = std::min(out.lifetime.value_or(lifetime), lifetime);
    };
    for (const auto* node = answer->nodes; node != nullptr; node = node->ai_next) {
        if (node->ai_family != AF_INET && node->ai_family != AF_INET6) {
            continue;
        }
        sockaddr_storage address{};
        std::memcpy(&address, node->ai_addr, static_cast<std::size_t>(node->ai_addrlen));
        out.addresses.push_back(io::from_sockaddr(address).ip);
        note_lifetime(node->ai_ttl);
    }
    for (const auto* cname = answer->cnames; cname != nullptr; cname = cname->next) {
        note_lifetime(cname->ttl);
    }
    ares_freeaddrinfo(answer);
    tidy(out.addresses);
    out.outcome = out.addresses.empty() ? Outcome::kNone : Outcome::kFound;
}

}  // namespace culvert::resolver
