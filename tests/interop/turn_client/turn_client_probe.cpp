// Our TURN client against whatever relay listens at the given address, over a real socket. Prints one line per
// observation; the test that starts it decides what they should be.
//
//   turn_client_probe SERVER:PORT USERNAME PASSWORD [--translate-challenge]
//
// Servers other than ours refuse our first ALLOCATE, which is signed although no nonce is known, with 400; and they do
// not protect their 401 with MESSAGE-INTEGRITY, on which the client insists. --translate-challenge gets past that
// point: the probe asks for the server's challenge itself and passes it on as a 401 to the client's request, first as
// it came (the client must refuse it), then signed. Nothing else is changed.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "culvert/log_output/log_setup.h"
#include "culvert/stun/message_builder.h"
#include "culvert/turn/allocation.h"
#include "culvert/turn/channel_data.h"
#include "tests/interop/probe_socket.h"

namespace {

using namespace culvert;
using namespace std::chrono_literals;
using probe::clock_now;
using probe::Socket;

class Probe {
public:
    Probe(const net::SocketAddress& server, turn::LongTermCredentials credentials, bool translate_challenge)
        : server_{server},
          key_{stun::long_term_key(credentials.username, credentials.realm, credentials.password)},
          translates_challenge_{translate_challenge},
          client_{{.v4 = server, .v6 = std::nullopt}, std::move(credentials), "culvert", rng_.fork(), clock_now()} {}

    /// Runs until `is_done` or for `limit`.
    template <typename Predicate>
    bool run(std::chrono::milliseconds limit, Predicate is_done) {
        const auto end = clock_now() + limit;
        for (;;) {
            flush();
            if (is_done()) {
                return true;
            }
            auto until = end;
            if (const auto next = client_.poll_timeout(); next && *next < until) {
                until = *next;
            }
            const auto now = clock_now();
            if (now >= end) {
                return false;
            }
            const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(until - now, Duration{}));
            if (const auto datagram = socket_.receive(wait)) {
                handle(*datagram);
            }
            client_.handle_timeout(clock_now());
        }
    }

    turn::Allocation& client() { return client_; }
    [[nodiscard]] const std::optional<std::string>& received() const { return received_; }

    void send_data(const net::SocketAddress& peer, std::string_view text) {
        if (const auto channel = client_.channel_to(peer, clock_now())) {
            Bytes datagram(turn::kChannelDataHeaderSize);
            turn::encode_channel_data_header(datagram, {*channel, static_cast<std::uint16_t>(text.size())});
            append(datagram, as_bytes(text));
            socket_.send(server_, datagram);
        }
    }

private:
    static Rng make_rng() {
        return Rng::from_number(static_cast<std::uint64_t>(clock_now().time_since_epoch().count()));
    }

    void flush() {
        while (const auto transmit = client_.poll_transmit()) {
            socket_.send(transmit->path.destination, transmit->payload);
        }
        while (const auto event = client_.poll_event()) {
            const bool is_new = std::holds_alternative<turn::NewCandidate>(*event);
            const auto& candidate = is_new ? std::get<turn::NewCandidate>(*event).candidate
                                           : std::get<turn::InvalidCandidate>(*event).candidate;
            constexpr std::array kNames{"host", "srflx", "relay"};
            std::printf("candidate %s %s %s\n", is_new ? "new" : "invalid",
                        kNames.at(static_cast<std::size_t>(candidate.kind)), candidate.address.to_string().c_str());
        }
        std::fflush(stdout);
    }

    void handle(const Socket::Datagram& datagram) {
        const auto now = clock_now();
        if (const auto message = stun::Message::parse(datagram.bytes)) {
            if (own_request_ == message->transaction_id()) {
                translate_challenge(*message, datagram.from, now);
                return;
            }
            const bool is_accepted = deliver(*message, datagram.from, now);
            if (!is_accepted && translates_challenge_ && message->is(stun::Class::kError, stun::Method::kAllocate)) {
                refused_ = message->transaction_id();
                own_request_ = stun::make_transaction_id(rng_);
                stun::MessageBuilder ask{stun::Class::kRequest, stun::Method::kAllocate, *own_request_};
                socket_.send(server_, ask.requested_transport(stun::kTransportUdp).build());
            }
        } else if (const auto data = turn::decode_channel_data(datagram.bytes, turn::TrailingBytes::kRefuse)) {
            if (client_.receive_on_channel(datagram.from, data->channel)) {
                received_ = std::string{as_text(ByteSpan{datagram.bytes}.subspan(turn::kChannelDataHeaderSize))};
            }
        }
    }

