#include "culvert/turn/server/server.h"

#include <algorithm>
#include <cassert>
#include <utility>

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
      peer_rules_{{.public_v4 = config_.public_v4,
                   .public_v6 = config_.public_v6,
                   .listen_port = config_.listen_port,
                   .lowest_port = config_.lowest_port,
                   .highest_port = config_.highest_port,
                   .local_addresses = config_.local_addresses,
                   .allowed = config_.allowed_peers,
                   .denied = config_.denied_peers}},
      rng_{rng},
      nonces_{rng_},
      limiter_{~hash_key(stamp_secret_) << 1},
      table_{{config_.lowest_port, config_.highest_port},
             {config_.max_allocations_per_user, config_.max_channels_per_user, config_.max_channels},
             hash_key(stamp_secret_),
             commands_} {
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

bool Server::is_inside(const net::SocketAddress& peer) const {
    return (peer.ip == config_.public_v4 || peer.ip == config_.public_v6) && peer.port >= config_.lowest_port &&
           peer.port <= config_.highest_port;
}

std::optional<Server::ToClient> Server::handle_inside(const ToPeer& way) {
    const auto port = way.peer.port;
    return handle_peer_input({way.peer.ip, way.port}, port, way.payload.size());
}

void Server::handle_stun(ByteSpan datagram, const net::SocketAddress& client, Instant now, WallTime wall_now) {
    const auto message = stun::Message::parse(datagram, stun::kRelayTextLimits);
    if (!message) {
        handle_malformed(datagram, client, message.error(), now);
        return;
    }
    if (message->cls() != Class::kRequest) {
        drop("Dropped STUN message that is no request", client);
        return;
    }
    if (message->method() == Method::kBinding) {
        handle_binding(*message, client, now);
        return;
    }
    if (!is_served(message->method()) || !has_required_attributes(*message)) {
        kLog.debug("Request failed with Bad Request: unknown method or missing attribute", log::field("client", client),
                   log::field("method", static_cast<unsigned>(message->method())));
        if (may_answer(client, now)) {
            send_error(message->header(), client, stun::kBadRequest, std::nullopt, now);
        }
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

void Server::handle_malformed(ByteSpan datagram, const net::SocketAddress& client, stun::ParseError error,
                              Instant now) {
    const auto header = stun::Header::parse(datagram);
    if (!header || header->cls != Class::kRequest) {
        drop("Dropped malformed STUN message", client);
        return;
    }
    kLog.debug("Answered malformed request with an error", log::field("client", client),
               log::field("error", stun::to_string(error)));
    ++statistics_.dropped_malformed;
    if (may_answer(client, now)) {
        const auto code = error == stun::ParseError::kBadAttributeValue ? stun::kBadRequest : stun::kServerError;
        send_error(*header, client, code, std::nullopt, now);
    }
}

Server::Checked<void> Server::handle_request(const Request& request) {
    if (auto authentic = authenticate(request); !authentic) {
        return authentic;
    }
    const auto id = load_be<std::uint64_t>(request.message.integrity());
    if (const auto code = replays_.find(request.claimed_user, id)) {
        repeat_answer(request, *code);
        return {};
    }
    const auto result = act(request);
    replays_.remember(request.claimed_user, id, result ? std::uint16_t{0} : result.error().code, request.now);
    if (!result) {
        summarize_refusals(result.error(), request.now);
    }
    return result;
}

void Server::repeat_answer(const Request& request, std::uint16_t code) {
    ++statistics_.repeated_requests;
    kLog.debug("Answered a request that came again", log::field("client", request.client),
               log::field("method", method_name(request.message.method())), log::field("code", code));
    const bool is_allocate = request.message.method() == Method::kAllocate;
    if (code != 0 || is_allocate) {
        // A repeated Allocate is a mismatch, with the same transaction id or not (spec/relay.md section 4.2).
        send_error(request.message.header(), request.client, code != 0 ? code : stun::kAllocationMismatch,
                   request.claimed_key, request.now);
    } else if (request.message.method() == Method::kRefresh) {
        succeed_refresh(request, effective_lifetime(request.message));
    } else {
        succeed(request);
    }
}

Server::Checked<void> Server::act(const Request& request) {
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
    const auto nonce = NonceMint::parse(*nonce_text);
    if (!nonce) {
        return unauthorized("nonce is not one of ours");
    }
    const auto issued_at = nonces_.issued_at(*nonce, request.client, request.now);
    if (!issued_at) {
        return std::unexpected{Failure{stun::kStaleNonce, "nonce is old, unknown or another address's"}};
    }
    const auto username = RelayUsername::parse(*username_text);
    if (!username) {
        return unauthorized("malformed username");
    }
    if (user_rules_.is_revoked(username->salt, request.wall_now)) {
        return unauthorized("user is revoked");
    }
    if (!username->is_valid_at(request.wall_now) && !user_rules_.is_extended(username->salt, request.wall_now)) {
        return unauthorized("credentials have expired");
    }
    if (!message.verify_integrity(request.claimed_key->reveal())) {
        return unauthorized("wrong message integrity");
    }
    if (!replays_.is_current(username->salt, *issued_at)) {
        return std::unexpected{Failure{stun::kStaleNonce, "used-up nonce"}};
    }
    return {};
}

void Server::handle_binding(const stun::Message& message, const net::SocketAddress& client, Instant now) {
    if (!may_answer(client, now)) {
        return;
    }
    kLog.debug("Handled binding request", log::field("client", client));
    commands_.emplace_back(SendMessage{client, binding_success(message.header(), client, config_.software)});
    count_response(Method::kBinding, 0);
}

Server::Checked<void> Server::handle_allocate(const Request& request) {
    const auto* const existing = table_.find(request.client);
    if (existing != nullptr && is_owner(*existing, request)) {
        return std::unexpected{Failure{stun::kAllocationMismatch, "client already has an allocation"}};
    }
    const auto admitted = table_.admit(request.client, request.claimed_user, request.now);
    if (!admitted) {
        return std::unexpected{failure_of(admitted.error())};
    }
    if (request.message.requested_transport() != stun::kTransportUdp) {
        return std::unexpected{Failure{stun::kBadRequest, "transport is not UDP"}};
    }
    const auto families = select_families(request.message);
    if (!families) {
        return std::unexpected{families.error()};
    }
    for (const auto& leaving : *admitted) {
        // An allocation of another user at this address goes as well: the nonce proves that this user receives what is
        // sent there, so nobody else does any more. A NAT has given it away; the data would go to the new user.
        kLog.debug("Ended an allocation for a new one", log::field("client", leaving));
        table_.remove(leaving);
    }
    complete_allocate({request.message.header(), request.client, std::string{request.claimed_user},
                       *request.claimed_key, *families, effective_lifetime(request.message)},
                      request.now);
    return {};
}

Server::Failure Server::failure_of(AllocationTable::Refusal refusal) {
    switch (refusal) {
        case AllocationTable::Refusal::kUserHasAll:
            return {stun::kAllocationQuotaReached, "user has too many allocations"};
        case AllocationTable::Refusal::kSourceHasShare:
            // Not the quota: the user itself may have had none, and has to look for another relay.
            return {stun::kInsufficientCapacity, "ports are scarce, and the user's network has its share", true};
        case AllocationTable::Refusal::kNoPort:
            return {stun::kInsufficientCapacity, "no port left", true};
    }
    std::unreachable();
}

Server::Checked<Server::Families> Server::select_families(const stun::Message& message) const {
    const auto requested = message.address_family(AttributeType::kRequestedAddressFamily);
    const auto additional = message.address_family(AttributeType::kAdditionalAddressFamily);
    if (requested && additional) {
        return std::unexpected{Failure{stun::kBadRequest, "requested and additional address family"}};
    }
    if (additional == net::Family::kIpv4) {
        return std::unexpected{Failure{stun::kBadRequest, "IPv4 as additional address family"}};
    }
    if (additional) {
        // Both if possible, else what there is: partial success is no error here.
        return Families{config_.public_v4.has_value(), config_.public_v6.has_value()};
    }
    const bool wants_v6 = requested == net::Family::kIpv6;
    if (!(wants_v6 ? config_.public_v6 : config_.public_v4)) {
        return std::unexpected{Failure{stun::kAddressFamilyNotSupported, "relay has no address of this family"}};
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
    kLog.debug("Created new allocation", log::field("port", allocation.port), log::field("client", pending.client),
               log::field("ipv4", pending.families.v4), log::field("ipv6", pending.families.v6),
               log::field("lifetime_s", pending.lifetime.count()));
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
    send_error(pending.header, *client, stun::kInsufficientCapacity, pending.key, now);
}

bool Server::is_owner(const ServerAllocation& allocation, const Request& request) {
    return allocation.user == request.claimed_user;
}

Server::Checked<ServerAllocation*> Server::find_own(const Request& request) {
    auto* const allocation = table_.find(request.client);
    if (allocation == nullptr) {
        return std::unexpected{Failure{stun::kAllocationMismatch, "no allocation"}};
    }
    if (!is_owner(*allocation, request)) {
        const bool is_told = ++allocation->wrong_credentials <= kMaxWrongCredentials;
        return std::unexpected{
            Failure{is_told ? stun::kWrongCredentials : stun::kAllocationMismatch, "the allocation is another user's"}};
    }
    return allocation;
}

Server::Checked<void> Server::handle_refresh(const Request& request) {
    const auto allocation = find_own(request);
    if (!allocation) {
        return std::unexpected{allocation.error()};
    }
    const auto port = (*allocation)->port;
    const auto lifetime = effective_lifetime(request.message);
    if (lifetime == std::chrono::seconds::zero()) {
        table_.remove(request.client);
        kLog.debug("Deleted allocation on request", log::field("port", port));
    } else {
        table_.extend(request.client, lifetime, request.now);
        kLog.debug("Refreshed allocation", log::field("port", port), log::field("lifetime_s", lifetime.count()));
    }
    succeed_refresh(request, lifetime);
    return {};
}

Server::Checked<void> Server::handle_channel_bind(const Request& request) {
    const auto allocation = find_own(request);
    if (!allocation) {
        return std::unexpected{allocation.error()};
    }
    const auto channel = *request.message.channel_number();
    const auto peer = *request.message.address(AttributeType::kXorPeerAddress);
    if (!(*allocation)->has(peer.family())) {
        return std::unexpected{Failure{stun::kPeerAddressFamilyMismatch, "no relayed address of the peer's family"}};
    }
    if (const auto allowed = check_peer(peer); !allowed) {
        return allowed;
    }
    switch (table_.bind(request.client, channel, peer, request.now)) {
        case AllocationTable::BindResult::kPeerInOtherChannel:
            return std::unexpected{Failure{stun::kBadRequest, "peer is bound to another channel"}};
        case AllocationTable::BindResult::kChannelHasOtherPeer:
            return std::unexpected{Failure{stun::kBadRequest, "channel is bound to another peer"}};
        case AllocationTable::BindResult::kTooManyChannels:
            return std::unexpected{Failure{stun::kInsufficientCapacity, "user, or its network, has too many channels"}};
        case AllocationTable::BindResult::kBound:
            break;
    }
    kLog.debug("Bound channel", log::field("client", request.client), log::field("channel", channel),
               log::field("peer", peer));
    succeed(request);
    return {};
}

Server::Checked<void> Server::handle_create_permission(const Request& request) {
    for (const auto& peer : request.message.addresses(AttributeType::kXorPeerAddress)) {
        if (const auto allowed = check_peer(peer); !allowed) {
            return allowed;
        }
    }
    succeed(request);
    return {};
}

Server::Checked<void> Server::check_peer(const net::SocketAddress& peer) const {
    if (const auto objection = peer_rules_.objection(peer)) {
        return std::unexpected{Failure{stun::kForbidden, *objection}};
    }
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

void Server::succeed_refresh(const Request& request, std::chrono::seconds lifetime) {
    commands_.emplace_back(SendMessage{
        request.client, refresh_success(request.message.header(), lifetime, config_.software, *request.claimed_key)});
    count_response(Method::kRefresh, 0);
}

void Server::fail(const Request& request, const Failure& failure) {
    kLog.debug("Request failed", log::field("method", method_name(request.message.method())),
               log::field("code", failure.code), log::field("reason", reason_phrase(failure.code)),
               log::field("detail", failure.detail));
    if (request.message.has(AttributeType::kUsername) && !request.claimed_key) {
        // Nothing can be signed for such a user, and peers ignore what is not signed.
        ++statistics_.dropped_malformed;
        return;
    }
    const bool is_unproven =
        failure.code == stun::kUnauthorized ||
        (failure.code == stun::kStaleNonce &&
         !(request.claimed_key && request.message.verify_integrity(request.claimed_key->reveal())));
    if (is_unproven && !may_answer(request.client, request.now)) {
        return;
    }
    send_error(request.message.header(), request.client, failure.code, request.claimed_key, request.now);
}

/// Whoever has an allocation has proven to receive what is sent there.
bool Server::may_answer(const net::SocketAddress& client, Instant now) {
    if (limiter_.allow(client.ip, now) || table_.find(client) != nullptr) {
        return true;
    }
    ++statistics_.rate_limited;
    kLog.debug("Dropped request: too many from this network", log::field("client", client));
    return false;
}

void Server::send_error(const stun::Header& header, const net::SocketAddress& client, std::uint16_t code,
                        const MaybeKey& key, Instant now) {
    std::optional<Uuid> nonce;
    if (code == stun::kUnauthorized || code == stun::kStaleNonce) {
        nonce = nonces_.issue(client, now);
    }
    commands_.emplace_back(SendMessage{client, error_response(header, code, nonce, config_.software, key)});
    count_response(header.method, code);
}

/// Users can have requests refused as often as they like; the log says so once in a while.
void Server::summarize_refusals(const Failure& latest, Instant now) {
    if (latest.code == stun::kAllocationMismatch) {
        return;  // how devices and relays find together again
    }
    ++untold_refusals_[latest.code];
    untold_concern_operator_ |= latest.concerns_operator;
    if (refusals_told_at_ && now - *refusals_told_at_ < kRefusalSummaryInterval) {
        return;
    }
    std::string counts;
    for (const auto& [code, count] : untold_refusals_) {
        counts += (counts.empty() ? "" : ", ") + std::to_string(count) + " x " + std::to_string(code) + " " +
                  std::string{reason_phrase(code)};
    }
    kLog.log(untold_concern_operator_ ? log::Level::kWarn : log::Level::kInfo, "Refused requests of users",
             log::field("responses", std::string_view{counts}), log::field("latest", latest.detail));
    untold_refusals_.clear();
    untold_concern_operator_ = false;
    refusals_told_at_ = now;
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
