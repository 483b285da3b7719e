#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "apps/relay/receive_ring.h"
#include "apps/relay/train_sender.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/io/file_descriptor.h"
#include "culvert/io/mailbox.h"
#include "culvert/turn/server/server.h"

namespace culvert::relay {

/// The relay's sockets and the loop that runs the TURN server over them, on one thread, each batch to completion.
///
/// Every ready socket gets one batch per turn and timers are looked at every turn, so neither a busy listen port nor a
/// busy client starves anybody (spec/relay.md section 11.5, spec/io-and-performance.md section 13.11).
class DataPlane {
public:
    struct Options {
        turn::ServerConfig server;
        std::uint16_t listen_port = 0;
        std::optional<std::size_t> receive_buffer;  ///< bytes; unset: defaults that suit
        std::optional<std::size_t> send_buffer;
    };

    /// Opens the listen sockets. The error is a sentence for a person.
    [[nodiscard]] static std::expected<std::unique_ptr<DataPlane>, std::string> open(Options options,
                                                                                     std::string stamp_secret, Rng rng);

    /// Returns after stop().
    void run();
    /// From any thread.
    void stop();

    /// What the portal says about single users (turn::Server). From any thread; takes effect at once.
    void extend_user(std::string salt, WallTime until);
    void revoke_user(std::string salt, WallTime until);

    /// Numbers for the outside, at most a fraction of a second old. From any thread.
    struct Snapshot {
        turn::ServerStatistics server;
        TrainSender::Counters sent;
        std::size_t allocations = 0;
        std::size_t channels = 0;
        std::uint64_t unusable_ports = 0;
    };
    [[nodiscard]] Snapshot snapshot() const;

private:
    enum class Kind : std::uint8_t { kWake, kUserWords, kListen, kAllocation };
    struct Token {
        Kind kind;
        net::Family family;
        std::uint16_t port;
    };

    struct UserWord {
        std::string salt;
        WallTime until;
        bool revokes;
    };

    DataPlane(Options options, std::string stamp_secret, Rng rng);

    [[nodiscard]] std::expected<void, std::string> listen(net::Family family);
    [[nodiscard]] std::expected<io::FileDescriptor, int> open_socket(net::Family family, std::uint16_t port,
                                                                     std::size_t default_buffer) const;
    bool watch(int fd, Token token);
    [[nodiscard]] int wait(std::span<epoll_event> events) const;

    void handle_listen_socket(net::Family family);
    void handle_allocation_socket(net::Family family, std::uint16_t port);
    void handle_client_datagram(ByteSpan datagram, const net::SocketAddress& client);
    void obey_user_words();
    void run_timers();
    void run_commands();
    void execute(const turn::SendMessage& command);
    void execute(const turn::CreateAllocation& command);
    void execute(const turn::FreeAllocation& command);
    void execute(const turn::CreateChannelBinding&) {}
    void execute(const turn::DeleteChannelBinding&) {}
    void publish_if_due();
    void log_activity_if_due();

    [[nodiscard]] io::FileDescriptor& listen_socket(net::Family family) {
        return family == net::Family::kIpv4 ? listen_v4_ : listen_v6_;
    }
    [[nodiscard]] io::FileDescriptor& allocation_socket(net::Family family, std::uint16_t port) {
        return (family == net::Family::kIpv4 ? allocations_v4_ : allocations_v6_)[port];
    }

    Options options_;
    turn::Server server_;
    ReceiveRing ring_;
    TrainSender sender_;

    io::Mailbox<UserWord> user_words_;
    io::FileDescriptor epoll_;
    io::FileDescriptor wake_;
    io::FileDescriptor listen_v4_;
    io::FileDescriptor listen_v6_;
    /// By port.
    std::vector<io::FileDescriptor> allocations_v4_;
    std::vector<io::FileDescriptor> allocations_v6_;

    /// The time of this turn of the loop.
    Instant now_{};
    WallTime wall_now_{};
    bool is_stopping_ = false;

    std::uint64_t unusable_ports_ = 0;
    Instant published_at_{};
    bool has_unpublished_ = true;
    Instant activity_logged_at_{};
    std::uint64_t bytes_at_last_log_ = 0;

    mutable std::mutex snapshot_mutex_;
    Snapshot snapshot_;
};

/// "955.33 MB/s": two decimals, decimal steps.
[[nodiscard]] std::string format_throughput(double bytes_per_second);

}  // namespace culvert::relay
