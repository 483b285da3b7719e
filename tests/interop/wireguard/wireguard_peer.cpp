// One WireGuard peer on a real UDP socket and a real clock, without a TUN device: it answers the echo requests that
// come out of the tunnel and sends its own. Only for tests against other implementations.
//
// Prints a JSON object with all counters on each change. SIGUSR1 starts a handshake; SIGTERM ends it.

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "culvert/base/base64.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/wireguard/handshake_limiter.h"
#include "culvert/wireguard/tunnel.h"

namespace {

using namespace culvert;
using namespace std::chrono_literals;

constexpr auto kWindow = 1s;

struct Options {
    std::uint16_t port = 0;
    std::uint16_t peer_port = 0;
    crypto::KeyPair local;
    crypto::PublicKey peer;
    crypto::PresharedKey preshared;
    net::IpAddress address;
    net::IpAddress peer_address;
    bool initiate = false;
    bool under_load = false;
    std::chrono::milliseconds ping_interval{0};
};

struct Counters {
    unsigned initiations_sent = 0;
    unsigned initiations_received = 0;
    unsigned responses_sent = 0;
    unsigned responses_received = 0;
    unsigned cookie_replies_sent = 0;
    unsigned cookie_replies_received = 0;
    unsigned requests_sent = 0;
    unsigned replies_received = 0;
    unsigned requests_answered = 0;
    unsigned corrupt = 0;
    unsigned errors = 0;
    bool expired = false;

    friend bool operator==(const Counters&, const Counters&) = default;
};

Instant now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return Instant{std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec}};
}

