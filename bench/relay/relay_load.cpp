// Sends ChannelData through a TURN server, or plain data back to it, as fast as it comes out at the other end, and
// prints one JSON object. Works with any TURN server that has long-term credentials.
//
//   relay_load --server 10.0.0.1:3478 --local 10.0.0.2 --username U --password P
//              [--direction up|down] [--flows N] [--size BYTES] [--seconds S] [--window PACKETS] [--trains]
//
// The load is a closed loop: no more than the window is under way, so what is measured is what the relay sustains
// without loss, not what the kernel throws away in front of it. --trains sends with UDP_SEGMENT, as our peers do.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/stun/integrity.h"
#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace {

using namespace culvert;
using Clock = std::chrono::steady_clock;
using stun::AttributeType;
using stun::Class;
using stun::Method;

constexpr std::size_t kHeader = 4;
constexpr std::size_t kBatch = 48;
constexpr std::uint16_t kChannel = 0x4000;
constexpr auto kGiveUpOnLost = std::chrono::milliseconds{100};

struct Settings {
    net::SocketAddress server;
    net::IpAddress local;
    std::string username;
    std::string password;
    bool is_up = true;
    std::size_t flows = 1;
    std::size_t size = 1200;
    double seconds = 5;
    std::size_t window = 512;
    bool uses_trains = false;
};

sockaddr_in to_sockaddr(const net::SocketAddress& address) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(address.port);
    std::memcpy(&out.sin_addr, address.ip.bytes().data(), 4);
    return out;
}

class Socket {
public:
    explicit Socket(const net::IpAddress& local) : fd_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
        auto address = to_sockaddr({local, 0});
        socklen_t length = sizeof address;
        constexpr int kOn = 1;
        constexpr int kBuffer = 8 << 20;
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
            throw std::runtime_error{std::string{"cannot bind: "} + std::strerror(errno)};
        }
        ::setsockopt(fd_, SOL_UDP, UDP_GRO, &kOn, sizeof kOn);
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer);
        address_ = {local, ntohs(address.sin_port)};
    }
    ~Socket() { ::close(fd_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    void connect(const net::SocketAddress& to) const {
        const auto address = to_sockaddr(to);
        if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error{std::string{"cannot connect: "} + std::strerror(errno)};
        }
    }
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] const net::SocketAddress& address() const { return address_; }

private:
    int fd_;
    net::SocketAddress address_;
};

/// One client with one allocation and one channel, and the peer at its other end.
class Flow {
public:
    Flow(const Settings& settings, Rng& rng)
        : settings_{settings}, rng_{rng}, client_{settings.local}, peer_{settings.local} {
        client_.connect(settings.server);
        const auto allocated = request(Method::kAllocate, [](stun::MessageBuilder& builder) {
            builder.requested_transport(stun::kTransportUdp).u32(AttributeType::kLifetime, 3600);
        });
        const auto relayed = stun::Message::parse(allocated)->address(AttributeType::kXorRelayedAddress);
        request(Method::kChannelBind, [this](stun::MessageBuilder& builder) {
            builder.channel_number(kChannel).address(AttributeType::kXorPeerAddress, peer_.address());
        });
        peer_.connect(*relayed);
        payload_.resize(settings.size + (settings.is_up ? kHeader : 0));
        if (settings.is_up) {
            store_be(payload_, kChannel);
            store_be(MutableByteSpan{payload_}.subspan(2), static_cast<std::uint16_t>(settings.size));
        }
        for (std::size_t i = 0; i < kBatch; ++i) {
            train_.insert(train_.end(), payload_.begin(), payload_.end());
        }
    }
    ~Flow() {
        try {
            request(Method::kRefresh, [](stun::MessageBuilder& builder) { builder.u32(AttributeType::kLifetime, 0); });
        } catch (const std::exception&) {
            // The relay forgets the allocation by itself in time.
        }
    }
    Flow(const Flow&) = delete;
    Flow& operator=(const Flow&) = delete;

    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t lost = 0;

    [[nodiscard]] int source() const { return settings_.is_up ? client_.fd() : peer_.fd(); }
    [[nodiscard]] int sink() const { return settings_.is_up ? peer_.fd() : client_.fd(); }

    bool send(std::size_t window) {
        const auto under_way = sent - received - lost;
        if (under_way + kBatch > window) {
            return false;
        }
        sent += settings_.uses_trains ? send_train() : send_singly();
        return true;
    }

