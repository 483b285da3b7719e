#include "culvert/turn/server/server.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "culvert/base/sabotage.h"
#include "culvert/observability/log.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/constants.h"
#include "culvert/turn/server/credentials.h"
#include "culvert/turn/server/responses.h"

namespace culvert::turn {
namespace {

constexpr log::Logger kLog{"relay"};

using stun::AttributeType;
using stun::Class;
using stun::Method;

std::uint64_t hash_key(std::string_view stamp_secret) {
    std::uint64_t key = 0;
    for (const char c : stamp_secret) {
        key = key * 0x100000001b3ULL + static_cast<unsigned char>(c);
    }
    return key;
}

std::optional<RelayUsername> claimed_username(const stun::Message& message) {
    const auto text = message.text(AttributeType::kUsername);
    return text ? RelayUsername::parse(*text) : std::nullopt;
}

/// LIFETIME of the request within the server's limits. There is no minimum.
std::chrono::seconds effective_lifetime(const stun::Message& message) {
    const auto requested = message.u32(AttributeType::kLifetime);
    return requested ? std::min(std::chrono::seconds{*requested}, kMaxAllocationLifetime) : kDefaultAllocationLifetime;
}

bool has_required_attributes(const stun::Message& message) {
    switch (message.method()) {
        case Method::kAllocate:
            return message.requested_transport().has_value();
        case Method::kChannelBind: {
            const auto channel = message.channel_number();
            return channel && *channel >= kFirstChannel && *channel <= kLastChannel &&
                   message.address(AttributeType::kXorPeerAddress).has_value();
        }
        default:
            return true;
    }
}

}  // namespace

Server::Server(ServerConfig config, std::string stamp_secret, Rng rng)
    : config_{std::move(config)},
      stamp_secret_{std::move(stamp_secret)},
      rng_{rng},
      table_{{config_.lowest_port, config_.highest_port}, hash_key(stamp_secret_), commands_} {
    assert(config_.public_v4 || config_.public_v6);
}

std::optional<Server::ToPeer> Server::handle_client_input(ByteSpan datagram, const net::SocketAddress& client,
                                                          Instant now, WallTime wall_now) {
    if (datagram.empty() || client.port == 0) {
        drop("Dropped datagram without content or source port", client);
        return std::nullopt;
    }
    const auto first = std::to_integer<unsigned>(datagram.front());
    if (first >= 0x40 && first <= 0x4f) {
        return handle_channel_data(datagram, client);
    }
    if (first <= 0x03) {
        handle_stun(datagram, client, now, wall_now);
    } else {
        drop("Dropped datagram of unknown protocol", client);
    }
    return std::nullopt;
}

std::optional<Server::ToPeer> Server::handle_channel_data(ByteSpan datagram, const net::SocketAddress& client) {
    const auto header = decode_channel_data(datagram, TrailingBytes::kTolerate);
    if (!header) {
        drop("Dropped truncated ChannelData", client);
        return std::nullopt;
    }
    const auto* const to = table_.to_peer({client, header->channel});
    if (to == nullptr) {
        ++statistics_.dropped_without_channel;
        kLog.debug("Dropped ChannelData: no channel", log::field("client", client),
                   log::field("channel", header->channel));
        return std::nullopt;
    }
    ++statistics_.packets_to_peers;
    statistics_.bytes_relayed += header->length;
    return ToPeer{to->tag, to->remote, datagram.subspan(kChannelDataHeaderSize, header->length)};
}

std::optional<Server::ToClient> Server::handle_peer_input(const net::SocketAddress& peer, std::uint16_t port,
                                                          std::size_t length) {
    const auto* const to = table_.to_client({peer, port});
    if (to == nullptr) {
        ++statistics_.dropped_without_channel;
        kLog.debug("Dropped datagram from peer: no channel", log::field("peer", peer), log::field("port", port));
        return std::nullopt;
    }
    ++statistics_.packets_to_clients;
    statistics_.bytes_relayed += length;
    return ToClient{to->remote, to->tag};
}

void Server::handle_stun(ByteSpan datagram, const net::SocketAddress& client, Instant now, WallTime wall_now) {
    const auto message = stun::Message::parse(datagram, stun::kRelayTextLimits);
    if (!message) {
        handle_malformed(datagram, client, message.error());
        return;
    }
    if (message->cls() != Class::kRequest) {
        drop("Dropped STUN message that is no request", client);
        return;
    }
    if (message->method() == Method::kBinding) {
        handle_binding(*message, client);
        return;
    }
    if (!is_served(message->method()) || !has_required_attributes(*message)) {
        kLog.debug("Request failed with Bad Request: unknown method or missing attribute", log::field("client", client),
                   log::field("method", static_cast<unsigned>(message->method())));
        send_error(message->header(), client, stun::kBadRequest, std::nullopt);
        return;
    }

    const auto username = claimed_username(*message);
    const Request request{*message,
                          client,
                          username ? std::optional{relay_key(*username, stamp_secret_)} : std::nullopt,
                          username ? username->salt : std::string_view{},
                          now,
                          wall_now};
    if (const auto result = handle_request(request); !result) {
        fail(request, result.error());
    }
}

void Server::handle_malformed(ByteSpan datagram, const net::SocketAddress& client, stun::ParseError error) {
    const auto header = stun::Header::parse(datagram);
    if (!header || header->cls != Class::kRequest) {
        drop("Dropped malformed STUN message", client);
        return;
    }
    kLog.debug("Answered malformed request with an error", log::field("client", client),
               log::field("error", stun::to_string(error)));
    ++statistics_.dropped_malformed;
    const auto code = error == stun::ParseError::kBadAttributeValue ? stun::kBadRequest : stun::kServerError;
    send_error(*header, client, code, std::nullopt);
}

Server::Checked<void> Server::handle_request(const Request& request) {
    if (auto authentic = authenticate(request); !authentic) {
        return authentic;
    }
    switch (request.message.method()) {
        case Method::kAllocate:
            return handle_allocate(request);
        case Method::kRefresh:
            return handle_refresh(request);
        case Method::kChannelBind:
            return handle_channel_bind(request);
        default:
            return handle_create_permission(request);
    }
}

Server::Checked<void> Server::authenticate(const Request& request) {
    const auto unauthorized = [](std::string_view detail) {
        return std::unexpected{Failure{stun::kUnauthorized, detail}};
    };

    const auto& message = request.message;
    if (!message.has_integrity()) {
        return unauthorized("no message integrity");
    }
    const auto username_text = message.text(AttributeType::kUsername);
    if (!username_text) {
        return unauthorized("no username");
    }
    const auto nonce_text = message.text(AttributeType::kNonce);
    if (!nonce_text) {
        return unauthorized("no nonce");
    }
    const auto nonce = NonceTable::parse(*nonce_text);
    if (!nonce) {
        return unauthorized("nonce is not one of ours");
    }
    if (!nonces_.use(*nonce)) {
        return std::unexpected{Failure{stun::kStaleNonce, "unknown or used-up nonce"}};
    }
    const auto username = RelayUsername::parse(*username_text);
    if (!username) {
        return unauthorized("malformed username");
    }
    if (user_rules_.is_revoked(username->salt, request.wall_now) && !CULVERT_SABOTAGE(kRelayServesRevokedUsers)) {
        return unauthorized("user is revoked");
    }
    if (!username->is_valid_at(request.wall_now) && !user_rules_.is_extended(username->salt, request.wall_now)) {
        return unauthorized("credentials have expired");
    }
    if (!message.verify_integrity(request.claimed_key->reveal()) && !CULVERT_SABOTAGE(kRelayTrustsAnyone)) {
        return unauthorized("wrong message integrity");
    }
    return {};
}

void Server::handle_binding(const stun::Message& message, const net::SocketAddress& client) {
    kLog.debug("Handled binding request", log::field("client", client));
    commands_.emplace_back(SendMessage{client, binding_success(message.header(), client, config_.software)});
    count_response(Method::kBinding, 0);
}

Server::Checked<void> Server::handle_allocate(const Request& request) {
    if (table_.find(request.client) != nullptr) {
        return std::unexpected{Failure{stun::kAllocationMismatch, "client already has an allocation"}};
    }
    if (table_.is_full(request.now)) {
        return std::unexpected{Failure{stun::kInsufficientCapacity, "no port left", true}};
    }
    if (request.message.requested_transport() != stun::kTransportUdp) {
        return std::unexpected{Failure{stun::kBadRequest, "transport is not UDP", true}};
    }
    const auto families = select_families(request.message);
    if (!families) {
        return std::unexpected{families.error()};
    }
    complete_allocate({request.message.header(), request.client, std::string{request.claimed_user},
                       *request.claimed_key, *families, effective_lifetime(request.message)},
                      request.now);
    return {};
}

Server::Checked<Server::Families> Server::select_families(const stun::Message& message) const {
    const auto requested = message.address_family(AttributeType::kRequestedAddressFamily);
    const auto additional = message.address_family(AttributeType::kAdditionalAddressFamily);
    if (requested && additional) {
        return std::unexpected{Failure{stun::kBadRequest, "requested and additional address family", true}};
    }
    if (additional == net::Family::kIpv4) {
        return std::unexpected{Failure{stun::kBadRequest, "IPv4 as additional address family", true}};
    }
    if (additional) {
        // Both if possible, else what there is: partial success is no error here.
        return Families{config_.public_v4.has_value(), config_.public_v6.has_value()};
    }
    const bool wants_v6 = requested == net::Family::kIpv6;
    if (!(wants_v6 ? config_.public_v6 : config_.public_v4)) {
        return std::unexpected{Failure{stun::kAddressFamilyNotSupported, "relay has no address of this family", true}};
    }
    return Families{!wants_v6, wants_v6};
}

void Server::complete_allocate(PendingAllocate pending, Instant now) {
    const auto& allocation = table_.create(pending.client, pending.user, pending.families.v4, pending.families.v6,
                                           pending.lifetime, rng_, now);
    pending.port = allocation.port;
    ++pending.attempts;
    AllocateSuccess success{.mapped = pending.client, .lifetime = pending.lifetime};
    if (pending.families.v4) {
        success.relayed_v4 = net::SocketAddress{*config_.public_v4, allocation.port};
    }
    if (pending.families.v6) {
        success.relayed_v6 = net::SocketAddress{*config_.public_v6, allocation.port};
    }
    commands_.emplace_back(
        SendMessage{pending.client, allocate_success(pending.header, success, config_.software, pending.key)});
    count_response(Method::kAllocate, 0);
    kLog.info("Created new allocation", log::field("port", allocation.port), log::field("ipv4", pending.families.v4),
              log::field("ipv6", pending.families.v6), log::field("lifetime_s", pending.lifetime.count()));
    kLog.debug("Created new allocation", log::field("port", allocation.port), log::field("client", pending.client));
    pending_allocate_ = pending;
}

void Server::handle_allocation_failed(std::uint16_t port, Instant now) {
    const auto client = table_.block_port(port, now);
    if (!client) {
        return;
    }
    kLog.debug("Gave up allocation: port cannot be opened", log::field("port", port));
    if (!pending_allocate_ || pending_allocate_->client != *client || pending_allocate_->port != port) {
        return;
    }
    // The promise of this port is still in the queue: take it back and try again.
    const auto pending = *std::exchange(pending_allocate_, std::nullopt);
    std::erase_if(commands_, [&](const Command& command) {
        const auto* const message = std::get_if<SendMessage>(&command);
        return message != nullptr && message->client == *client;
    });
    --statistics_.responses[{Method::kAllocate, 0}];
    if (pending.attempts < kMaxPortAttempts && !table_.is_full(now)) {
        complete_allocate(pending, now);
        return;
    }
    send_error(pending.header, *client, stun::kInsufficientCapacity, pending.key);
}

Server::Checked<void> Server::handle_refresh(const Request& request) {
    const auto* const allocation = table_.find(request.client);
    if (allocation == nullptr) {
        return std::unexpected{Failure{stun::kAllocationMismatch, "no allocation"}};
    }
    const auto port = allocation->port;
    const auto lifetime = effective_lifetime(request.message);
    if (lifetime == std::chrono::seconds::zero()) {
        table_.remove(request.client);
        kLog.info("Deleted allocation on request", log::field("port", port));
    } else {
        table_.extend(request.client, request.now + lifetime);
        kLog.debug("Refreshed allocation", log::field("port", port), log::field("lifetime_s", lifetime.count()));
    }
    commands_.emplace_back(SendMessage{
        request.client, refresh_success(request.message.header(), lifetime, config_.software, *request.claimed_key)});
    count_response(Method::kRefresh, 0);
    return {};
}

Server::Checked<void> Server::handle_channel_bind(const Request& request) {
    const auto* const allocation = table_.find(request.client);
    if (allocation == nullptr) {
        return std::unexpected{Failure{stun::kAllocationMismatch, "no allocation"}};
    }
    const auto channel = *request.message.channel_number();
    const auto peer = *request.message.address(AttributeType::kXorPeerAddress);
    if (!allocation->has(peer.family())) {
        return std::unexpected{
            Failure{stun::kPeerAddressFamilyMismatch, "no relayed address of the peer's family", true}};
    }
    switch (table_.bind(request.client, channel, peer, request.now)) {
        case AllocationTable::BindResult::kPeerInOtherChannel:
            return std::unexpected{Failure{stun::kBadRequest, "peer is bound to another channel", true}};
        case AllocationTable::BindResult::kChannelHasOtherPeer:
            return std::unexpected{Failure{stun::kBadRequest, "channel is bound to another peer", true}};
        case AllocationTable::BindResult::kBound:
            break;
    }
    kLog.debug("Bound channel", log::field("client", request.client), log::field("channel", channel),
               log::field("peer", peer));
    succeed(request);
    return {};
}

Server::Checked<void> Server::handle_create_permission(const Request& request) {
    succeed(request);
    return {};
}

void Server::revoke_user(std::string_view salt, WallTime until) {
    user_rules_.revoke(salt, until);
    const auto ended = table_.remove_all_of(salt);
    kLog.info("Revoked a user", log::field("allocations", ended));
}

std::optional<Command> Server::poll_command() {
    if (commands_.empty()) {
        return std::nullopt;
    }
    auto command = std::move(commands_.front());
    commands_.pop_front();
    return command;
}

void Server::succeed(const Request& request) {
    commands_.emplace_back(
        SendMessage{request.client, plain_success(request.message.header(), config_.software, *request.claimed_key)});
    count_response(request.message.method(), 0);
}

void Server::fail(const Request& request, const Failure& failure) {
    kLog.log(failure.is_suspicious ? log::Level::kWarn : log::Level::kDebug, "Request failed",
             log::field("method", method_name(request.message.method())), log::field("code", failure.code),
             log::field("reason", reason_phrase(failure.code)), log::field("detail", failure.detail));
    if (request.message.has(AttributeType::kUsername) && !request.claimed_key) {
        // Nothing can be signed for such a user, and peers ignore what is not signed.
        ++statistics_.dropped_malformed;
        return;
    }
    send_error(request.message.header(), request.client, failure.code, request.claimed_key);
}

void Server::send_error(const stun::Header& header, const net::SocketAddress& client, std::uint16_t code,
                        const MaybeKey& key) {
    std::optional<Uuid> nonce;
    if (code == stun::kUnauthorized || code == stun::kStaleNonce) {
        nonce = nonces_.issue(rng_);
    }
    commands_.emplace_back(SendMessage{client, error_response(header, code, nonce, config_.software, key)});
    count_response(header.method, code);
}

void Server::count_response(stun::Method method, std::uint16_t code) {
    if (is_served(method)) {
        ++statistics_.responses[{method, code}];
    }
}

void Server::drop(std::string_view reason, const net::SocketAddress& from) {
    ++statistics_.dropped_malformed;
    kLog.debug(reason, log::field("from", from));
}

}  // namespace culvert::turn
