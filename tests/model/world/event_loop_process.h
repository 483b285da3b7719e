#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/model/sockets/event_loop.h"
#include "tests/model/world/device_process.h"

namespace culvert::model {

/// What a kernel may do to a process without any packet being lost, so that a world with it is judged like any other.
[[nodiscard]] inline KernelFaults harmless_faults() {
    return {.interrupted = 20,
            .partial_send = 50,
            .would_block = 20,
            .longest_block = std::chrono::milliseconds{5},
            .partial_receive = 50,
            .coalesced_receive = 500,
            .tun_super_packet = 500};
}

/// A client or gateway (`Program`) whose state machine is driven by the production event loop, above a simulated
/// kernel, instead of by the world itself.
template <typename Program>
class EventLoopProcess final : public DeviceProcess {
public:
    /// `arguments`: those of Program.
    template <typename... Arguments>
    EventLoopProcess(const Device& host, std::uint16_t port, Environment& environment, const Rng& kernel_rng,
                     Instant now, Arguments&&... arguments)
        : host_{host},
          port_{port},
          environment_{environment},
          data_path_{std::forward<Arguments>(arguments)...},
          loop_{data_path_, {.preferred_port = port}, kernel_rng} {
        loop_.kernel().set_faults(harmless_faults());
        bind(now);
    }

    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan payload, Instant now) override {
        loop_.kernel().deliver({local, from, ecn, to_bytes(payload)});
        loop_.run(now);
    }
    void handle_packet(MutableByteSpan packet, Instant now) override {
        loop_.kernel().submit(packet);
        loop_.run(now);
    }
    void handle_portal_event(portal_channel::Event& event, Instant now) override {
        program().handle_portal_event(event, now);
        loop_.run(now);
    }
    void handle_timeout(Instant now) override { loop_.run(now); }
    std::optional<Instant> poll_timeout() override { return loop_.poll_timeout(); }

    bool drain(Instant now) override {
        bool has_output = false;
        while (const auto out = loop_.kernel().poll_sent()) {
            environment_.send(host_, out->path.source, port_, out->path.destination, out->ecn, out->payload);
            has_output = true;
        }
        while (const auto packet = loop_.kernel().poll_delivered()) {
            program().pass_on(*packet);
            has_output = true;
        }
        return program().drain_events(now) || has_output;
    }

    void handle_network_change(std::span<const net::IpAddress> addresses, Instant now) override {
        program().handle_network_change(addresses, now);
        loop_.run(now);
    }
    void reset(std::string_view reason, Instant now) override {
        program().reset(reason, now);
        bind(now);
    }
    void shut_down(Instant now) override {
        // The loop would wait for a blocked socket up to a second; the world ends a process at once.
        loop_.kernel().set_faults({});
        loop_.kernel().block(net::Family::kIpv4, now);
        loop_.kernel().block(net::Family::kIpv6, now);
        program().shut_down(now);
        data_path_.finish();
        loop_.run(now);
    }
    [[nodiscard]] portal_channel::ChannelOptions channel_options() const override {
        return program().channel_options();
    }
    [[nodiscard]] std::optional<crypto::PublicKey> public_key() const override { return program().public_key(); }
    [[nodiscard]] DeviceState show() const override { return program().show(); }
    [[nodiscard]] std::string snapshot(Instant now) const override { return program().snapshot(now); }

private:
    /// What the loop drives. Commands and events pass it by: the world calls the program itself.
    class DataPath final : public io::ShardHandler {
    public:
        template <typename... Arguments>
        explicit DataPath(Arguments&&... arguments) : program_{std::forward<Arguments>(arguments)...} {}

        void handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) override {
            program_.state().handle_tun_packet(packet, out, now);
        }
        void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                             MutableByteSpan datagram, packet::Coalescer& tun, Instant now) override {
            program_.state().handle_datagram(local, from, ecn, datagram, tun, now);
        }
        void handle_timeout(Instant now) override { program_.handle_timeout(now); }
        std::optional<Instant> poll_timeout() override { return program_.poll_timeout(); }
        std::optional<net::Transmit> poll_transmit() override { return program_.state().poll_transmit(); }
        std::optional<Bytes> poll_tun_packet() override {
            if constexpr (requires { program_.state().poll_tun_packet(); }) {
                return program_.state().poll_tun_packet();
            } else {
                return std::nullopt;
            }
        }
        bool handle_commands(Instant) override { return false; }
        int commands_fd() const override { return -1; }
        void forward_events(Instant) override {}
        bool is_finished() const override { return is_finished_; }

        void finish() { is_finished_ = true; }
        [[nodiscard]] Program& program() { return program_; }
        [[nodiscard]] const Program& program() const { return program_; }

    private:
        Program program_;
        bool is_finished_ = false;
    };

    [[nodiscard]] Program& program() { return data_path_.program(); }
    [[nodiscard]] const Program& program() const { return data_path_.program(); }

    void bind(Instant now) {
        static_cast<void>(loop_.bind_sockets());  // this kernel refuses no sockets
        loop_.run(now);
    }

    Device host_;
    std::uint16_t port_;
    Environment& environment_;
    DataPath data_path_;
    EventLoop loop_;
};

}  // namespace culvert::model
