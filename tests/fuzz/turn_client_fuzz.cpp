// A TURN client and a relay that may do anything: answer rightly, refuse, lie, answer late, twice or with changed
// bytes, while the user binds channels and time passes. The client must stay consistent and come to rest.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "culvert/packet/constants.h"
#include "culvert/stun/message_builder.h"
#include "culvert/turn/allocation.h"
#include "culvert/turn/channel_data.h"
#include "input.h"

namespace {

using namespace culvert;
using namespace culvert::turn;
using namespace std::chrono_literals;
using stun::AttributeType;
using stun::Class;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

using fuzz::Input;

const auto kRelay4 = *net::SocketAddress::parse("203.0.113.21:3478");
const auto kRelay6 = *net::SocketAddress::parse("[2001:db8:113::21]:3478");
const auto kLocal4 = *net::SocketAddress::parse("172.30.0.100:52625");
const auto kLocal6 = *net::SocketAddress::parse("[2001:db8:30::100]:52625");

net::SocketAddress some_address(std::uint8_t selector) {
    if (selector % 4 == 3) {
        return {net::IpAddress{std::array<std::uint8_t, 16>{0x20, 0x01, 0x0d, 0xb8}}, selector};
    }
    return {net::IpAddress{std::array<std::uint8_t, 4>{192, 0, 2, static_cast<std::uint8_t>(selector % 8)}}, selector};
}

class World {
public:
    World()
        : client_{{.v4 = kRelay4, .v6 = kRelay6}, {"user", "password", "firezone"}, "fuzz", Rng::from_number(1), now_} {
    }

    void step(Input& input) {
        switch (input.u8() % 8) {
            case 0:
            case 1:
            case 2:
                answer(input);
                break;
            case 3:
                now_ += input.u8() * 100ms;
                client_.handle_timeout(now_);
                break;
            case 4:
                if (const auto next = client_.poll_timeout()) {
                    require(*next >= now_);
                    now_ = *next;
                    client_.handle_timeout(now_);
                }
                break;
            case 5:
                client_.bind_channel(some_address(input.u8()), now_);
                break;
            case 6:
                use_channel(input.u8());
                break;
            default:
                client_.refresh(now_);
                break;
        }
        drain();
    }

    /// Without a relay everything ends: nothing may be repeated for ever.
    void come_to_rest() {
        for (int i = 0; i < 10'000; ++i) {
            const auto next = client_.poll_timeout();
            if (!next) {
                return;
            }
            now_ = std::max(now_, *next);
            client_.handle_timeout(now_);
            drain();
        }
        std::abort();
    }

private:
    void drain() {
        for (int i = 0; auto transmit = client_.poll_transmit(); ++i) {
            require(i < 100'000);
            require(transmit->payload.size() <= packet::kMaxTunnelDatagram);
            const auto message = stun::Message::parse(transmit->payload);
            require(message.has_value() && message->cls() == Class::kRequest);
            require(message->has_integrity() == (message->method() != stun::Method::kBinding));
            requests_.push_back(std::move(*transmit));
        }
        while (requests_.size() > 32) {
            requests_.pop_front();
        }
        while (const auto event = client_.poll_event()) {
            if (const auto* added = std::get_if<NewCandidate>(&*event)) {
                known_.push_back(added->candidate);
            } else {
                const auto& removed = std::get<InvalidCandidate>(*event).candidate;
                const auto at = std::ranges::find(known_, removed);
                require(at != known_.end());
                known_.erase(at);
            }
        }
        // What was announced is what there is.
        const auto current = client_.candidates();
        require(current.size() == known_.size());
        require(std::ranges::all_of(
            current, [&](const GatheredCandidate& c) { return std::ranges::find(known_, c) != known_.end(); }));
        require(client_.has_allocation() || !client_.relay_address(net::Family::kIpv4));
    }

    void use_channel(std::uint8_t selector) {
        const auto peer = some_address(selector);
        if (const auto channel = client_.channel_to(peer, now_)) {
            require(*channel >= kFirstChannel && *channel <= kLastChannel);
            for (const auto& server : {kRelay4, kRelay6}) {
                const auto back = client_.receive_on_channel(server, *channel);
                require(!back || (*back == peer && server == client_.active_socket()));
            }
        }
        static_cast<void>(client_.receive_on_channel(kRelay4, static_cast<std::uint16_t>(selector << 8)));
    }

    void answer(Input& input) {
        if (requests_.empty()) {
            return;
        }
        const auto& request = requests_[input.u8() % requests_.size()];
        const auto parsed = stun::Message::parse(request.payload).value();
        const auto what = input.u8();
        stun::MessageBuilder builder{(what & 1) != 0 ? Class::kSuccess : Class::kError, parsed.method(),
                                     parsed.transaction_id()};
        if ((what & 1) == 0) {
            constexpr std::array<std::uint16_t, 8> kCodes{400, 401, 401, 420, 437, 437, 438, 500};
            builder.error_code(kCodes[input.u8() % kCodes.size()], "reason");
        }
        if ((what & 2) != 0) {
            builder.address(AttributeType::kXorRelayedAddress, some_address(input.u8()))
                .address(AttributeType::kXorMappedAddress, some_address(input.u8()));
        }
        if ((what & 4) != 0) {
            builder.u32(AttributeType::kLifetime, std::uint32_t{input.u8()} << input.u8() % 25);
        }
        if ((what & 8) != 0) {
            builder.text(AttributeType::kNonce, (what & 128) != 0 ? "nonce" : "another");
        }
        if ((what & 16) != 0) {
            builder.text(AttributeType::kRealm, input.u8() % 8 == 0 ? "example.org" : "firezone");
        }
        if ((what & 32) == 0) {
            builder.integrity(stun::long_term_key("user", "firezone", "password").reveal());
        }
        auto bytes = builder.build();
        if ((what & 64) != 0) {
            bytes[input.u8() % bytes.size()] ^= static_cast<std::byte>(input.u8());
        }
        client_.handle_input(request.path.destination.is_v4() ? kLocal4 : kLocal6, request.path.destination, bytes,
                             now_);
    }

    Instant now_{};
    Allocation client_;
    std::deque<net::Transmit> requests_;
    std::vector<GatheredCandidate> known_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    World world;
    for (int steps = 0; !input.empty() && steps < 2000; ++steps) {
        world.step(input);
    }
    world.come_to_rest();
    return 0;
}
