// What the set-up of a connection costs a client, in virtual time: bench/setup_bench. Nothing depends on the machine.
//
// Every link takes as long as the direct way between the peers, or half as long where the relay stands between them.
// Candidates reach the peer at once: how long the portal takes adds to any set-up.

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string_view>

#include "culvert/connectivity/testing/virtual_network.h"

namespace culvert::connectivity::testing {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDirect = 20ms;
constexpr Duration kBurst = 500ms;

struct Case {
    std::string_view name;
    bool client_is_behind_nat;
    bool gateway_is_behind_nat;
    bool has_direct_way;
    Duration to_relay;
};

constexpr Case kCases[] = {
    {"both reachable", false, false, true, kDirect},
    {"both reachable, relay between them", false, false, true, kDirect / 2},
    {"client behind a symmetric NAT", true, false, true, kDirect},
    {"both behind symmetric NATs", true, true, false, kDirect},
    {"both behind symmetric NATs, relay between them", true, true, false, kDirect / 2},
};

class Setup {
public:
    explicit Setup(const Case& which)
        : client_{add(Role::kClient, "192.0.2.1", "198.51.100.1", which.client_is_behind_nat)},
          gateway_{add(Role::kGateway, "192.0.2.2", "198.51.100.2", which.gateway_is_behind_nat)} {
        network_.add_relay("203.0.113.21", std::nullopt);
        network_.delay = kDirect;
        network_.delay_of = [this, to_relay = which.to_relay](const Datagram& datagram) {
            if (is_relay(datagram.from) && is_relay(datagram.to)) {
                return Duration::zero();
            }
            return is_relay(datagram.from) || is_relay(datagram.to) ? to_relay : network_.delay;
        };
        if (!which.has_direct_way) {
            network_.block_direct(client_, gateway_);
        }
        network_.settle();
    }

    void run(const Case& which) {
        const auto start = network_.now;
        client_.sent.clear();
        network_.connect(client_, gateway_);
        network_.send(client_, gateway_, ping(1));
        const auto answered = run_until_answered(start);
        const auto until_answer = client_.sent.size();
        network_.run_for(start + 10s - network_.now);
        const auto in_ten_seconds = client_.sent.size();
        network_.run_for(50s);  // is idle after 20 s
        client_.sent.clear();
        const auto wake_ups = count_wake_ups(10min);
        const auto trip = [](Duration time) { return std::chrono::duration<double>(time) / (2 * kDirect); };
        // A handshake and the packet with its answer each go once around by the relay at the least.
        std::printf("%-48.*s %8.2f %8.2f %10zu %10zu %10.1f %10.1f\n", static_cast<int>(which.name.size()),
                    which.name.data(), trip(answered - start), trip(8 * which.to_relay), until_answer, in_ten_seconds,
                    static_cast<double>(client_.sent.size()) / 10, static_cast<double>(wake_ups) / 10);
    }

private:
    Host& add(Role role, std::string_view inside, std::string_view outside, bool is_behind_nat) {
        auto& host = network_.add_host(role, inside, std::nullopt);
        if (is_behind_nat) {
            host.nat = ip(outside);
        }
        return host;
    }

    [[nodiscard]] static bool is_relay(const net::SocketAddress& address) { return address.ip == ip("203.0.113.21"); }

    Instant run_until_answered(Instant start) {
        bool has_answered = false;
        while (client_.received.empty() && network_.now < start + 10s) {
            network_.run_for(100us);
            if (!has_answered && !gateway_.received.empty()) {
                has_answered = true;
                network_.send(gateway_, client_, ping(2));
            }
        }
        return network_.now;
    }

    /// Bursts in which the client does something: a datagram leaves, or a deadline has come. What is closer together
    /// than a radio takes to fall asleep is one.
    std::size_t count_wake_ups(Duration duration) {
        std::size_t count = 0;
        std::optional<Instant> last;
        for (const auto end = network_.now + duration; network_.now < end;) {
            const auto due = client_.node.poll_timeout();
            const auto sent = client_.sent.size();
            network_.run_for(1ms);
            if ((due && *due <= network_.now) || client_.sent.size() != sent) {
                count += !last || network_.now - *last > kBurst;
                last = network_.now;
            }
        }
        return count;
    }

    Network network_;
    Host& client_;
    Host& gateway_;
};

void run() {
    std::printf("%-48s %8s %8s %10s %10s %10s %10s\n", "", "answer", "without", "sent until", "sent in", "sent per",
                "wake-ups");
    std::printf("%-48s %8s %8s %10s %10s %10s %10s\n", "", "after", "ICE", "answer", "10 s", "idle min", "per min");
    std::printf("%-48s %8s %8s\n", "", "(trips)", "(trips)");
    for (const auto& which : kCases) {
        Setup{which}.run(which);
    }
}

}  // namespace
}  // namespace culvert::connectivity::testing

int main() {
    culvert::connectivity::testing::run();
}
