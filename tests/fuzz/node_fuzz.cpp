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

namespace {

using namespace culvert;
using stun::AttributeType;

const net::SocketAddress kLocal = *net::SocketAddress::parse("192.0.2.1:52625");
const net::SocketAddress kPeer = *net::SocketAddress::parse("192.0.2.2:52625");
const net::SocketAddress kRelay = *net::SocketAddress::parse("203.0.113.21:3478");
const connectivity::Credentials kOurs{"ours", "our password"};
const connectivity::Credentials kTheirs{"them", "their password"};

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_{data, size} {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) {
            return 0;
        }
        const auto value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    std::uint16_t word() { return static_cast<std::uint16_t>(byte() << 8 | byte()); }
    /// At most what is left, with a length in front.
    Bytes bytes() {
        const auto length = std::min<std::size_t>(word() % 1400, rest_.size());
        const auto result = to_bytes(std::as_bytes(rest_.first(length)));
        rest_ = rest_.subspan(length);
        return result;
    }
    net::SocketAddress address() {
        static constexpr std::array<std::uint8_t, 4> kHosts{1, 2, 21, 77};
        return {net::IpAddress{std::array<std::uint8_t, 4>{203, 0, 113, kHosts[byte() % 4]}}, word()};
    }

private:
    std::span<const std::uint8_t> rest_;
};

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

    void step(Input& input) {
        switch (input.byte() % 8) {
            case 0:
                return receive(kRelay, input.bytes());
            case 1:
                return receive(input.byte() % 2 == 0 ? kPeer : input.address(), input.bytes());
            case 2:
                now_ += std::chrono::milliseconds{input.word()};
                return settle();
            case 3: {
                const auto text = input.bytes();
                node_.add_remote_candidate(id_, as_text(text), now_);
                if (input.byte() % 4 == 0) {
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
                const auto packet = input.bytes();
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

    void check(Input& input) {
        stun::MessageBuilder message{stun::Class::kRequest, stun::Method::kBinding, {}};
        message.text(AttributeType::kUsername, kOurs.username + ":" + kTheirs.username);
        message.u32(AttributeType::kPriority, static_cast<std::uint32_t>(input.word() << 16 | input.word()));
        if (input.byte() % 2 == 0) {
            message.flag(AttributeType::kUseCandidate);
        }
        const auto from = input.address();
        receive(from, message.integrity(as_bytes(kOurs.password)).build());
    }

    void answer_check(Input& input) {
        if (!check_) {
            return;
        }
        const auto cls = input.byte() % 4 == 0 ? stun::Class::kError : stun::Class::kSuccess;
        stun::MessageBuilder message{cls, stun::Method::kBinding, check_->transaction_id};
        message.address(AttributeType::kXorMappedAddress, input.address());
        receive(kPeer, message.integrity(as_bytes(kTheirs.password)).build());
    }

    void answer_relay_request(Input& input) {
        if (!relay_request_) {
            return;
        }
        const auto choice = input.byte();
        const auto cls = choice % 3 == 0 ? stun::Class::kError : stun::Class::kSuccess;
        stun::MessageBuilder message{cls, relay_request_->method, relay_request_->transaction_id};
        if (cls == stun::Class::kError) {
            static constexpr std::array<std::uint16_t, 7> kCodes{400, 401, 420, 437, 438, 500, 508};
            message.error_code(kCodes[input.byte() % kCodes.size()], "");
            message.text(AttributeType::kNonce, "nonce").text(AttributeType::kRealm, "firezone");
        } else {
            message.address(AttributeType::kXorMappedAddress, input.address());
            message.address(AttributeType::kXorRelayedAddress, input.address());
            message.u32(AttributeType::kLifetime, input.word());
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
    Input input{data, size};
    Harness harness{input.byte() % 2 == 0};
    while (!input.empty()) {
        harness.step(input);
    }
    return 0;
}
