#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/io/kernel.h"
#include "culvert/io/loop.h"
#include "culvert/io/udp_socket.h"
#include "culvert/relay/outbox.h"
#include "culvert/turn/server/server.h"

namespace culvert::relay {

/// The relay's sockets and the loop that runs the TURN server over them, on one thread, each batch to completion.
///
/// Every ready socket gets one batch per turn and timers are looked at every turn, so neither a busy listen port nor a
/// busy client starves anybody (spec/relay.md section 11.5, spec/io-and-performance.md section 13.11). A socket that
/// takes nothing is waited for a moment, by everybody; then what is left for it is dropped.
class DataPlane {
public:
    struct Options {
        turn::ServerConfig server;
        std::optional<std::size_t> receive_buffer;  ///< bytes; unset: defaults that suit
        std::optional<std::size_t> send_buffer;
        bool use_gso = true;
        bool use_gro = true;
    };

    /// Opens the listen sockets. The error is a sentence for a person.
    [[nodiscard]] static std::expected<std::unique_ptr<DataPlane>, std::string> open(
        Options options, std::string stamp_secret, Rng rng, io::Kernel& kernel = io::linux_kernel());

    /// One turn: takes one batch from every socket that has something, lets timers go off and sends what comes of it.
    /// Reads no clock and never blocks. Never finished.
    [[nodiscard]] io::Turn turn(Instant now, WallTime wall_now);
    /// What to wait for after an idle turn.
    [[nodiscard]] io::Wait wait() const;

    /// What the portal says about single users (turn::Server). Takes effect with the next turn.
    void extend_user(std::string_view salt, WallTime until);
    void revoke_user(std::string_view salt, WallTime until);

    [[nodiscard]] const turn::Server& server() const { return server_; }
    /// Datagrams that were passed on.
    [[nodiscard]] const Outbox::Counters& relayed() const { return outbox_.counters(); }
    /// The server's answers.
    struct Answers {
        std::uint64_t sent = 0;
        std::uint64_t dropped = 0;  ///< the kernel did not take them; clients ask again
    };
    [[nodiscard]] const Answers& answers() const { return answers_; }
    /// Received from port 0, which nobody could answer.
    [[nodiscard]] std::uint64_t unanswerable() const { return unanswerable_; }
    /// Ports of allocations that could not be opened.
    [[nodiscard]] std::uint64_t unusable_ports() const { return unusable_ports_; }

private:
    /// Sockets of one family: by port, counted from the lowest of allocations.
    struct Sockets {
        std::unique_ptr<io::UdpSocket> listen;
        std::vector<std::unique_ptr<io::UdpSocket>> allocations;
    };
    /// Where datagrams come from: the listen port, if `port` is 0, or an allocation's.
    struct Source {
        net::Family family = net::Family::kIpv4;
        std::uint16_t port = 0;
    };

    DataPlane(Options options, std::string stamp_secret, Rng rng, io::Kernel& kernel);

    [[nodiscard]] std::expected<void, std::string> listen(net::Family family);
    [[nodiscard]] std::expected<std::unique_ptr<io::UdpSocket>, std::error_code> open_socket(net::Family family,
                                                                                             std::uint16_t port,
                                                                                             std::size_t default_buffer,
                                                                                             const Source& source);

    // Each is false if a socket takes nothing: the rest of the turn comes later.
    [[nodiscard]] bool finish_batch();
    [[nodiscard]] bool run_commands();
    [[nodiscard]] bool flush();

    void find_ready_sockets();
    void receive(const Source& source);
    [[nodiscard]] ByteSpan next_datagram();
    void handle_datagram(ByteSpan datagram, const net::SocketAddress& from);
    void pass_to_peer(const turn::Server::ToPeer& to);
    void pass_to_client(const turn::Server::ToClient& to, ByteSpan payload);
    void execute(const turn::SendMessage& command);
    void execute(const turn::CreateAllocation& command);
    void execute(const turn::FreeAllocation& command);
    void execute(const turn::CreateChannelBinding&) {}
    void execute(const turn::DeleteChannelBinding&) {}
    void log_errors();

    [[nodiscard]] Sockets& sockets(net::Family family) { return family == net::Family::kIpv4 ? v4_ : v6_; }
    /// Requires a port of allocations.
    [[nodiscard]] std::unique_ptr<io::UdpSocket>& allocation_socket(net::Family family, std::uint16_t port);

    Options options_;
    io::Kernel& kernel_;
    turn::Server server_;
    io::KernelDescriptor epoll_;
    Sockets v4_;
    Sockets v6_;

    io::ReceiveRing receive_ring_;
    io::SendRing send_ring_;
    Outbox outbox_;
    io::ErrorBatch errors_;

    /// The time of this turn.
    Instant now_{};
    WallTime wall_now_{};
    /// Whether there may be more to read than this turn has read.
    bool is_busy_ = false;

    // What is left of a turn: sockets with something to read, the datagrams that came from one of them, and the
    // server's next command.
    std::array<epoll_event, 256> events_;
    std::span<const epoll_event> ready_;
    Source source_;
    std::span<const io::UdpSocket::Received> received_;
    std::size_t offset_ = 0;  ///< in the first of `received_`
    std::optional<turn::Command> command_;
    /// Until when to wait for a socket that takes nothing.
    std::optional<Instant> patience_;

    Answers answers_;
    std::uint64_t unanswerable_ = 0;
    std::uint64_t unusable_ports_ = 0;
};

}  // namespace culvert::relay
