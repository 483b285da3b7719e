// A wire between two interfaces of a network namespace that loses, delays and reorders frames and has a limited rate:
// what the kernel's netem would do (spec/testing.md section 6.8).
//
//   lab_wire INTERFACE_A INTERFACE_B [SEED]
//
// Reads lines from standard input until that ends. Each sets the named properties, of both directions, or of one if it
// begins with a2b or b2a; the others stay as they were:
//
//   loss=0.05        part of the frames that is lost
//   delay=25         milliseconds
//   reorder=0.1      part of the frames that takes 10 ms longer
//   rate=10          Mbit/s; 0: unlimited
//   queue=250        milliseconds: how far behind the rate the wire may fall before it drops
//   stats            prints how many frames passed and were dropped, by direction, and forgets that
//
// Each line is answered with one. Frames of address resolution are only delayed.

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <queue>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kReorderedBy = 10ms;
constexpr int kReceiveBuffer = 64 << 20;
constexpr std::size_t kVnetHeader = 10;  // struct virtio_net_hdr, whose header is no C++
constexpr std::size_t kEtherHeader = 14;
constexpr std::size_t kLargestFrame = 70'000;
constexpr int kBurst = 256;

[[noreturn]] void die(const std::string& what) {
    std::perror(("lab_wire: " + what).c_str());
    std::exit(1);
}

/// One end. The header of virtio in front of each frame carries checksums that are still to be calculated.
class End {
public:
    explicit End(const char* interface) : fd_{::socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))} {
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_ALL);
        address.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
        packet_mreq promiscuous{};
        promiscuous.mr_ifindex = address.sll_ifindex;
        promiscuous.mr_type = PACKET_MR_PROMISC;
        if (fd_ < 0 || address.sll_ifindex == 0) {
            die(interface);
        }
        set(SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer);
        set(SOL_PACKET, PACKET_VNET_HDR, 1);
        set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
        set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous);
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            die(interface);
        }
    }
    ~End() { ::close(fd_); }
    End(const End&) = delete;
    End& operator=(const End&) = delete;

    [[nodiscard]] int fd() const { return fd_; }

    /// Empty if there is none.
    [[nodiscard]] std::vector<std::uint8_t> receive() const {
        static std::array<std::uint8_t, kLargestFrame> buffer;
        const auto size = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        return size <= 0 ? std::vector<std::uint8_t>{}
                         : std::vector<std::uint8_t>(buffer.begin(), buffer.begin() + size);
    }

    [[nodiscard]] bool send(const std::vector<std::uint8_t>& frame) const {
        return ::send(fd_, frame.data(), frame.size(), 0) >= 0;
    }

private:
    template <typename Value>
    void set(int level, int option, const Value& value) const {
        if (::setsockopt(fd_, level, option, &value, sizeof value) != 0) {
            die("setsockopt");
        }
    }

    int fd_;
};

/// ARP, and the messages of IPv6 that do the same.
bool is_address_resolution(const std::vector<std::uint8_t>& frame) {
    constexpr std::size_t kType = kVnetHeader + 12;
    constexpr std::size_t kNextHeader = kVnetHeader + kEtherHeader + 6;
    constexpr std::size_t kIcmpType = kVnetHeader + kEtherHeader + 40;
    if (frame.size() <= kType + 1) {
        return false;
    }
    const auto type = frame[kType] << 8 | frame[kType + 1];
    return type == ETH_P_ARP ||
           (type == ETH_P_IPV6 && frame.size() > kIcmpType && frame[kNextHeader] == IPPROTO_ICMPV6 &&
            frame[kIcmpType] >= 133 && frame[kIcmpType] <= 137);
}

class Direction {
public:
    Direction(End& from, End& to, std::uint64_t seed) : from_{from}, to_{to}, random_{seed} {}

    bool set(const std::string& name, double value) {
        if (name == "loss") {
            loss_ = value;
        } else if (name == "delay") {
            delay_ = milliseconds(value);
        } else if (name == "reorder") {
            reorder_ = value;
        } else if (name == "rate") {
            megabits_ = value;
            free_at_ = {};
        } else if (name == "queue") {
            longest_queue_ = milliseconds(value);
        } else {
            return false;
        }
        return true;
    }