    bool deliver(const stun::Message& message, const net::SocketAddress& from, Instant now) {
        const bool is_accepted = client_.handle_input(socket_.local(), from, message, now);
        const auto error = message.error_code();
        std::printf("response method=%d code=%d integrity=%s accepted=%s\n", static_cast<int>(message.method()),
                    error ? error->code : 0, message.has_integrity() ? "yes" : "no", is_accepted ? "yes" : "no");
        return is_accepted;
    }

    void translate_challenge(const stun::Message& challenge, const net::SocketAddress& from, Instant now) {
        stun::MessageBuilder copy{challenge.cls(), challenge.method(), refused_};
        for (const auto& attribute : challenge.attributes()) {
            copy.raw(attribute.type, attribute.value);
        }
        auto with_integrity = copy;
        for (const auto& bytes : {copy.build(), with_integrity.integrity(key_.reveal()).build()}) {
            deliver(stun::Message::parse(bytes).value(), from, now);
        }
    }

    net::SocketAddress server_;
    stun::LongTermKey key_;
    bool translates_challenge_;
    Socket socket_;
    Rng rng_ = make_rng();
    turn::Allocation client_;
    stun::TransactionId refused_{};
    std::optional<stun::TransactionId> own_request_;
    std::optional<std::string> received_;
};

/// A relayed round trip to a peer that sends everything back.
void echo_through_relay(Probe& probe) {
    const Socket peer;
    probe.client().bind_channel(peer.local(), clock_now());
    probe.run(500ms, [] { return false; });
    for (int attempt = 0; attempt < 10 && !probe.received(); ++attempt) {
        probe.send_data(peer.local(), "ping");
        if (const auto datagram = peer.receive(200ms)) {
            std::printf("peer received \"%s\" from %s\n", std::string{as_text(datagram->bytes)}.c_str(),
                        datagram->from.to_string().c_str());
            peer.send(datagram->from, as_bytes("pong"));
        }
        probe.run(200ms, [&] { return probe.received().has_value(); });
    }
    std::printf("client received \"%s\"\n", probe.received().value_or("").c_str());
}

}  // namespace

int main(int argc, char** argv) {
    const auto server = argc >= 4 ? net::SocketAddress::parse(argv[1]) : std::nullopt;
    if (!server || !server->is_v4()) {
        std::fputs("usage: turn_client_probe IPV4:PORT USERNAME PASSWORD [--translate-challenge]\n", stderr);
        return 2;
    }
    const bool translate = argc > 4 && std::string_view{argv[4]} == "--translate-challenge";
    log::init({.filter = log::LevelFilter::parse("turn=debug").value(), .directory = {}});
    Probe probe{*server, {argv[2], argv[3], "firezone"}, translate};

    const bool is_bound = probe.run(3s, [&] { return probe.client().active_socket().has_value(); });
    std::printf("binding %s\n", is_bound ? "answered" : "not answered");
    const bool is_allocated = probe.run(2500ms, [&] { return probe.client().has_allocation(); });
    std::printf("allocation %s\n", is_allocated ? "made" : "not made");
    std::printf("request %s\n", probe.client().poll_timeout() ? "outstanding" : "none");
    if (is_allocated) {
        echo_through_relay(probe);
        probe.client().refresh(clock_now());
        probe.run(1500ms, [] { return false; });
        const auto death = probe.client().death_reason();
        std::printf("after refresh: %s\n", death ? std::string{turn::to_string(*death)}.c_str() : "alive");
    }
    return 0;
}
