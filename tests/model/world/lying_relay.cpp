#include "tests/model/world/lying_relay.h"

#include <algorithm>
#include <array>
#include <utility>

#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/constants.h"
#include "culvert/turn/server/credentials.h"
#include "culvert/turn/server/responses.h"
#include "tests/model/world/forged_packets.h"

namespace culvert::model {
namespace {

constexpr std::size_t kSeen = 64;
constexpr std::string_view kSoftware = "liar";

bool is_channel_data(ByteSpan payload) {
    return payload.size() >= turn::kChannelDataHeaderSize && (std::to_integer<unsigned>(payload[0]) & 0xf0U) == 0x40U;
}

}  // namespace

LyingRelay::LyingRelay(std::string stamp_secret, Rng rng) : stamp_secret_{std::move(stamp_secret)}, rng_{rng} {}

void LyingRelay::deceive(Deceit deceit, Instant until) {
    deceit_ = deceit;
    until_ = until;
}

void LyingRelay::watch(const net::SocketAddress& client, ByteSpan datagram) {
    const auto message = stun::Message::parse(datagram);
    if (const auto username = message ? message->text(stun::AttributeType::kUsername) : std::nullopt) {
        usernames_.insert_or_assign(client, std::string{*username});
    }
}

void LyingRelay::tell(Instant at, Lie lie) {
    lies_.emplace(at, std::move(lie));
}

std::optional<LyingRelay::Lie> LyingRelay::poll_lie(Instant now) {
    if (lies_.empty() || lies_.begin()->first > now) {
        return std::nullopt;
    }
    auto lie = std::move(lies_.begin()->second);
    lies_.erase(lies_.begin());
    return lie;
}

std::optional<Instant> LyingRelay::poll_timeout() const {
    return lies_.empty() ? std::nullopt : std::optional{lies_.begin()->first};
}

bool LyingRelay::twist(std::uint16_t port, const net::SocketAddress& to, ByteSpan payload, Instant now) {
    seen_.push_back({port, to, to_bytes(payload)});
    if (seen_.size() > kSeen) {
        seen_.pop_front();
    }
    if (now >= until_) {
        return false;
    }
    const bool is_data = port != turn::kRelayPort || is_channel_data(payload);
    const auto random = [this](std::uint64_t bound) { return static_cast<unsigned>(rng_.below(bound)); };
    switch (deceit_) {
        case Deceit::kDrop:
            return random(2) == 0;
        case Deceit::kDropData:
            return is_data;
        case Deceit::kDuplicate:
            for (unsigned i = 1 + random(3); i > 0; --i) {
                tell(now, {port, to, to_bytes(payload)});
            }
            return false;
        case Deceit::kDelay:
            tell(now + std::chrono::milliseconds{random(3000)}, {port, to, to_bytes(payload)});
            return true;
        case Deceit::kReplay:
            tell(now, seen_[random(seen_.size())]);
            return false;
        case Deceit::kMisdirect:
            tell(now, redirect(port, to, payload));
            return random(2) == 0;
        case Deceit::kCorrupt: {
            auto bytes = to_bytes(payload);
            // Never nothing: a datagram without bytes says nothing to anybody.
            for (unsigned i = 0; i <= random(4); ++i) {
                bytes[random(bytes.size())] ^= static_cast<std::byte>(1 + random(255));
            }
            tell(now, {port, to, std::move(bytes)});
            return true;
        }
        case Deceit::kForge:
            tell(now, {port, to, make_forgery(payload)});
            return false;
        case Deceit::kWrongAddress:
        case Deceit::kRefuse:
            return !is_data && twist_response(to, payload, now);
    }
    std::unreachable();
}

/// Signed like a true one.
bool LyingRelay::twist_response(const net::SocketAddress& to, ByteSpan payload, Instant now) {
    const auto message = stun::Message::parse(payload);
    if (!message || message->cls() != stun::Class::kSuccess) {
        return false;
    }
    const auto key = key_of(to);
    const auto& header = message->header();
    const auto answer = [&](Bytes bytes) {
        tell(now, {turn::kRelayPort, to, std::move(bytes)});
        return true;
    };
    if (deceit_ == Deceit::kRefuse) {
        constexpr std::array<std::uint16_t, 11> kCodes{300, 400, 401, 403, 437, 438, 441, 443, 486, 500, 508};
        const auto code = kCodes.at(rng_.below(kCodes.size()));
        const bool has_nonce = code == 401 || code == 438;
        return answer(turn::error_response(header, code, has_nonce ? std::optional{Uuid::random(rng_)} : std::nullopt,
                                           kSoftware, key));
    }
    if (header.method == stun::Method::kBinding) {
        return answer(turn::binding_success(header, wrong_address(to.is_v4()), kSoftware));
    }
    if (header.method != stun::Method::kAllocate || !key) {
        return false;
    }
    turn::AllocateSuccess success{.mapped = wrong_address(to.is_v4()), .lifetime = std::chrono::seconds{600}};
    success.relayed_v4 = wrong_address(true);
    success.relayed_v6 = wrong_address(false);
    return answer(turn::allocate_success(header, success, kSoftware, *key));
}

std::optional<stun::LongTermKey> LyingRelay::key_of(const net::SocketAddress& client) const {
    const auto found = usernames_.find(client);
    const auto username = found == usernames_.end() ? std::nullopt : turn::RelayUsername::parse(found->second);
    return username ? std::optional{turn::relay_key(*username, stamp_secret_)} : std::nullopt;
}

net::SocketAddress LyingRelay::wrong_address(bool is_v4) {
    constexpr std::array<std::string_view, 6> kV4{"198.51.100.66", "127.0.0.1", "10.20.1.1",
                                                  "169.254.1.1",   "224.0.0.1", "0.0.0.0"};
    constexpr std::array<std::string_view, 6> kV6{"2001:db8:66::66", "::1", "fd10::1", "fe80::1", "ff02::1", "::"};
    const auto which = rng_.below(kV4.size());
    return {ip(is_v4 ? kV4.at(which) : kV6.at(which)), static_cast<std::uint16_t>(rng_.below(65536))};
}

/// Responses to nothing, data of nobody, or nothing that anybody knows.
Bytes LyingRelay::make_forgery(ByteSpan model) {
    Bytes bytes;
    switch (rng_.below(4)) {
        case 0:
            bytes = turn::error_response(
                {.method = stun::Method::kRefresh, .transaction_id = stun::make_transaction_id(rng_)}, 437,
                std::nullopt, kSoftware, std::nullopt);
            break;
        case 1:
            bytes = turn::binding_success(
                {.method = stun::Method::kBinding, .transaction_id = stun::make_transaction_id(rng_)},
                wrong_address(true), kSoftware);
            break;
        case 2: {
            // The header of what is genuine, with other contents.
            bytes = to_bytes(model);
            const auto kept = std::min<std::size_t>(bytes.size(), 16);
            rng_.fill(MutableByteSpan{bytes}.subspan(kept));
            break;
        }
        default:
            bytes.resize(1 + rng_.below(200));
            rng_.fill(bytes);
    }
    return bytes;
}

/// Data through another channel, to another client or peer, or from another's port.
LyingRelay::Lie LyingRelay::redirect(std::uint16_t port, const net::SocketAddress& to, ByteSpan payload) {
    const auto& other = seen_[rng_.below(seen_.size())];
    Lie lie{port, to, to_bytes(payload)};
    if (rng_.below(2) == 0 && is_channel_data(payload)) {
        lie.payload[1] = static_cast<std::byte>(rng_.below(4));
    } else if (other.to.family() == to.family()) {
        lie.port = rng_.below(2) == 0 ? other.port : port;
        lie.to = other.to;
    }
    return lie;
}

}  // namespace culvert::model
