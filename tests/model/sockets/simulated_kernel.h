#pragma once

#include <poll.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "culvert/base/rng.h"
#include "culvert/io/kernel.h"
#include "culvert/io/tun_device.h"
#include "culvert/net/transmit.h"
#include "tests/model/sockets/kernel_faults.h"
#include "tests/model/sockets/simulated_tun.h"
#include "tests/model/sockets/simulated_udp.h"

namespace culvert::model {

/// A kernel in memory under the product's sockets, TUN device and event loop: virtual time, seeded faults, and an
/// account of everything that does not get through.
///
/// One side is io::Kernel, for the program. The other is for whoever plays network and applications.
class SimulatedKernel final : public io::Kernel {
public:
    explicit SimulatedKernel(const Rng& rng) : rng_{rng} {}

    // --- Network and applications ---

    /// Never backwards.
    void set_now(Instant now) { now_ = now; }
    void set_faults(const KernelFaults& faults) { faults_ = faults; }
    /// Everything sent there fails with `error`; 0 ends that.
    void refuse(const net::SocketAddress& destination, int error);
    /// Opening UDP sockets of this family fails with `error`; 0 ends that.
    void refuse_sockets(net::Family family, int error) { socket_errors_[family] = error; }
    /// Another program has this port.
    void occupy(std::uint16_t port) { occupied_.insert(port); }
    /// The sockets of this family take nothing until then.
    void block(net::Family family, Instant until);

    /// A datagram arrives at `arrival.local`. Lost, and counted, if there is no socket or no room.
    void deliver(Arrival arrival);
    /// An application sends a packet into the tunnel. Lost, and counted, if there is no room.
    void submit(ByteSpan packet);
    void remove_tun() { tun_.remove(); }

    /// The next datagram that left, in the order of leaving. `path.source` unset: the host chooses.
    [[nodiscard]] std::optional<Departure> poll_sent();
    /// The next packet for an application.
    [[nodiscard]] std::optional<Bytes> poll_delivered();

    /// Whether ppoll() would return at once.
    [[nodiscard]] bool is_ready(std::span<const pollfd> descriptors) const;
    /// When is_ready() may become true by itself: a blocked socket takes data again.
    [[nodiscard]] std::optional<Instant> poll_timeout(std::span<const pollfd> descriptors) const;

    [[nodiscard]] const UdpLosses& udp_losses() const { return udp_losses_; }
    [[nodiscard]] const TunLosses& tun_losses() const { return tun_losses_; }
    /// Datagrams for which no socket was open.
    [[nodiscard]] std::uint64_t unclaimed() const { return unclaimed_; }
    [[nodiscard]] std::size_t open_sockets() const { return sockets_.size(); }
    /// The port of the only socket of this family.
    [[nodiscard]] std::optional<std::uint16_t> port(net::Family family) const;

    // --- Program ---

    /// The one TUN device, with all offloads. Call once.
    [[nodiscard]] io::TunDevice open_tun(std::string name);

    std::expected<UdpSocketOpened, std::error_code> open_udp(const io::UdpOptions& options) override;
    void close(int fd) override;
    int recvmmsg(int fd, std::span<mmsghdr> messages) override;
    int sendmmsg(int fd, std::span<mmsghdr> messages) override;
    ssize_t read(int fd, MutableByteSpan buffer) override;
    ssize_t writev(int fd, std::span<const iovec> pieces) override;
    int epoll_create() override;
    int epoll_add(int epoll, int fd, std::uint64_t token) override;
    int epoll_wait(int epoll, std::span<epoll_event> events) override;

private:
    static constexpr int kTunDescriptor = 3;

    /// What is watched, by descriptor, and whose turn it is to be reported first.
    struct Epoll {
        std::map<int, std::uint64_t> tokens;
        int next = 0;
    };

    [[nodiscard]] SimulatedUdp* find(net::Family family, std::uint16_t port);
    [[nodiscard]] bool is_readable(int fd) const;
    [[nodiscard]] bool is_taken(net::Family family, std::uint16_t port) const;

    Rng rng_;
    Instant now_{};
    KernelFaults faults_;
    std::map<net::SocketAddress, int> refused_destinations_;
    std::map<net::Family, int> socket_errors_;
    std::set<std::uint16_t> occupied_;

    SimulatedTun tun_;
    std::map<int, SimulatedUdp> sockets_;
    std::map<int, Epoll> epolls_;
    int next_descriptor_ = kTunDescriptor + 1;
    std::uint16_t next_port_ = 32768;
    std::deque<Departure> sent_;
    std::deque<Bytes> delivered_;

    UdpLosses udp_losses_;
    TunLosses tun_losses_;
    std::uint64_t unclaimed_ = 0;
};

}  // namespace culvert::model
