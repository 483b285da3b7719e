// Embeds the client core: everything that culvert-client does, without a socket, a thread or a clock of its own.
//
// tunnel::ClientTunnel is a state machine ("sans-IO", culvert/base/sans_io.h). Its host, which is this program, hands
// it what comes in, and the time; then it takes out what the machine wants done and sleeps until poll_timeout(). Here
// the portal's first message is a text and the network is nowhere, so the program ends once it has shown what a host
// would have to do. Runs as a test, so it does what it says.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/tun_packet.h"
#include "culvert/portal_api/codec.h"
#include "culvert/tunnel/client/client_tunnel.h"

namespace {

using namespace culvert;

// What the portal sends to a client that has joined (docs/spec/portal-protocol.md section 6.1): its addresses, what its
// user may reach, and the relays to use. A real host gets it over a WebSocket (culvert/portal_channel).
constexpr std::string_view kInit = R"({
  "topic": "client", "event": "init", "ref": null,
  "payload": {
    "interface": {"ipv4": "100.64.0.1", "ipv6": "fd00:2021:1111::1"},
    "resources": [{
      "id": "11111111-1111-4111-8111-111111111111", "type": "cidr", "name": "Wiki", "address": "10.20.0.0/16",
      "address_description": null, "can_be_disabled": false, "filters": [],
      "gateway_groups": [{"id": "22222222-2222-4222-8222-222222222222", "name": "Berlin"}]
    }],
    "relays": []
  }
})";

// What the client asks of its host. A new kind of event would not compile here until it is handled.
void show(const tunnel::ClientEvent& event) {
    std::visit(overloaded{
                   [](const tunnel::TunInterfaceUpdated& updated) {
                       std::cout << "configure the interface: " << updated.config.ipv4.to_string() << " and "
                                 << updated.config.ipv6.to_string() << '\n';
                       for (const auto& route : updated.config.ipv4_routes) {
                           std::cout << "  with a route for " << route.to_string() << '\n';
                       }
                   },
                   [](const tunnel::ResourcesChanged& changed) {
                       for (const auto& resource : changed.resources) {
                           std::cout << "resource: " << resource.name << " (" << resource.address << "), "
                                     << to_string(resource.status) << '\n';
                       }
                   },
                   [](const tunnel::SendToPortal& sent) {
                       std::cout << "to the portal: "
                                 << portal_api::encode_from_device(sent.message, portal_api::Dialect::kV1, 1) << '\n';
                   },
                   [](const tunnel::AskForRelays&) { std::cout << "ask the portal for relays\n"; },
                   [](const tunnel::ConnectionEnded&) {},
                   [](const tunnel::KeyChanged&) { std::cout << "connect to the portal with another key\n"; },
                   [](const tunnel::DnsRecordsChanged&) { std::cout << "keep the addresses of names\n"; },
                   [](const tunnel::FlowsTracked&) { std::cout << "keep records of flows for the portal\n"; },
                   [](const dns::Ask&) { std::cout << "ask a resolver outside the tunnel\n"; },
                   [](const dns::StopAsking&) { std::cout << "close that socket again\n"; },
               },
               event);
}

// After each batch of inputs: everything that the client wants done by now.
void drain(tunnel::ClientTunnel& client, Instant now, UnixSeconds wall_now) {
    while (client.poll_timeout().value_or(Instant::max()) <= now) {
        client.handle_timeout(now, wall_now);
    }
    while (const auto event = client.poll_event()) {
        show(*event);
    }
    while (const auto packet = client.poll_tun_packet()) {
        std::cout << "write a packet of " << packet->size() << " bytes to the interface\n";
    }
    while (const auto datagram = client.poll_transmit()) {
        std::cout << "send " << datagram->payload.size() << " bytes over UDP\n";
    }
}

}  // namespace

int main() {
    // A real host seeds the generator from the operating system (culvert/io/entropy.h) and reads its clocks. With the
    // same seed, times and inputs the client does the same again, byte for byte: that is how the simulator tests it.
    const Instant now{std::chrono::hours{1}};
    const UnixSeconds wall_now{std::chrono::seconds{1'800'000'000}};
    tunnel::ClientTunnel client{Rng::from_number(1), now, WallTime{wall_now}};
    std::cout << "public key: " << to_hex(client.public_key().bytes) << '\n';

    const auto frame = portal_api::decode_to_device(portal_api::Role::kClient, portal_api::Dialect::kV1, kInit);
    if (!frame) {
        std::cerr << "the portal's message is wrong: " << frame.error().text << '\n';
        return EXIT_FAILURE;
    }
    const auto& message = std::get<portal_api::MessageFrame>(*frame).message;
    client.handle_portal(std::get<portal_api::ToClient>(message), now, wall_now);
    drain(client, now, wall_now);

    // An application sends a packet to the resource. There is no gateway for it yet, so it waits in the client, which
    // asks the portal for access; the answer would come back through handle_portal(), and then datagrams would leave.
    // What the client seals for a gateway it has goes straight into `queue`, in batches.
    constexpr std::size_t kHeadroom = 64;
    const auto packet = packet::make_udp(*net::SocketAddress::parse("100.64.0.1:40000"),
                                         *net::SocketAddress::parse("10.20.0.10:53"), as_bytes("hello"));
    Bytes buffer(kHeadroom + packet.size());
    std::ranges::copy(packet, buffer.begin() + kHeadroom);
    net::TransmitQueue queue;
    client.handle_tun_packet({MutableByteSpan{buffer}.subspan(kHeadroom), {}}, queue, now);
    drain(client, now, wall_now);
    return EXIT_SUCCESS;
}
