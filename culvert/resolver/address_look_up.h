#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"
#include "culvert/resolver/descriptor_set.h"
#include "culvert/resolver/socket_mark.h"
#include "culvert/resolver/timer.h"

struct ares_addrinfo;
struct ares_channeldata;

namespace culvert::resolver {

/// Finds the addresses of one name, of both families, with c-ares. Each look-up has sockets of its own, whose ports
/// nobody can have learned, and reads the host's configuration anew. Everything happens on the thread that runs the
/// context.
class AddressLookUp {
public:
    struct Options {
        /// Whom to ask, in this order. Unset: as the host is configured, with /etc/resolv.conf, its search list, and
        /// /etc/hosts.
        std::optional<std::vector<net::IpAddress>> servers;
        SocketMark mark;
        /// Until it has failed.
        Duration limit{};
        /// Whether `servers` are asked only for what /etc/hosts does not know.
        bool uses_hosts_file = false;
        /// How long addresses of one family wait for those of the other. Unset: until both are known.
        std::optional<Duration> patience{};
        // For tests: of name servers, and where it stands which the host has.
        std::uint16_t port = 53;
        std::string resolv_conf = "/etc/resolv.conf";
    };
    struct Found {
        /// In order, each once. Empty: there is no such name, or it has no addresses.
        std::vector<net::IpAddress> addresses;
        Duration lifetime{};
    };
    /// nullopt: nobody knows. May destroy the look-up.
    using Handler = std::function<void(std::optional<Found>)>;

    AddressLookUp(boost::asio::io_context& context, Options options, Handler handler);
    ~AddressLookUp();
    AddressLookUp(const AddressLookUp&) = delete;
    AddressLookUp& operator=(const AddressLookUp&) = delete;

    /// Once. The handler may be called before this returns.
    void start(const std::string& name);

private:
    enum class Outcome : std::uint8_t { kPending, kFound, kNone, kFailed };
    /// Where c-ares reports.
    struct Family {
        Outcome outcome = Outcome::kPending;
        std::vector<net::IpAddress> addresses;
        std::optional<Duration> lifetime;
    };
    struct Destroy {
        void operator()(ares_channeldata* channel) const;
    };

    [[nodiscard]] bool open_channel();
    void process(int readable, int writable);
    /// After everything that c-ares has done: what is known, and when it wants to go on.
    void follow();
    void finish(std::optional<Found> result);
    [[nodiscard]] std::optional<Found> result() const;

    static void handle_family(void* family, int status, int timeouts, ares_addrinfo* answer);

    Options options_;
    Handler handler_;
    DescriptorSet descriptors_;
    Timer retry_;
    Timer limit_;
    bool is_impatient_ = false;
    Family ipv4_;
    Family ipv6_;
    std::unique_ptr<ares_channeldata, Destroy> channel_;  // uses all of the above until it ends
};

}  // namespace culvert::resolver
