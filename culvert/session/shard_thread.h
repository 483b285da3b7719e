#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <expected>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/base/sans_io.h"
#include "culvert/io/clock.h"
#include "culvert/io/local_addresses.h"
#include "culvert/io/mailbox.h"
#include "culvert/io/shard.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/observability/log.h"
#include "culvert/session/shard_figures.h"
#include "culvert/tunnel/device/commands.h"
#include "culvert/tunnel/device/dropped_packets.h"
#include "culvert/tunnel/gateway/gateway_commands.h"

namespace culvert::session {

/// The shard's thread ended. With an error the data plane is gone and the program must end.
struct ShardEnded {
    std::optional<std::string> error;
};

/// What runs in a shard's thread: a tunnel state machine that takes what it is asked for as a Command (one of them is
/// tunnel::ShutDown, the last) and tells the control thread of each Event.
template <typename T>
concept ShardMachine = SansIo<T> && requires(T& machine) {
    typename T::Command;
    { machine.poll_event() } -> std::same_as<std::optional<typename T::Event>>;
    { machine.poll_drops() } -> std::same_as<std::optional<tunnel::DroppedPackets>>;
    { machine.census() } -> std::same_as<connectivity::Census>;
};

/// Runs a tunnel state machine in a thread of its own, between mailboxes to and from the control thread.
template <ShardMachine State>
class ShardThread final : private io::ShardHandler {
public:
    using Command = typename State::Command;
    using Event = std::variant<ShardEnded, typename State::Event>;

    /// Far more than a healthy control thread ever leaves waiting.
    static constexpr std::size_t kMailboxCapacity = 8192;
    /// Packets do not wait for a burst of messages: one that opens a connection takes some 0.1 ms.
    static constexpr std::size_t kCommandsPerTurn = 16;

    /// `make_state` returns the state machine, which may be of a kind that cannot be moved.
    template <typename MakeState>
    ShardThread(MakeState make_state, io::TunDevice tun, const io::Shard::Options& options)
        : state_(make_state()), shard_{options, std::move(tun), *this} {}
    /// Ends the thread if it was not told to end: when an error unwinds the control thread, nobody else does.
    ~ShardThread() override {
        commands_.post_always(tunnel::ShutDown{});
        join();
    }
    ShardThread(const ShardThread&) = delete;
    ShardThread& operator=(const ShardThread&) = delete;

    /// Opens the sockets and starts the thread. The error is for a person.
    [[nodiscard]] std::expected<void, std::string> start() {
        if (auto bound = shard_.bind_sockets(); !bound) {
            return bound;
        }
        tell_sockets();
        log::write_in_background();  // the loop waits for nobody
        thread_ = std::thread{[this] {
            const auto error = run();
            events_.post_always(ShardEnded{error});
        }};
        return {};
    }

    /// Waits for the thread to end; it does after the last command.
    void join() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    /// False: the data plane is overloaded, and the command was dropped.
    [[nodiscard]] bool post(Command command) {
        if (commands_.post(std::move(command))) {
            return true;
        }
        log::Logger{"session"}.warn("The data plane is overloaded; a control message was dropped");
        return false;
    }
    /// For what must not be dropped.
    void post_always(Command command) { commands_.post_always(std::move(command)); }

    /// Whether the loop took a turn since the last call, which asks for one.
    [[nodiscard]] bool has_taken_a_turn() {
        const auto turns = turns_.load(std::memory_order_relaxed);
        commands_.wake();
        return turns != std::exchange(seen_turns_, turns);
    }

