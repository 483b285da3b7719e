// Endpoints among peers that may say anything: segments with chosen numbers, flags, options and payloads for
// connections that exist, half exist or do not, while users write, read, close, and time passes. Nothing may break, and
// everything must come to rest.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "culvert/tcp/dns_client.h"
#include "culvert/tcp/dns_server.h"
#include "culvert/tcp/endpoints.h"
#include "input.h"

namespace {

using namespace culvert;
using namespace culvert::tcp;
using namespace std::chrono_literals;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

using fuzz::Input;

const auto kListener = *net::SocketAddress::parse("100.100.111.1:53");
const auto kResolver = *net::SocketAddress::parse("10.0.0.53:53");
const auto kLocal = *net::IpAddress::parse("100.64.0.1");

class World {
public:
    World() {
        endpoints_.listen(kListener);
        server_.set_addresses({kListener}, now_);
        client_.set_local_addresses(kLocal, std::nullopt, now_);
    }

    void step(Input& input) {
        switch (input.u8() % 10) {
            case 0:
            case 1:
            case 2:
            case 3:
                speak(input);
                break;
            case 4:
                now_ += input.u8() * 20ms;
                tick();
                break;
            case 5:
                if (const auto id = endpoints_.connect(kLocal, kResolver, now_)) {
                    remember(*endpoints_.route(*id), Sequence{}, Sequence{});
                }
                break;
            case 6:
                static_cast<void>(endpoints_.write(some_id(input), Bytes(input.u8() * std::size_t{40}), now_));
                break;
            case 7: {
                const auto id = some_id(input);
                endpoints_.consume(id, std::min<std::size_t>(endpoints_.readable(id).size(), input.u8() * 50U), now_);
                break;
            }
            case 8:
                if (input.u8() % 2 == 0) {
                    endpoints_.close(some_id(input), now_);
                } else {
                    endpoints_.abort(some_id(input), now_);
                }
                break;
            default:
                asked_ += 1;
                static_cast<void>(client_.ask(kResolver, Bytes(12U + input.u8()), now_));
                break;
        }
        drain();
    }

    void come_to_rest() {
        for (int i = 0; i < 20'000; ++i) {
            const auto next = earliest(endpoints_.poll_timeout(), server_.poll_timeout(), client_.poll_timeout());
            if (!next) {
                require(answered_ == asked_);
                return;
            }
            now_ = std::max(now_, *next);
            tick();
            drain();
            // Peers are silent, and users have gone: an idle connection would stay for ever.
            for (const auto id : opened_) {
                endpoints_.close(id, now_);
            }
        }
        std::abort();
    }

private:
    /// What a peer may know: the two ends, and where the numbers stand.
    struct Known {
        Route route;  // from our side
        Sequence ours;
        Sequence theirs;
    };

    void remember(const Route& route, Sequence ours, Sequence theirs) {
        const auto found = std::ranges::find(known_, route, &Known::route);
        if (found != known_.end()) {
            found->ours = ours;
            found->theirs = theirs;
        } else if (known_.size() < 64) {
            known_.push_back({route, ours, theirs});
        }
    }

    ConnectionId some_id(Input& input) { return {1 + input.u8() % 40U}; }

    void speak(Input& input) {
        const auto who = input.u8();
        Known peer{{kListener, {kLocal, who}}, Sequence{}, Sequence{}};
        if (!known_.empty() && who % 4 != 0) {
            peer = known_[who % known_.size()];
        }
        const auto nearby = [&](Sequence base) {
            const auto selector = input.u8();
            return selector < 160 ? base : base + static_cast<std::size_t>(static_cast<std::int8_t>(selector)) * 300U;
        };
        const Bytes payload(input.u8() % 4 == 0 ? input.u8() * std::size_t{100} : input.u8() % 4U, std::byte{0});
        Segment segment;
        segment.sequence = nearby(peer.theirs);
        segment.acknowledgement = nearby(peer.ours);
        segment.flags = input.u8();
        segment.window = static_cast<std::uint16_t>(input.u8() << (input.u8() % 9));
        if (segment.has(packet::kTcpSyn) && input.u8() % 2 == 0) {
            segment.max_segment_size = static_cast<std::uint16_t>(input.u8() * 8);
        }
        segment.payload = payload;
        auto bytes = make_packet({peer.route.remote, peer.route.local}, segment);
        const auto packet = packet::IpPacket::parse(bytes, packet::kMaxSuperPacket);
        require(packet.has_value());
        static_cast<void>(endpoints_.handle_packet(*packet, Checksums::kVerify, now_));
        static_cast<void>(server_.handle_packet(*packet, Checksums::kVerify, now_));
        static_cast<void>(client_.handle_packet(*packet, Checksums::kVerify, now_));
    }

    void tick() {
        endpoints_.handle_timeout(now_);
        server_.handle_timeout(now_);
        client_.handle_timeout(now_);
    }

    template <typename T>
    void drain_packets(T& object) {
        for (int i = 0; auto packet = object.poll_transmit(); ++i) {
            require(i < 5000 && packet->size() <= packet::kMaxIpPacket);
            const auto parsed = packet::IpPacket::parse(*packet);
            require(parsed && parsed->checksums_are_valid());
            const auto segment = read_segment(*parsed);
            const auto route = route_of(*parsed);
            remember({route.remote, route.local}, segment.sequence + segment.length(), segment.acknowledgement);
        }
    }

    void drain() {
        drain_packets(endpoints_);
        drain_packets(server_);
        drain_packets(client_);
        while (const auto event = endpoints_.poll_event()) {
            if (event->signal == Signal::kOpened) {
                opened_.push_back(event->connection);
            }
        }
        while (auto query = server_.poll_query()) {
            require(query->message.size() >= MessageReader::kMinMessage);
            if (query->message[0] == std::byte{0}) {
                server_.respond(query->connection, query->message, now_);
            }
        }
        while (client_.poll_answer()) {
            answered_ += 1;
        }
        require(endpoints_.size() <= 256 + 64);
        require(server_.connections() <= 10);
    }

    Instant now_ = Instant{} + 1h;
    Endpoints endpoints_{{}, Rng::from_number(1)};
    DnsServer server_{Rng::from_number(2)};
    DnsClient client_{Rng::from_number(3)};
    std::vector<Known> known_;
    std::vector<ConnectionId> opened_;
    std::size_t asked_ = 0;
    std::size_t answered_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    World world;
    for (int steps = 0; !input.empty() && steps < 1000; ++steps) {
        world.step(input);
    }
    world.come_to_rest();
    return 0;
}
