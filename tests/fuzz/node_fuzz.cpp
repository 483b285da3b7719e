// A node with one relay and one connection, fed with arbitrary datagrams from everywhere, and with authentic messages
// of arbitrary content from a peer and a relay that turned evil.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "culvert/connectivity/constants.h"
#include "culvert/connectivity/node.h"
#include "culvert/packet/constants.h"
#include "culvert/stun/integrity.h"
#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"
#include "input.h"

namespace {

using namespace culvert;
using stun::AttributeType;

const net::SocketAddress kLocal = *net::SocketAddress::parse("192.0.2.1:52625");
const net::SocketAddress kPeer = *net::SocketAddress::parse("192.0.2.2:52625");
const net::SocketAddress kRelay = *net::SocketAddress::parse("203.0.113.21:3478");
const connectivity::Credentials kOurs{"ours", "our password"};
const connectivity::Credentials kTheirs{"them", "their password"};

Bytes bytes_of(fuzz::Input& input) {
    return input.take(input.u16() % 1400);
}
net::SocketAddress address_of(fuzz::Input& input) {
    static constexpr std::array<std::uint8_t, 4> kHosts{1, 2, 21, 77};
    const net::IpAddress host{std::array<std::uint8_t, 4>{203, 0, 113, kHosts[input.u8() % 4]}};
    return {host, input.u16()};
}

class Harness {
public:
    explicit Harness(bool is_client)
        : node_{is_client ? connectivity::Role::kClient : connectivity::Role::kGateway, Rng::from_number(1), now_,
                WallTime{}} {
        const connectivity::RelayServer relay{
            .id = {}, .v4 = kRelay, .v6 = {}, .username = "1:salt", .password = "relay password"};
        node_.update_relays({}, std::span{&relay, 1}, now_);
        auto rng = Rng::from_number(2);
        (void)node_.upsert_connection(id_, crypto::KeyPair::generate(rng).public_key(), {}, kOurs, kTheirs, now_);
        settle();
    }

    void step(fuzz::Input& input) {
        switch (input.u8() % 8) {
            case 0:
                return receive(kRelay, bytes_of(input));
            case 1:
                return receive(input.u8() % 2 == 0 ? kPeer : address_of(input), bytes_of(input));
            case 2:
                now_ += std::chrono::milliseconds{input.u16()};
                return settle();
            case 3: {
                const auto text = bytes_of(input);
                node_.add_remote_candidate(id_, as_text(text), now_);
                if (input.u8() % 4 == 0) {
                    node_.remove_remote_candidate(id_, as_text(text), now_);
                }
                return settle();
            }
            case 4:
                return check(input);
            case 5:
                return answer_check(input);
            case 6:
                return answer_relay_request(input);
            case 7: {
                const auto packet = bytes_of(input);
                node_.encapsulate(id_, packet, now_);
                return settle();
            }
            default:
                return;
        }
    }

private:
    void receive(const net::SocketAddress& from, Bytes datagram) {
        const auto result = node_.decapsulate(kLocal, from, datagram, now_);
        if (result && *result) {
            std::abort();  // nobody has the keys to make a data packet
        }
        settle();
    }

    void settle() {
        for (int i = 0; i < 64; ++i) {
            node_.handle_timeout(now_);
            drain();
            const auto next = node_.poll_timeout();
            if (!next || *next > now_) {
                return;
            }
        }
    }

    void drain() {
        while (const auto transmit = node_.poll_transmit()) {
            if (transmit->payload.size() > packet::kMaxTunnelDatagram + 200) {
                std::abort();
            }
            const auto message = stun::Message::parse(transmit->payload);
            if (message && message->cls() == stun::Class::kRequest) {
                (transmit->path.destination == kRelay ? relay_request_ : check_) = message->header();
            }
        }
        while (node_.poll_event()) {
        }
    }

    void check(fuzz::Input& input) {
        stun::MessageBuilder message{stun::Class::kRequest, stun::Method::kBinding, {}};
        message.text(AttributeType::kUsername, kOurs.username + ":" + kTheirs.username);
        message.u32(AttributeType::kPriority, static_cast<std::uint32_t>(input.u16() << 16 | input.u16()));
        if (input.u8() % 2 == 0) {
            message.flag(AttributeType::kUseCandidate);
        }
        const auto from = address_of(input);
        receive(from, message.integrity(as_bytes(kOurs.password)).build());
    }

    void answer_check(fuzz::Input& input) {
        if (!check_) {
            return;
        }
        const auto cls = input.u8() % 4 == 0 ? stun::Class::kError : stun::Class::kSuccess;
        stun::MessageBuilder message{cls, stun::Method::kBinding, check_->transaction_id};
        message.address(AttributeType::kXorMappedAddress, address_of(input));
        receive(kPeer, message.integrity(as_bytes(kTheirs.password)).build());
    }

    void answer_relay_request(fuzz::Input& input) {
        if (!relay_request_) {
            return;
        }
        const auto choice = input.u8();
        const auto cls = choice % 3 == 0 ? stun::Class::kError : stun::Class::kSuccess;
        stun::MessageBuilder message{cls, relay_request_->method, relay_request_->transaction_id};
        if (cls == stun::Class::kError) {
            static constexpr std::array<std::uint16_t, 7> kCodes{400, 401, 420, 437, 438, 500, 508};
            message.error_code(kCodes[input.u8() % kCodes.size()], "");
            message.text(AttributeType::kNonce, "nonce").text(AttributeType::kRealm, "firezone");
        } else {
            message.address(AttributeType::kXorMappedAddress, address_of(input));
            message.address(AttributeType::kXorRelayedAddress, address_of(input));
            message.u32(AttributeType::kLifetime, input.u16());
        }
        if (choice % 5 != 0) {
            message.integrity(stun::long_term_key("1:salt", "firezone", "relay password").reveal());
        }
        receive(kRelay, message.build());
    }

    Instant now_{};
    connectivity::Node node_;
    connectivity::ConnectionId id_;
    std::optional<stun::Header> relay_request_;
    std::optional<stun::Header> check_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input{data, size};
    Harness harness{input.u8() % 2 == 0};
    while (!input.empty()) {
        harness.step(input);
    }
    return 0;
}