    bool receive() {
        static std::array<std::array<std::byte, 65536>, 16> buffers;
        std::array<mmsghdr, buffers.size()> messages{};
        std::array<iovec, buffers.size()> pieces{};
        for (std::size_t i = 0; i < buffers.size(); ++i) {
            pieces[i] = {buffers[i].data(), buffers[i].size()};
            messages[i].msg_hdr.msg_iov = &pieces[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        const int count = ::recvmmsg(sink(), messages.data(), messages.size(), MSG_DONTWAIT, nullptr);
        const auto unit = settings_.size + (settings_.is_up ? 0 : kHeader);
        for (int i = 0; i < count; ++i) {
            received += messages[static_cast<std::size_t>(i)].msg_len / unit;
        }
        return count > 0;
    }

    void write_off() { lost = sent - received; }

private:
    std::size_t send_train() {
        iovec piece{train_.data(), train_.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> control{};
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const auto size = static_cast<std::uint16_t>(payload_.size());
        std::memcpy(CMSG_DATA(header), &size, sizeof size);
        return ::sendmsg(source(), &message, MSG_DONTWAIT) < 0 ? 0 : kBatch;
    }

    std::size_t send_singly() {
        std::array<mmsghdr, kBatch> messages{};
        iovec piece{payload_.data(), payload_.size()};
        for (auto& message : messages) {
            message.msg_hdr.msg_iov = &piece;
            message.msg_hdr.msg_iovlen = 1;
        }
        const int count = ::sendmmsg(source(), messages.data(), messages.size(), MSG_DONTWAIT);
        return count < 0 ? 0 : static_cast<std::size_t>(count);
    }

    template <typename AddAttributes>
    Bytes request(Method method, const AddAttributes& add_attributes) {
        for (int attempt = 0; attempt < 3; ++attempt) {
            stun::MessageBuilder builder{Class::kRequest, method, stun::make_transaction_id(rng_)};
            add_attributes(builder);
            if (nonce_) {
                const auto key = stun::long_term_key(settings_.username, realm_, settings_.password);
                builder.text(AttributeType::kUsername, settings_.username)
                    .text(AttributeType::kRealm, realm_)
                    .text(AttributeType::kNonce, *nonce_)
                    .integrity(key.reveal());
            }
            auto response = exchange(builder.build());
            const auto message = stun::Message::parse(response);
            const auto error = message ? message->error_code() : std::nullopt;
            if (message && !error) {
                return response;
            }
            if (!error || (error->code != stun::kUnauthorized && error->code != stun::kStaleNonce)) {
                throw std::runtime_error{"the relay refused: " +
                                         std::string{error ? error->reason : "malformed response"}};
            }
            realm_ = message->text(AttributeType::kRealm).value_or("");
            nonce_ = message->text(AttributeType::kNonce).value_or("");
        }
        throw std::runtime_error{"the relay refuses the credentials"};
    }

    /// Sends and waits for the response to it, through whatever data is still arriving.
    Bytes exchange(const Bytes& datagram) const {
        for (int attempt = 0; attempt < 3; ++attempt) {
            (void)::send(client_.fd(), datagram.data(), datagram.size(), 0);
            for (pollfd waiting{client_.fd(), POLLIN, 0}; ::poll(&waiting, 1, 1000) > 0;) {
                Bytes response(65536);
                const auto length = ::recv(client_.fd(), response.data(), response.size(), 0);
                response.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
                if (response.size() >= 20 &&
                    equal(ByteSpan{response}.subspan(4, 16), ByteSpan{datagram}.subspan(4, 16))) {
                    return response;
                }
            }
        }
        throw std::runtime_error{"the relay does not answer"};
    }

    const Settings& settings_;
    Rng& rng_;
    Socket client_;
    Socket peer_;
    std::string realm_;
    std::optional<std::string> nonce_;
    Bytes payload_;
    Bytes train_;
};

template <typename T>
T to_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw std::invalid_argument{"not a number: " + std::string{text}};
    }
    return value;
}

Settings parse(int argc, char** argv) {
    Settings settings;
    std::map<std::string_view, std::string_view> values;
    for (int i = 1; i < argc; ++i) {
        if (std::string_view{argv[i]} == "--trains") {
            settings.uses_trains = true;
        } else if (i + 1 < argc) {
            values[argv[i]] = argv[i + 1];
            ++i;
        } else {
            throw std::invalid_argument{"no value for " + std::string{argv[i]}};
        }
    }
    for (const auto& [name, value] : values) {
        if (name == "--server") {
            settings.server = net::SocketAddress::parse(value).value();
        } else if (name == "--local") {
            settings.local = net::IpAddress::parse(value).value();
        } else if (name == "--username") {
            settings.username = value;
        } else if (name == "--password") {
            settings.password = value;
        } else if (name == "--direction") {
            settings.is_up = value == "up";
        } else if (name == "--flows") {
            settings.flows = std::max<std::size_t>(1, to_number<std::size_t>(value));
        } else if (name == "--size") {
            settings.size = to_number<std::size_t>(value);
        } else if (name == "--seconds") {
            settings.seconds = to_number<double>(value);
        } else if (name == "--window") {
            settings.window = to_number<std::size_t>(value);
        } else {
            throw std::invalid_argument{"unknown option " + std::string{name}};
        }
    }
    return settings;
}

void run(const Settings& settings) {
    auto rng = Rng::from_number(static_cast<std::uint64_t>(Clock::now().time_since_epoch().count()));
    std::vector<std::unique_ptr<Flow>> flows;
    std::vector<pollfd> sinks;
    for (std::size_t i = 0; i < settings.flows; ++i) {
        flows.push_back(std::make_unique<Flow>(settings, rng));
        sinks.push_back({flows.back()->sink(), POLLIN, 0});
    }
    const auto window = std::max(settings.window / settings.flows, kBatch);
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration<double>(settings.seconds);
    auto last_progress = start;
    for (auto now = start; now < end; now = Clock::now()) {
        bool is_idle = true;
        for (auto& flow : flows) {
            is_idle &= !flow->send(window);
        }
        for (auto& flow : flows) {
            while (flow->receive()) {
                is_idle = false;
            }
        }
        if (!is_idle) {
            last_progress = now;
        } else if (now - last_progress > kGiveUpOnLost) {
            for (auto& flow : flows) {
                flow->write_off();
            }
        } else {
            ::poll(sinks.data(), sinks.size(), 1);
        }
    }
    const auto seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t lost = 0;
    for (const auto& flow : flows) {
        sent += flow->sent;
        received += flow->received;
        lost += flow->lost;
    }
    std::printf("{\"seconds\": %.3f, \"sent\": %llu, \"received\": %llu, \"lost\": %llu}\n", seconds,
                static_cast<unsigned long long>(sent), static_cast<unsigned long long>(received),
                static_cast<unsigned long long>(lost));
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
        return EXIT_SUCCESS;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "relay_load: %s\n", e.what());
        return EXIT_FAILURE;
    }
}
