#include "tests/model/world/transfers.h"

#include <algorithm>

#include "culvert/base/deadlines.h"

namespace culvert::model {
namespace {

constexpr std::size_t kRequestBytes = 5;

Bytes make_content(std::size_t length) {
    Bytes bytes(length);
    for (std::size_t i = 0; i < length; ++i) {
        // Depends on the position, so that swapped and repeated blocks show.
        bytes[i] = static_cast<std::byte>(i ^ (i >> 8) * 89 ^ (i >> 16) * 151);
    }
    return bytes;
}

Bytes make_request(const Transfer& transfer) {
    Bytes request;
    append_be(request, transfer.bytes);
    request.push_back(std::byte{transfer.is_upload});
    return request;
}

}  // namespace

Transfers::Transfers(Environment& environment, Verdict& verdict, Ways ways)
    : environment_{environment}, verdict_{verdict}, ways_{std::move(ways)} {}

bool Transfers::start(const Transfer& transfer, const net::IpAddress& from, const net::IpAddress& to, Instant now) {
    const Ends ends{{from, transfer.source_port}, {to, transfer.destination_port}};
    if (flows_.contains(ends)) {
        return false;
    }
    next_sequence_ += 0x01000000;
    auto client = TcpEndpoint::connect(ends.first, ends.second, next_sequence_, now);
    client.send(make_request(transfer), now);
    if (transfer.is_upload) {
        client.send(make_content(transfer.bytes), now);
    }
    client.finish(now);
    auto& flow = flows_.emplace(ends, Flow{transfer, std::move(client), {}, {}}).first->second;
    environment_.observe(TransferStarted{transfer, ends.first, ends.second});
    flush(flow, now);
    return true;
}

bool Transfers::handle_at_client(ClientNo client, ByteSpan bytes, Instant now) {
    auto copy = to_bytes(bytes);
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet || !packet->is_tcp()) {
        return false;
    }
    const auto found =
        flows_.find({{packet->destination(), packet->destination_port()}, {packet->source(), packet->source_port()}});
    if (found == flows_.end() || found->second.transfer.client != client) {
        return false;
    }
    found->second.client.handle_packet(*packet, now);
    flush(found->second, now);
    return true;
}

bool Transfers::handle_at_resource(GatewayNo gateway, ByteSpan bytes, Instant now) {
    auto copy = to_bytes(bytes);
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet || !packet->is_tcp()) {
        return false;
    }
    const auto found =
        flows_.find({{packet->source(), packet->source_port()}, {packet->destination(), packet->destination_port()}});
    if (found == flows_.end()) {
        return false;
    }
    auto& flow = found->second;
    flow.gateway = gateway;
    if (flow.server) {
        flow.server->handle_packet(*packet, now);
    } else if ((packet->tcp_flags() & packet::kTcpSyn) != 0) {
        next_sequence_ += 0x01000000;
        flow.server = TcpEndpoint::accept(*packet, next_sequence_, now);
    }
    serve(flow, now);
    flush(flow, now);
    return true;
}

void Transfers::serve(Flow& flow, Instant now) {
    if (!flow.server || flow.has_server_answered || flow.server->received().size() < kRequestBytes) {
        return;
    }
    const auto request = flow.server->received().first(kRequestBytes);
    const auto length = load_be<std::uint32_t>(request);
    const bool is_upload = request.back() != std::byte{0};
    if (is_upload && !flow.server->has_peer_finished()) {
        return;
    }
    flow.has_server_answered = true;
    if (is_upload) {
        verdict_.check("CON-6", equal(flow.server->received().subspan(kRequestBytes), make_content(length)), now,
                       [] { return "an upload arrived with other content"; });
    } else {
        flow.server->send(make_content(length), now);
    }
    flow.server->finish(now);
}

void Transfers::conclude(Flow& flow, Instant now) {
    if (flow.is_over) {
        return;
    }
    const bool has_failed = flow.client.has_failed() || (flow.server && flow.server->has_failed());
    const bool is_complete = flow.client.has_peer_finished() && flow.client.has_sent_all();
    if (!has_failed && !is_complete) {
        return;
    }
    flow.is_over = true;
    if (is_complete && !flow.transfer.is_upload) {
        verdict_.check("CON-6", equal(flow.client.received(), make_content(flow.transfer.bytes)), now,
                       [] { return "a download arrived with other content"; });
    }
    environment_.observe(TransferEnded{flow.transfer, flow.client.local(), flow.client.remote(), is_complete});
}

void Transfers::flush(Flow& flow, Instant now) {
    const auto client = flow.transfer.client;
    while (auto packet = flow.client.poll_packet()) {
        ways_.to_tun(client, std::move(*packet));
    }
    while (flow.server) {
        auto packet = flow.server->poll_packet();
        if (!packet) {
            break;
        }
        ways_.from_resource(flow.gateway, std::move(*packet));
    }
    conclude(flow, now);
}

void Transfers::handle_timeout(Instant now) {
    for (auto& [ends, flow] : flows_) {
        flow.client.handle_timeout(now);
        if (flow.server) {
            flow.server->handle_timeout(now);
        }
        flush(flow, now);
    }
}

std::optional<Instant> Transfers::poll_timeout() const {
    std::optional<Instant> next;
    for (const auto& [ends, flow] : flows_) {
        next = earliest(next, flow.client.poll_timeout());
        if (flow.server) {
            next = earliest(next, flow.server->poll_timeout());
        }
    }
    return next;
}

}  // namespace culvert::model
