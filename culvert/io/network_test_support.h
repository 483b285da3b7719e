#pragma once

// For tests that need a network of their own. Requires root, like the products.

#include <poll.h>
#include <sched.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/bytes.h"
#include "culvert/io/constants.h"
#include "culvert/io/netlink.h"
#include "culvert/io/tun_device.h"
#include "culvert/io/tun_interface.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/segmenter.h"

namespace culvert::io {

/// Runs `body` in a thread with a fresh network namespace, so that nothing reaches the host's.
inline void in_new_network(const std::function<void()>& body) {
    std::thread thread{[&] {
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "needs root";
        body();
    }};
    thread.join();
}

/// A network cable whose other end the test holds: an interface of this host that is up and has these addresses.
class Cable {
public:
    Cable(const std::string& name, const std::vector<std::string>& addresses)
        : device_{*TunDevice::open({.name = name, .use_offload = false})} {
        auto netlink = *Netlink::open();
        index_ = *netlink.interface_index(name);
        EXPECT_FALSE(netlink.set_up(index_));
        for (const auto& text : addresses) {
            const auto slash = text.find('/');
            const auto address = *net::IpAddress::parse(text.substr(0, slash));
            const auto prefix = static_cast<unsigned>(std::stoul(text.substr(slash + 1)));
            EXPECT_FALSE(netlink.add_address(index_, {address, prefix})) << text;
        }
    }

    /// Puts a packet on the wire, as a neighbour would.
    void send(Bytes packet) {
        packet::Coalescer packets;
        EXPECT_TRUE(packets.push(MutableByteSpan{packet}));
        ErrorBatch errors;
        device_.write(packets, errors);
        EXPECT_TRUE(errors.empty());
    }

    /// The next packet that the host sends and `is_expected` likes; nullopt if none comes.
    std::optional<Bytes> receive(const std::function<bool(const packet::IpPacket&)>& is_expected,
                                 int patience_ms = 100) {
        ErrorBatch errors;
        for (;;) {
            while (auto packet = device_.read(errors)) {
                packet::Segmenter segments{*packet};
                while (const auto segment = segments.next()) {
                    const auto parsed = packet::IpPacket::parse(*segment);
                    if (parsed && is_expected(*parsed)) {
                        return to_bytes(*segment);
                    }
                }
            }
            pollfd polled{device_.fd(), POLLIN, 0};
            if (::poll(&polled, 1, patience_ms) <= 0) {
                return std::nullopt;
            }
        }
    }

    [[nodiscard]] unsigned index() const { return index_; }
    [[nodiscard]] TunDevice& device() { return device_; }

private:
    TunDevice device_;
    unsigned index_ = 0;
};

inline const auto kTunV4 = *net::IpAddress::parse("100.64.0.1");
inline const auto kTunV6 = *net::IpAddress::parse("fd00:2021:1111::1");

/// A host of ours between a tunnel and a LAN.
struct TunnelHost {
    explicit TunnelHost(const std::vector<std::string>& lan_addresses) : lan{"lan0", lan_addresses} {
        auto netlink = *Netlink::open();
        EXPECT_FALSE(netlink.set_up(*netlink.interface_index("lo")));
        EXPECT_TRUE(interface->set_addresses(kTunV4, kTunV6));
    }

    Cable tunnel{kTunName, {}};
    Cable lan;
    std::optional<TunInterface> interface = std::move(*TunInterface::attach(kTunName, false));
};

/// As if the process of whoever owns it were killed: nothing of it runs any more, not even what would tidy up.
template <typename T>
void leave_behind(T owner) {
    static auto& killed = *new std::vector<std::unique_ptr<T>>;  // kept, so that it is not taken for a leak
    killed.push_back(std::make_unique<T>(std::move(owner)));
}

}  // namespace culvert::io
