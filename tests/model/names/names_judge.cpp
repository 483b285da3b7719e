#include "tests/model/names/names_judge.h"

#include <algorithm>

#include "culvert/packet/builder.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::model::names {
namespace {

/// Shorter than any of the gateway's own timers, after which it may use a port
/// for another flow.
constexpr Duration kFlowLasts = std::chrono::seconds{20};
constexpr std::size_t kRememberedAnswers = 64;

/// The number that stands at the end of each payload.
std::optional<std::uint64_t> number_of(ByteSpan packet) {
    return packet.size() < 28 ? std::nullopt : std::optional{load_be<std::uint64_t>(packet.last(8))};
}

bool is_same_flow(const Sent& a, const Sent& b) {
    return a.peer == b.peer && a.proxy == b.proxy && a.source == b.source && a.source_value == b.source_value &&
           a.destination_value == b.destination_value;
}

}  // namespace

void NamesJudge::check(bool holds, std::string_view rule, std::string_view what, Instant now) {
    if (!holds) {
        violations_.push_back(
            std::string{rule} + " at " +
            std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count()) +
            " ms: " + std::string{what});
    }
}

void NamesJudge::answer(unsigned name, const std::vector<net::IpAddress>& proxies, Instant now) {
    for (const auto& proxy : proxies) {
        const auto owner = proxies_.try_emplace(proxy, name).first->second;
        check(owner == name, "NAM-6", proxy.to_string() + " was " + domain_of(owner) + " and is " + domain_of(name),
              now);
    }
    ask(kClient, name);
}

std::vector<net::IpAddress> NamesJudge::proxies_of_client(unsigned name) const {
    std::vector<net::IpAddress> found;
    for (const auto& [proxy, owner] : proxies_) {
        if (owner == name) {
            found.push_back(proxy);
        }
    }
    return found;
}

std::vector<Bytes> NamesJudge::repeatable_answers(Instant now) const {
    std::vector<Bytes> packets;
    for (const auto& answer : answers_) {
        if (now - answer.at < kFlowLasts) {
            packets.push_back(answer.packet);
        }
    }
    return packets;
}

std::optional<Bytes> NamesJudge::handle_forwarded(ByteSpan bytes, Instant now) {
    auto copy = to_bytes(bytes);
    const auto packet = packet::IpPacket::parse(copy);
    const auto number = number_of(bytes);
    const auto found = number ? sent_.find(*number) : sent_.end();
    if (!packet || found == sent_.end()) {
        check(false, "NAM-1", "a packet left the gateway that nobody sent", now);
        return std::nullopt;
    }
    ++forwarded_;
    const auto& sent = found->second;
    const auto& own = own_.at(sent.peer);
    check(packet->checksums_are_valid(), "NAM-1", "wrong checksum", now);
    check(std::ranges::find(own, packet->source()) != own.end(), "NAM-3", "a packet of one client as another's", now);
    if (sent.name == kNoName) {
        check(packet->destination() == sent.proxy, "NAM-1", "a packet to the Internet went elsewhere", now);
        check(is_internet_on_, "NAM-2", "a packet went to the Internet without leave", now);
    } else {
        check(may_be_at(sent.name, packet->destination()), "NAM-1",
              "a packet to " + domain_of(sent.name) + " went to " + packet->destination().to_string(), now);
        check(is_allowed_.at(sent.peer), "NAM-2", "a packet passed after access was taken back", now);
        check(asked_.at(sent.peer).at(sent.name), "NAM-2", "a packet passed to a name that was never asked for", now);
    }
    check(++times_forwarded_[*number] == 1, "NAM-1", "a packet was forwarded twice", now);
    const auto source = packet->source_value();
    const auto destination = packet->destination_value();
    if (!source || !destination) {
        check(false, "NAM-1", "a packet lost its ports", now);
        return std::nullopt;
    }
    const bool is_echo = sent.protocol == packet::kProtocolIcmp;
    check(is_echo || destination->value == sent.destination_value, "NAM-1", "a packet went to another port", now);
    const Flow flow{sent.protocol, packet->source(), source->value, packet->destination(),
                    is_echo ? std::uint16_t{0} : destination->value};
    const auto [use, is_new] = flows_.try_emplace(flow, Use{sent, now});
    check(is_new || is_same_flow(use->second.first, sent) || use->second.at + kFlowLasts < now, "NAM-3",
          "a host cannot tell two flows apart", now);
    use->second = {sent, now};

    Bytes payload;
    append_be(payload, *number);
    const net::SocketAddress from{packet->destination(), destination->value};
    const net::SocketAddress to{packet->source(), source->value};
    auto answer = is_echo ? packet::make_icmp_echo_reply(from.ip, to.ip, source->value, 1, payload)
                  : sent.protocol == packet::kProtocolUdp
                      ? packet::make_udp(from, to, payload)
                      : packet::make_tcp(from, to, {.flags = packet::kTcpSyn | packet::kTcpAck}, payload);
    answers_.push_back({answer, now});
    if (answers_.size() > kRememberedAnswers) {
        answers_.erase(answers_.begin());
    }
    return answer;
}

void NamesJudge::handle_delivered(unsigned peer, ByteSpan bytes, Instant now) {
    auto copy = to_bytes(bytes);
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet) {
        check(false, "NAM-4", "what came out of the tunnel is no packet", now);
        return;
    }
    const auto& own = own_.at(peer);
    check(std::ranges::find(own, packet->destination()) != own.end(), "NAM-3", "a packet for another client", now);
    if (const auto error = packet::inspect_icmp_error(*packet); error && *error) {
        return;  // refused
    }
    const auto number = number_of(bytes);
    const auto found = number ? sent_.find(*number) : sent_.end();
    if (found == sent_.end()) {
        check(false, "NAM-4", "an answer to nothing", now);
        return;
    }
    ++delivered_;
    const auto& sent = found->second;
    const auto source = packet->source_value();
    const auto destination = packet->destination_value();
    check(sent.peer == peer, "NAM-3", "an answer to another client", now);
    check(sent.name == kNoName || is_allowed_.at(peer), "NAM-2", "an answer passed after access was taken back", now);
    check(packet->source() == sent.proxy, "NAM-4",
          "an answer of " + sent.proxy.to_string() + " came from " + packet->source().to_string(), now);
    check(destination && destination->value == sent.source_value, "NAM-4", "an answer to another port", now);
    const bool is_echo = sent.protocol == packet::kProtocolIcmp;
    check(is_echo || (source && source->value == sent.destination_value), "NAM-4", "an answer from another port", now);
    check(packet->checksums_are_valid(), "NAM-4", "an answer with a wrong checksum", now);
}

}  // namespace culvert::model::names
