#pragma once

#include <exception>
#include <expected>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/io/clock.h"
#include "culvert/io/mailbox.h"
#include "culvert/io/shard.h"
#include "culvert/observability/log.h"
#include "culvert/observability/log_setup.h"

namespace culvert::session {

/// The shard's thread ended. With an error the data plane is gone and the program must end.
struct ShardEnded {
    std::optional<std::string> error;
};

/// How ShardThread drives one kind of state machine: specialise for each.
///
///     using Command = ...;                                 // what the control thread may ask for
///     using Event = std::variant<ShardEnded, ...>;         // what it is told
///     struct ShutDown {};                                  // the command that makes the state machine say goodbye
///     static bool apply(State&, const Command&, io::Shard&, Instant, emit);   // true: that was the last command
///     static void handle_timeout(State&, Instant);
///     static std::optional<Event> poll_event(State&);
template <typename State>
struct ShardTraits;

/// Runs a tunnel state machine in a thread of its own, between mailboxes to and from the control thread.
template <typename State>
class ShardThread final : private io::ShardHandler {
public:
    using Traits = ShardTraits<State>;
    using Command = typename Traits::Command;
    using Event = typename Traits::Event;

    /// Far more than a healthy control thread ever leaves waiting.
    static constexpr std::size_t kMailboxCapacity = 8192;

    /// `make_state` returns the state machine, which may be of a kind that cannot be moved.
    template <typename MakeState>
    ShardThread(MakeState make_state, io::TunDevice tun, const io::Shard::Options& options)
        : state_{make_state()}, shard_{options, std::move(tun), *this} {}
    /// Ends the thread if it was not told to end: when an error unwinds the control thread, nobody else does.
    ~ShardThread() override {
        commands_.post_always(typename Traits::ShutDown{});
        join();
    }
    ShardThread(const ShardThread&) = delete;
    ShardThread& operator=(const ShardThread&) = delete;

    /// Opens the sockets and starts the thread. The error is for a person.
    [[nodiscard]] std::expected<void, std::string> start() {
        if (auto bound = shard_.bind_sockets(); !bound) {
            return bound;
        }
        log::write_in_background();  // the loop waits for nobody
        thread_ = std::thread{[this] {
            auto result = shard_.run();
            events_.post_always(ShardEnded{result ? std::nullopt : std::optional{result.error()}});
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

private:
    void handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) override {
        state_.handle_tun_packet(packet, out, now);
    }
    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan datagram, packet::Coalescer& tun, Instant now) override {
        state_.handle_datagram(local, from, ecn, datagram, tun, now);
    }
    void handle_timeout(Instant now) override { Traits::handle_timeout(state_, now); }
    std::optional<Instant> poll_timeout() override { return state_.poll_timeout(); }
    std::optional<net::Transmit> poll_transmit() override { return state_.poll_transmit(); }

    bool handle_commands(Instant now) override {
        const auto commands = commands_.take();
        for (const auto& command : commands) {
            is_finished_ |= Traits::apply(state_, command, shard_, now,
                                          [this](Event event) { events_.post_always(std::move(event)); });
        }
        return !commands.empty();
    }
    int commands_fd() const override { return commands_.fd(); }

    void forward_events(Instant /*now*/) override {
        // What does not fit stays with the state machine until the control thread has caught up: the other side acts on
        // what it is not told, so nothing is dropped.
        while (waiting_event_ || (waiting_event_ = Traits::poll_event(state_))) {
            if (!events_.has_room()) {
                return;
            }
            static_cast<void>(events_.post(std::move(*waiting_event_)));
            waiting_event_.reset();
        }
    }
    bool is_finished() const override { return is_finished_; }

    io::Mailbox<Command> commands_{kMailboxCapacity};
    io::Mailbox<Event> events_{kMailboxCapacity};
    std::optional<Event> waiting_event_;
    bool is_finished_ = false;
    State state_;
    io::Shard shard_;
    std::thread thread_;
};

}  // namespace culvert::session
