// Our ICE agent at a real socket, for tests with other implementations.
//
//   ice_probe controlling|controlled IPV4
//
// Tells what the other side must know as lines of output, and is told the same as lines of input: "credentials UFRAG
// PASSWORD", "candidate TEXT". Once a pair is nominated it sends "hello" on it until the other side's arrives; says
// "connected" and "received TEXT". Ends with its input.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "culvert/ice/agent.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/stun/message.h"
#include "tests/interop/probe_socket.h"

namespace {

using namespace culvert;
using namespace std::chrono_literals;
using probe::clock_now;

constexpr auto kHelloInterval = 50ms;

class Probe {
public:
    Probe(ice::AgentRole role, const net::IpAddress& address) : role_{role}, socket_{address} {
        own_ = {random_text(4), random_text(22)};
        say("credentials " + own_.username + " " + own_.password);
    }

    void run() {
        while (!has_input_ended_) {
            wait();
            const auto now = clock_now();
            while (const auto datagram = socket_.receive(0ms)) {
                handle(*datagram, now);
            }
            if (!agent_) {
                continue;
            }
            while (agent_->poll_timeout().value_or(Instant::max()) <= now) {
                agent_->handle_timeout(now);
                drain();
            }
            drain();
            if (agent_->nominated() && now >= next_hello_) {
                next_hello_ = now + kHelloInterval;
                socket_.send(agent_->nominated()->destination, as_bytes("hello"));
            }
        }
    }

private:
    static void say(const std::string& line) {
        std::puts(line.c_str());
        std::fflush(stdout);
    }

    std::string random_text(std::size_t size) {
        std::string text(size, ' ');
        std::ranges::generate(text, [&] { return static_cast<char>('a' + rng_.below(26)); });
        return text;
    }

    void wait() {
        std::array<pollfd, 2> ready{{{socket_.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
        auto until = clock_now() + kHelloInterval;
        if (agent_) {
            until = std::min(until, agent_->poll_timeout().value_or(until));
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(until - clock_now(), Duration{}));
        ::poll(ready.data(), ready.size(), static_cast<int>(left.count()));
        if (ready[1].revents != 0) {
            read_input();
        }
    }

    void read_input() {
        std::array<char, 4096> buffer;
        const auto size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        has_input_ended_ = size <= 0;
        input_.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
            handle(input_.substr(0, end));
            input_.erase(0, end + 1);
        }
    }

    void handle(const std::string& line) {
        constexpr std::string_view kCredentials = "credentials ";
        constexpr std::string_view kCandidate = "candidate ";
        if (line.starts_with(kCredentials)) {
            const auto middle = line.find(' ', kCredentials.size());
            agent_.emplace(role_, own_,
                           ice::Credentials{line.substr(kCredentials.size(), middle - kCredentials.size()),
                                            line.substr(middle + 1)},
                           1, rng_.fork());
            if (const auto own = agent_->add_local_candidate(*ice::host_candidate(socket_.local()), clock_now())) {
                say("candidate " + ice::to_string(*own));
            }
        } else if (agent_ && line.starts_with(kCandidate)) {
            const auto candidate = ice::parse_candidate(std::string_view{line}.substr(kCandidate.size()));
            if (!candidate || !agent_->add_remote_candidate(*candidate, clock_now())) {
                say("refused " + line);
            }
        }
    }

    void handle(const probe::Socket::Datagram& datagram, Instant now) {
        if (const auto message = stun::Message::parse(datagram.bytes)) {
            if (agent_ && agent_->handle_message(socket_.local(), datagram.from, *message, now)) {
                drain();
            }
        } else if (agent_ && agent_->nominated() && agent_->nominated()->destination == datagram.from) {
            say("received " + std::string{as_text(datagram.bytes)});
        }
    }

    void drain() {
        while (const auto transmit = agent_->poll_transmit()) {
            socket_.send(transmit->destination, transmit->payload);
        }
        while (const auto event = agent_->poll_event()) {
            if (const auto* changed = std::get_if<ice::StateChanged>(&*event)) {
                const bool is_connected =
                    changed->state == ice::AgentState::kConnected || changed->state == ice::AgentState::kCompleted;
                say(is_connected ? "connected" : "state " + std::string{ice::to_text(changed->state)});
            }
        }
    }

    ice::AgentRole role_;
    probe::Socket socket_;
    Rng rng_ = Rng::from_number(static_cast<std::uint64_t>(clock_now().time_since_epoch().count()));
    ice::Credentials own_;
    std::optional<ice::Agent> agent_;
    std::string input_;
    bool has_input_ended_ = false;
    Instant next_hello_{};
};

}  // namespace

int main(int argc, char** argv) {
    const auto address = argc == 3 ? net::IpAddress::parse(argv[2]) : std::nullopt;
    const std::string_view role = argc == 3 ? argv[1] : "";
    if (!address || (role != "controlling" && role != "controlled")) {
        std::fputs("usage: ice_probe controlling|controlled IPV4\n", stderr);
        return 2;
    }
    log::init({.filter = log::LevelFilter::parse("ice=debug").value(), .directory = {}});
    Probe{role == "controlling" ? ice::AgentRole::kControlling : ice::AgentRole::kControlled, *address}.run();
}
