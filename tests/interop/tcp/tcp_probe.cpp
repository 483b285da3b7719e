// Our TCP endpoints on one side of a TUN device, whatever the kernel runs on the other.
//
//   tcp_probe DEVICE LOSS serve LOCAL...              answers every query on these addresses with itself
//   tcp_probe DEVICE LOSS ask LOCAL SERVER COUNT SIZE  asks COUNT queries of SIZE bytes, prints how many were answered
//
// LOSS: how many of a hundred packets are lost, in each direction. The test that starts it configures the device.

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <string_view>

#include "culvert/tcp/dns_client.h"
#include "culvert/tcp/dns_server.h"

namespace {

using namespace culvert;
using namespace std::chrono_literals;

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

Instant clock_now() {
    return Instant{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

class Tun {
public:
    Tun(const char* name, unsigned loss_percent)
        : fd_{::open("/dev/net/tun", O_RDWR | O_NONBLOCK)}, loss_{loss_percent} {
        ifreq request{};
        request.ifr_flags = IFF_TUN | IFF_NO_PI;
        std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
        if (fd_ < 0 || ::ioctl(fd_, TUNSETIFF, &request) != 0) {
            die("TUN device");
        }
    }
    ~Tun() { ::close(fd_); }
    Tun(const Tun&) = delete;
    Tun& operator=(const Tun&) = delete;

    /// Passes on what both sides of `object` have to say, for as long as nothing happens longer than `wait`.
    template <typename T>
    void exchange(T& object, Duration wait) {
        while (auto packet = object.poll_transmit()) {
            if (!is_lost() && ::write(fd_, packet->data(), packet->size()) < 0 && errno != EIO) {
                die("write to TUN device");
            }
        }
        if (const auto next = object.poll_timeout()) {
            wait = std::min(wait, std::max(*next - clock_now(), Duration::zero()));
        }
        pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
        ::poll(&ready, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
        Bytes bytes(65536);
        for (auto size = ::read(fd_, bytes.data(), bytes.size()); size > 0;
             size = ::read(fd_, bytes.data(), bytes.size())) {
            const auto packet = packet::IpPacket::parse(MutableByteSpan{bytes}.first(static_cast<std::size_t>(size)));
            if (packet && !is_lost()) {
                object.handle_packet(*packet, tcp::Checksums::kVerify, clock_now());
            }
        }
        object.handle_timeout(clock_now());
    }

private:
    bool is_lost() { return rng_.below(100) < loss_; }

    int fd_;
    unsigned loss_;
    Rng rng_ = Rng::from_number(7);
};

int serve(Tun& tun, std::set<net::SocketAddress> addresses) {
    tcp::DnsServer server{Rng::from_number(1)};
    server.set_addresses(std::move(addresses), clock_now());
    std::puts("serving");
    std::fflush(stdout);
    while (true) {
        tun.exchange(server, 1s);
        while (auto query = server.poll_query()) {
            query->message[2] |= std::byte{0x80};
            server.respond(query->connection, query->message, clock_now());
        }
    }
}

Bytes make_query(std::size_t size) {
    auto query = *from_hex(
        "000101000001000000000000"
        "0377777707657861"
        "6d706c65036f7267000001"
        "0001");
    query.resize(std::max(size, query.size()), std::byte{0x5a});
    return query;
}

int ask(Tun& tun, const net::IpAddress& local, const net::SocketAddress& server, std::size_t count, std::size_t size) {
    tcp::DnsClient client{Rng::from_number(2)};
    client.set_local_addresses(local.is_v4() ? std::optional{local} : std::nullopt,
                               local.is_v6() ? std::optional{local} : std::nullopt, clock_now());
    std::puts("asking");
    std::fflush(stdout);
    std::getchar();  // the device has its addresses now
    const auto query = make_query(size);
    auto expected = query;
    expected[2] |= std::byte{0x80};
    std::size_t asked = 0;
    std::size_t answered = 0;
    std::size_t right = 0;
    constexpr std::size_t kAtOnce = 8;
    while (answered < count) {
        while (asked < count && asked < answered + kAtOnce) {
            static_cast<void>(client.ask(server, query, clock_now()));
            ++asked;
        }
        tun.exchange(client, 100ms);
        while (const auto answer = client.poll_answer()) {
            if (answer->message.empty()) {  // given up, as happens on a bad line or a busy machine
                --asked;
                continue;
            }
            ++answered;
            right += answer->message == expected ? 1 : 0;
        }
    }
    std::printf("answered %zu of %zu\n", right, count);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fputs("usage: tcp_probe DEVICE LOSS serve LOCAL... | ask LOCAL SERVER COUNT SIZE\n", stderr);
        return 2;
    }
    Tun tun{argv[1], static_cast<unsigned>(std::stoul(argv[2]))};
    if (std::string_view{argv[3]} == "serve") {
        std::set<net::SocketAddress> addresses;
        for (int i = 4; i < argc; ++i) {
            addresses.insert(net::SocketAddress::parse(argv[i]).value());
        }
        return serve(tun, addresses);
    }
    return argc == 8 ? ask(tun, net::IpAddress::parse(argv[4]).value(), net::SocketAddress::parse(argv[5]).value(),
                           std::stoul(argv[6]), std::stoul(argv[7]))
                     : 2;
}