Rng random_generator() {
    Rng::Seed seed;
    if (getrandom(seed.data(), seed.size(), 0) != static_cast<ssize_t>(seed.size())) {
        throw std::runtime_error{"getrandom failed"};
    }
    return Rng{seed};
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int open_socket(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const auto address = loopback(port);
    if (socket < 0 || bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error{"cannot bind the UDP socket"};
    }
    return socket;
}

int open_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

class PeerLoop {
public:
    explicit PeerLoop(const Options& options)
        : options_{options},
          rng_{random_generator()},
          started_at_{now()},
          limiter_{options.local.public_key(), rng_.fork(), started_at_},
          tunnel_{options.local,
                  options.peer,
                  options.preshared,
                  static_cast<std::uint32_t>(rng_.below(1 << 24)),
                  rng_.fork(),
                  started_at_,
                  std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())},
          socket_{open_socket(options.port)},
          signals_{open_signals()} {
        if (options.under_load) {
            use_up_the_window();
        }
    }

    void run() {
        if (options_.initiate) {
            tunnel_.initiate_handshake(started_at_);
        }
        next_ping_ = started_at_ + options_.ping_interval;
        while (!stopped_) {
            drive_timers();
            send_all();
            report();
            wait();
            read_signals();
            read_datagrams();
        }
        report();
    }

private:
    /// Leaves no handshake in the limiter's window, which is never cleared then: everybody needs a cookie.
    void use_up_the_window() {
        for (unsigned n = 0; n < wireguard::kHandshakesPerWindow; ++n) {
            wireguard::Tunnel other{crypto::KeyPair::generate(rng_),
                                    options_.local.public_key(),
                                    {},
                                    n,
                                    rng_.fork(),
                                    started_at_,
                                    WallTime{}};
            other.initiate_handshake(started_at_);
            (void)limiter_.check(other.poll_transmit().value(), net::IpAddress{}, started_at_);
        }
    }

    void drive_timers() {
        const auto time = now();
        tunnel_.handle_timeout(time);
        counters_.expired = tunnel_.is_expired();
        if (!options_.under_load && time >= window_started_at_ + kWindow) {
            limiter_.clear_window(time);
            window_started_at_ = time;
        }
        if (options_.ping_interval > 0ms && time >= next_ping_) {
            next_ping_ += options_.ping_interval;
            ping(time);
        }
    }

    void ping(Instant time) {
        Bytes payload(rng_.below(1200));
        rng_.fill(payload);
        const auto request =
            packet::make_icmp_echo_request(options_.address, options_.peer_address, 0x4242, ++sequence_, payload);
        pings_[sequence_] = std::move(payload);
        ++counters_.requests_sent;
        send_ip(request, time);
    }

    void send_ip(const Bytes& packet, Instant time) {
        Bytes datagram(packet.size() + wireguard::kDataOverhead);
        if (tunnel_.seal(packet, datagram, time)) {
            send(datagram);
        } else {
            tunnel_.queue(packet, time);
        }
    }

    void send(ByteSpan datagram) {
        switch (wireguard::classify(datagram).value()) {
            case wireguard::PacketKind::kInitiation:
                ++counters_.initiations_sent;
                break;
            case wireguard::PacketKind::kResponse:
                ++counters_.responses_sent;
                break;
            case wireguard::PacketKind::kCookieReply:
                ++counters_.cookie_replies_sent;
                break;
            case wireguard::PacketKind::kData:
                break;
        }
        const auto peer = loopback(options_.peer_port);
        // A full socket buffer or a peer that is not there yet loses the datagram, as on any network.
        (void)sendto(socket_, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&peer),
                     sizeof peer);
    }

    void send_all() {
        while (const auto datagram = tunnel_.poll_transmit()) {
            send(*datagram);
        }
    }

    void wait() {
        auto deadline = now() + 1s;
        if (const auto timeout = tunnel_.poll_timeout()) {
            deadline = std::min(deadline, *timeout);
        }
        if (options_.ping_interval > 0ms) {
            deadline = std::min(deadline, next_ping_);
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
        std::array<pollfd, 2> descriptors{{{socket_, POLLIN, 0}, {signals_, POLLIN, 0}}};
        (void)poll(descriptors.data(), descriptors.size(), static_cast<int>(std::max(left, 0ms).count()));
    }

    void read_signals() {
        signalfd_siginfo signal{};
        while (read(signals_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
            if (signal.ssi_signo == static_cast<std::uint32_t>(SIGTERM)) {
                stopped_ = true;
            } else {
                tunnel_.initiate_handshake(now());
            }
        }
    }

    void read_datagrams() {
        std::array<std::byte, 2048> buffer;
        for (;;) {
            sockaddr_in from{};
            socklen_t from_length = sizeof from;
            const auto length =
                recvfrom(socket_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_length);
            if (length < 0) {
                return;
            }
            handle(MutableByteSpan{buffer}.first(static_cast<std::size_t>(length)),
                   net::IpAddress::from_bytes(std::as_bytes(std::span{&from.sin_addr.s_addr, 1})));
        }
    }

    void handle(MutableByteSpan datagram, const net::IpAddress& from) {
        const auto time = now();
        const auto kind = wireguard::classify(datagram);
        counters_.initiations_received += kind == wireguard::PacketKind::kInitiation ? 1 : 0;
        counters_.responses_received += kind == wireguard::PacketKind::kResponse ? 1 : 0;
        counters_.cookie_replies_received += kind == wireguard::PacketKind::kCookieReply ? 1 : 0;
        if (const auto admitted = limiter_.admit(datagram, from, time); !admitted) {
            note_refused(admitted.error().error);
            if (const auto& reply = admitted.error().cookie_reply) {
                send(*reply);
            }
            return;
        }
        if (kind == wireguard::PacketKind::kInitiation) {
            const auto opened = wireguard::open_initiation(options_.local, datagram);
            counters_.corrupt += opened && opened->claimed_peer == options_.peer ? 0 : 1;
        }
        const auto inner = tunnel_.handle_packet(datagram, time);
        if (!inner) {
            note_refused(inner.error());
        } else if (*inner) {
            handle_ip(**inner, time);
        }
    }

    void note_refused(wireguard::Error error) {
        std::cerr << "refused a datagram: " << to_string(error) << '\n';
        ++counters_.errors;
    }

    void handle_ip(MutableByteSpan bytes, Instant time) {
        const auto packet = packet::IpPacket::parse(bytes);
        if (!packet || !packet->checksums_are_valid()) {
            ++counters_.corrupt;
            return;
        }
        if (!packet->is_icmp_echo()) {
            return;  // the kernel's own chatter: router solicitations, multicast reports
        }
        const auto sequence = load_be<std::uint16_t>(packet->l4().subspan(6));
        const bool is_request = packet->icmp_type() == (packet->is_v4() ? 8 : 128);
        if (is_request) {
            ++counters_.requests_answered;
            send_ip(packet::make_icmp_echo_reply(packet->destination(), packet->source(), packet->source_value()->value,
                                                 sequence, packet->payload()),
                    time);
            return;
        }
        const auto ping = pings_.find(sequence);
        if (ping == pings_.end() || !equal(ping->second, packet->payload())) {
            ++counters_.corrupt;
            return;
        }
        ++counters_.replies_received;
        pings_.erase(ping);
    }

    void report() {
        if (reported_ == counters_) {
            return;
        }
        reported_ = counters_;
        const auto& c = counters_;
        std::printf(
            "{\"initiations_sent\": %u, \"initiations_received\": %u, \"responses_sent\": %u, "
            "\"responses_received\": %u, \"cookie_replies_sent\": %u, \"cookie_replies_received\": %u, "
            "\"requests_sent\": %u, \"replies_received\": %u, \"requests_answered\": %u, \"corrupt\": %u, "
            "\"errors\": %u, \"expired\": %s}\n",
            c.initiations_sent, c.initiations_received, c.responses_sent, c.responses_received, c.cookie_replies_sent,
            c.cookie_replies_received, c.requests_sent, c.replies_received, c.requests_answered, c.corrupt, c.errors,
            c.expired ? "true" : "false");
        std::fflush(stdout);
    }

    Options options_;
    Rng rng_;
    Instant started_at_;
    wireguard::HandshakeLimiter limiter_;
    wireguard::Tunnel tunnel_;
    int socket_;
    int signals_;
    Instant window_started_at_{};
    Instant next_ping_{};
    std::uint16_t sequence_ = 0;
    std::map<std::uint16_t, Bytes> pings_;
    Counters counters_;
    std::optional<Counters> reported_;
    bool stopped_ = false;
};

crypto::Secret<32> parse_secret(std::string_view text) {
    const auto bytes = from_base64(text);
    if (!bytes || bytes->size() != 32) {
        throw std::runtime_error{"a key is not 32 bytes of base64"};
    }
    return crypto::Secret<32>::from_bytes(*bytes);
}

net::IpAddress parse_address(std::string_view text) {
    const auto address = net::IpAddress::parse(text);
    if (!address) {
        throw std::runtime_error{"not an IP address: " + std::string{text}};
    }
    return *address;
}

Options parse_options(std::span<const char* const> arguments) {
    Options options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view name{arguments[i]};
        if (name == "--initiate") {
            options.initiate = true;
            continue;
        }
        if (name == "--under-load") {
            options.under_load = true;
            continue;
        }
        if (++i == arguments.size()) {
            throw std::runtime_error{"missing value of " + std::string{name}};
        }
        const std::string value{arguments[i]};
        if (name == "--port") {
            options.port = static_cast<std::uint16_t>(std::stoul(value));
        } else if (name == "--peer-port") {
            options.peer_port = static_cast<std::uint16_t>(std::stoul(value));
        } else if (name == "--private-key") {
            options.local = crypto::KeyPair::from_private(parse_secret(value));
        } else if (name == "--peer-public-key") {
            const auto key = crypto::PublicKey::parse(value);
            options.peer = key ? *key : throw std::runtime_error{"not a public key: " + value};
        } else if (name == "--preshared-key") {
            options.preshared = parse_secret(value);
        } else if (name == "--address") {
            options.address = parse_address(value);
        } else if (name == "--peer-address") {
            options.peer_address = parse_address(value);
        } else if (name == "--ping-interval-ms") {
            options.ping_interval = std::chrono::milliseconds{std::stoul(value)};
        } else {
            throw std::runtime_error{"unknown option " + std::string{name}};
        }
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        PeerLoop{parse_options(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1))}.run();
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