    void take_in(Clock::time_point now) {
        for (int i = 0; i < kBurst; ++i) {
            auto frame = from_.receive();
            if (frame.empty()) {
                return;
            }
            if (is_address_resolution(frame)) {
                flights_.push({now + delay_, number_++, std::move(frame)});
                continue;
            }
            auto leaves = now;
            if (megabits_ > 0) {
                leaves = std::max(now, free_at_);
                if (leaves - now > longest_queue_) {
                    ++dropped_;
                    continue;
                }
                leaves += milliseconds(static_cast<double>((frame.size() - kVnetHeader) * 8) / megabits_ / 1000);
                free_at_ = leaves;
            }
            if (happens(loss_)) {
                ++dropped_;
                continue;
            }
            flights_.push({leaves + delay_ + (happens(reorder_) ? kReorderedBy : 0ms), number_++, std::move(frame)});
        }
    }

    void deliver(Clock::time_point now) {
        while (!flights_.empty() && flights_.top().due <= now) {
            ++(to_.send(flights_.top().frame) ? passed_ : dropped_);
            flights_.pop();
        }
    }

    [[nodiscard]] Clock::time_point next() const {
        return flights_.empty() ? Clock::time_point::max() : flights_.top().due;
    }

    std::string take_statistics() {
        auto text = "passed=" + std::to_string(passed_) + " dropped=" + std::to_string(dropped_);
        passed_ = dropped_ = 0;
        return text;
    }

private:
    struct Flight {
        Clock::time_point due;
        std::uint64_t number;
        std::vector<std::uint8_t> frame;

        friend bool operator>(const Flight& a, const Flight& b) {
            return std::pair{a.due, a.number} > std::pair{b.due, b.number};
        }
    };

    static Clock::duration milliseconds(double value) {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>{value});
    }

    bool happens(double probability) { return std::uniform_real_distribution{}(random_) < probability; }

    End& from_;
    End& to_;
    std::mt19937_64 random_;
    double loss_ = 0;
    double reorder_ = 0;
    double megabits_ = 0;
    Clock::duration delay_{};
    Clock::duration longest_queue_ = 250ms;
    Clock::time_point free_at_;
    std::priority_queue<Flight, std::vector<Flight>, std::greater<>> flights_;
    std::uint64_t number_ = 0;
    std::uint64_t passed_ = 0;
    std::uint64_t dropped_ = 0;
};

class Wire {
public:
    Wire(const char* a, const char* b, std::uint64_t seed) : a_{a}, b_{b}, a2b_{a_, b_, seed}, b2a_{b_, a_, seed + 1} {}

    void run() {
        say("ready");
        while (true) {
            std::array<pollfd, 3> ready{{{a_.fd(), POLLIN, 0}, {b_.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
            wait(ready);
            const auto now = Clock::now();
            if (ready[0].revents != 0) {
                a2b_.take_in(now);
            }
            if (ready[1].revents != 0) {
                b2a_.take_in(now);
            }
            a2b_.deliver(now);
            b2a_.deliver(now);
            if (ready[2].revents != 0 && !read_commands()) {
                return;
            }
        }
    }

private:
    static void say(const std::string& line) { std::cout << line << std::endl; }

    void wait(std::array<pollfd, 3>& ready) const {
        const auto next = std::min(a2b_.next(), b2a_.next());
        timespec left{};
        if (next != Clock::time_point::max()) {
            const auto nanoseconds =
                std::max(std::chrono::nanoseconds{next - Clock::now()}, std::chrono::nanoseconds{0}).count();
            left = {.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
        }
        ::ppoll(ready.data(), ready.size(), next == Clock::time_point::max() ? nullptr : &left, nullptr);
    }

    /// False at the end of the input.
    bool read_commands() {
        std::array<char, 4096> buffer;
        const auto size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (size <= 0) {
            return false;
        }
        input_.append(buffer.data(), static_cast<std::size_t>(size));
        for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
            handle(input_.substr(0, end));
            input_.erase(0, end + 1);
        }
        return true;
    }

    void handle(const std::string& line) {
        std::istringstream words{line};
        std::string word;
        std::vector<Direction*> directions{&a2b_, &b2a_};
        while (words >> word) {
            const auto equals = word.find('=');
            if (word == "a2b" || word == "b2a") {
                directions = {word == "a2b" ? &a2b_ : &b2a_};
            } else if (word == "stats") {
                say("a2b " + a2b_.take_statistics() + " b2a " + b2a_.take_statistics());
                return;
            } else if (equals == std::string::npos) {
                say("error: " + word);
                return;
            } else {
                for (auto* direction : directions) {
                    if (!direction->set(word.substr(0, equals), std::atof(word.c_str() + equals + 1))) {
                        say("error: " + word);
                        return;
                    }
                }
            }
        }
        say("ok");
    }

    End a_;
    End b_;
    Direction a2b_;
    Direction b2a_;
    std::string input_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: lab_wire INTERFACE_A INTERFACE_B [SEED]\n";
        return 2;
    }
    Wire{argv[1], argv[2], argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1}.run();
}