    [[nodiscard]] std::vector<Event> take_events() {
        auto events = events_.take();
        if (events.size() >= kMailboxCapacity) {
            commands_.wake();  // the shard has kept the rest
        }
        return events;
    }
    [[nodiscard]] int events_fd() const { return events_.fd(); }
    /// Before start() only: the thread's own afterwards.
    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] const io::ShardCounters& counters() const { return shard_.counters(); }
    [[nodiscard]] const ShardFigures& figures() const { return figures_; }

private:
    void handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) override {
        state_.handle_tun_packet(packet, out, now);
    }
    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan datagram, packet::Coalescer& tun, Instant now) override {
        state_.handle_datagram(local, from, ecn, datagram, tun, now);
    }
    // Those that compare expiries with civil time take it along.
    void handle_timeout(Instant now) override {
        if constexpr (requires { state_.handle_timeout(now); }) {
            state_.handle_timeout(now);
        } else {
            state_.handle_timeout(now, wall_seconds());
        }
    }
    void apply(const Command& command, Instant now) {
        if constexpr (requires { state_.apply(command, now); }) {
            state_.apply(command, now);
        } else {
            state_.apply(command, now, wall_seconds());
        }
    }
    static UnixSeconds wall_seconds() { return std::chrono::floor<std::chrono::seconds>(io::wall_now()); }

    std::optional<Instant> poll_timeout() override { return state_.poll_timeout(); }
    std::optional<net::Transmit> poll_transmit() override { return state_.poll_transmit(); }
    std::optional<Bytes> poll_tun_packet() override {
        if constexpr (requires { state_.poll_tun_packet(); }) {
            return state_.poll_tun_packet();
        } else {
            return std::nullopt;
        }
    }

    bool handle_commands(Instant now) override {
        turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (next_command_ == taken_commands_.size()) {
            next_command_ = 0;
            taken_commands_ = commands_.take();
        }
        const auto end = std::min(taken_commands_.size(), next_command_ + kCommandsPerTurn);
        const bool has_any = next_command_ < end;
        while (next_command_ < end) {
            const auto& command = taken_commands_[next_command_++];
            if (is<tunnel::NetworkChanged>(command)) {
                tell_sockets();
            }
            apply(command, now);
            if (is<tunnel::Reset>(command)) {
                rebind();
            }
            is_finished_ |= is<tunnel::ShutDown>(command);
        }
        return has_any;
    }
    int commands_fd() const override { return commands_.fd(); }

    template <typename Alternative>
    static bool is(const Command& command) {
        return std::visit([]<typename T>(const T&) { return std::same_as<T, Alternative>; }, command);
    }

    /// The host's network changed, and sockets may be bound to what is gone.
    void rebind() {
        if (const auto bound = shard_.bind_sockets(); !bound) {
            log::Logger{"session"}.error("Cannot send or receive", log::field("error", bound.error()));
        }
        tell_sockets();
    }

    /// By which addresses others reach us, as far as this host knows.
    void tell_sockets() {
        if constexpr (requires { state_.set_local_sockets(std::vector<net::SocketAddress>{}); }) {
            std::vector<net::SocketAddress> sockets;
            for (const auto& address : io::local_addresses()) {
                if (const auto port = shard_.port(address.family())) {
                    sockets.push_back({address, *port});
                }
            }
            state_.set_local_sockets(sockets);
        }
    }

    void forward_events(Instant /*now*/) override {
        // Strangers cause drops at will: nothing of theirs may fill the mailbox.
        while (const auto drops = state_.poll_drops()) {
            tunnel::log_report(*drops);
            figures_.add(*drops);
        }
        figures_.set(state_.census());
        // What does not fit stays with the state machine until the control thread has caught up: the other side acts on
        // what it is not told, so nothing is dropped.
        while (waiting_event_ || (waiting_event_ = state_.poll_event())) {
            if (!events_.has_room()) {
                return;
            }
            static_cast<void>(events_.post(std::move(*waiting_event_)));
            waiting_event_.reset();
        }
    }
    /// The peers are told before an error that nobody has foreseen ends everything, if that is still possible.
    std::optional<std::string> run() {
        std::optional<std::string> error;
        try {
            const auto result = shard_.run();
            return result ? std::nullopt : std::optional{result.error()};
        } catch (const std::exception& e) {
            error = "the data plane has failed: " + std::string{e.what()};
        }
        log::Logger{"session"}.error("The data plane has failed, saying goodbye", log::field("error", *error));
        try {
            commands_.post_always(tunnel::ShutDown{});
            static_cast<void>(shard_.run());
        } catch (const std::exception& e) {
            log::Logger{"session"}.error("Cannot say goodbye", log::field("error", std::string{e.what()}));
        }
        return error;
    }

    bool is_finished() const override { return is_finished_; }

    io::Mailbox<Command> commands_{kMailboxCapacity};
    /// Those out of the mailbox, which has room meanwhile, and the first that waits for its turn.
    std::vector<Command> taken_commands_;
    std::size_t next_command_ = 0;
    io::Mailbox<Event> events_{kMailboxCapacity};
    std::optional<typename State::Event> waiting_event_;
    bool is_finished_ = false;
    ShardFigures figures_;
    std::atomic<std::uint64_t> turns_ = 0;  // written by the thread alone
    std::uint64_t seen_turns_ = 0;
    State state_;
    io::Shard shard_;
    std::thread thread_;
};

}  // namespace culvert::session
