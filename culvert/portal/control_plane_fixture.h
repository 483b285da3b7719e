#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/memory_storage.h"

namespace culvert::portal {

/// A database that can be made to fail, and that counts for how many writes it was locked.
class FaultyStorage final : public MemoryStorage {
public:
    using MemoryStorage::insert;
    using MemoryStorage::MemoryStorage;
    using MemoryStorage::put;

    bool insert(const Flow& flow, const PolicyConditions& met) override {
        if (is_locked) {
            throw StorageError{"the database is locked"};
        }
        count_call();
        return MemoryStorage::insert(flow, met);
    }

    void in_transaction(const std::function<void()>& work) override {
        ++transactions;
        count_call();
        MemoryStorage::in_transaction(work);
    }

    Directory load_directory() override {
        count_call();
        return MemoryStorage::load_directory();
    }
    std::optional<Token> find_token(const TokenId& id) override {
        count_call();
        return MemoryStorage::find_token(id);
    }
    std::optional<Client> find_client(const ClientId& id) override {
        count_call();
        return MemoryStorage::find_client(id);
    }
    bool has_gateway(const GatewayId& id) override {
        count_call();
        return MemoryStorage::has_gateway(id);
    }
    void put(const TurnUser& user) override {
        count_call();
        MemoryStorage::put(user);
    }
    std::vector<RevokedTurnUser> revoked_turn_users(UnixSeconds now) override {
        count_call();
        return MemoryStorage::revoked_turn_users(now);
    }
    std::vector<Flow> find_flows(const GatewayId& gateway) override {
        count_call();
        return MemoryStorage::find_flows(gateway);
    }
    bool erase_flows_except(const ClientId& client, const std::set<PolicyId>& granting) override {
        count_call();
        return MemoryStorage::erase_flows_except(client, granting);
    }
    void erase_expired_flows(UnixSeconds now) override {
        count_call();
        MemoryStorage::erase_expired_flows(now);
    }

    bool is_locked = false;
    int transactions = 0;
    /// The call after so many others fails, once.
    std::optional<std::uint64_t> calls_until_failure;

private:
    void count_call() {
        if (calls_until_failure && (*calls_until_failure)-- == 0) {
            calls_until_failure.reset();
            throw StorageError{"the disk is full"};
        }
    }
};

/// A control plane over a database in memory, with one of everything configured: alice is in the engineers, who may
/// reach the network "lan" behind the site "hq".
class ControlPlaneTest : public testing::Test {
protected:
    struct Device {
        SessionId session{};
        portal_api::Role role = portal_api::Role::kClient;
        portal_api::Dialect dialect = portal_api::Dialect::kV1;
    };

    ControlPlaneTest() : storage_{rng_} {
        storage_.put(site_);
        storage_.put(actor_);
        storage_.put(group_);
        storage_.put(membership_);
        storage_.put(resource_);
        storage_.put(policy_);
        portal_.emplace(storage_, Rng::from_number(2), now_);
    }

    std::string create_token(TokenOwner owner, std::optional<UnixSeconds> expires_at = {}) {
        if (owner.type != TokenType::kRelay) {
            owner.account = storage_.load_directory().account.id;
        }
        auto token = portal::create_token(owner, expires_at, storage_.token_keys(), rng_, wall());
        storage_.put(token.row);
        last_token_ = token.row.id;
        return token.text;
    }
    std::string client_token(std::optional<UnixSeconds> expires_at = {}) {
        return create_token({.type = TokenType::kClient, .actor = actor_.id}, expires_at);
    }
    std::string gateway_token() { return create_token({.type = TokenType::kGateway, .site = site_.id}); }
    std::string relay_token() { return create_token({.type = TokenType::kRelay}); }

    static std::string key_text(std::uint64_t number) {
        auto rng = Rng::from_number(number);
        return crypto::PublicKey{rng.array<32>()}.to_string();
    }

    ConnectRequest client_request(const std::string& token, std::uint64_t number = 1) {
        return {.role = portal_api::Role::kClient,
                .parameters = {{"token", token},
                               {"external_id", "client-" + std::to_string(number)},
                               {"name", "laptop"},
                               {"public_key", key_text(number)}},
                .user_agent = "Ubuntu/24.4.0 headless-client/1.5.5 (x86_64; 6.8.0)",
                .remote_ip = *net::IpAddress::parse("203.0.113.30")};
    }
    ConnectRequest gateway_request(const std::string& token, std::uint64_t number = 1,
                                   const std::string& version = "1.4.18") {
        return {.role = portal_api::Role::kGateway,
                .parameters = {{"token", token},
                               {"external_id", "gateway-" + std::to_string(number)},
                               {"name", "gw"},
                               {"public_key", key_text(1000 + number)}},
                .user_agent = "Debian/12.0.0 gateway/" + version,
                .remote_ip = *net::IpAddress::parse("203.0.113.40")};
    }
    /// The same of a device of 2026.
    static ConnectRequest newer(ConnectRequest request) {
        request.dialect = portal_api::Dialect::kV2;
        request.user_agent = request.role == portal_api::Role::kClient
                                 ? "Ubuntu/24.4.0 headless-client/1.5.12 (x86_64; 6.8.0)"
                                 : "Debian/12.0.0 gateway/1.6.1";
        return request;
    }
    ConnectRequest relay_request(const std::string& token, std::uint8_t number = 1) {
        return {.role = portal_api::Role::kRelay,
                .parameters = {{"token", token},
                               {"ipv4", "203.0.113." + std::to_string(20 + number)},
                               {"ipv6", "2001:db8:113::" + std::to_string(20 + number)},
                               {"port", "3478"}},
                .user_agent = "Debian/12.0.0 relay/0.1.0",
                .remote_ip = *net::IpAddress::parse("203.0.113.21")};
    }

    /// The request with another value for one parameter, or without it.
    static ConnectRequest with(ConnectRequest request, const std::string& name,
                               const std::optional<std::string>& value) {
        std::erase_if(request.parameters, [&](const auto& pair) { return pair.first == name; });
        if (value) {
            request.parameters.emplace_back(name, *value);
        }
        return request;
    }

    Device connect(const ConnectRequest& request) {
        const auto session = portal_->connect(request, now_, wall());
        EXPECT_TRUE(session) << (session ? "" : session.error().text);
        return {session.value_or(SessionId{}), request.role, request.dialect};
    }
    /// 0 if the portal accepts.
    unsigned refusal(const ConnectRequest& request) {
        const auto session = portal_->connect(request, now_, wall());
        return session ? 0 : session.error().status;
    }
    void send_text(const Device& device, const std::string& text) {
        portal_->handle_frame(device.session, text, now_, wall());
        collect();
    }
    void send(const Device& device, const portal_api::FromDevice& message) {
        send_text(device, portal_api::encode_from_device(message, device.dialect, 7));
    }
    void join(const Device& device, const std::string& stamp_secret = "5ec2e7") {
        send_text(device, portal_api::encode_join(
                              device.role, 0,
                              device.role == portal_api::Role::kRelay ? std::optional{stamp_secret} : std::nullopt));
    }
    Device join(const ConnectRequest& request, const std::string& stamp_secret = "5ec2e7") {
        const auto device = connect(request);
        join(device, stamp_secret);
        return device;
    }
    void disconnect(const Device& device) {
        portal_->disconnect(device.session, now_);
        collect();
    }
    void announce_changes() {
        portal_->handle_changes(now_, wall());
        collect();
    }
    /// Takes what the portal has to say.
    void collect() {
        while (auto output = portal_->poll_output()) {
            if (auto* frame = std::get_if<SendFrame>(&*output)) {
                frames_[frame->session].push_back(std::move(frame->text));
            } else {
                closed_.insert(std::get<CloseSession>(*output).session);
            }
        }
    }

    /// Lets time pass, with the portal's timers going off when they are due.
    void wait(Duration time) {
        const auto end = now_ + time;
        while (portal_->poll_timeout() && *portal_->poll_timeout() <= end) {
            now_ = std::max(now_, *portal_->poll_timeout());
            portal_->handle_timeout(now_, wall());
            collect();
            contract::expect_spurious_timeout_is_invisible(*portal_, now_,
                                                           std::chrono::floor<std::chrono::seconds>(wall()));
        }
        now_ = end;
    }

    /// For days and weeks: the timers go off once an hour.
    void wait_coarsely(Duration time) {
        const auto end = now_ + time;
        while (now_ < end) {
            now_ = std::min(end, now_ + std::chrono::hours{1});
            portal_->handle_timeout(now_, wall());
            collect();
        }
    }

    [[nodiscard]] WallTime wall() const {
        return WallTime{std::chrono::floor<std::chrono::milliseconds>(now_.time_since_epoch()) + kWallOffset};
    }
    [[nodiscard]] UnixSeconds wall_seconds() const { return std::chrono::floor<std::chrono::seconds>(wall()); }

    /// Takes the messages of type T sent to the device, and drops the others.
    template <typename T>
    std::vector<T> take(const Device& device) {
        std::vector<T> messages;
        for (const auto& text : take_frames(device)) {
            const auto frame = portal_api::decode_to_device(device.role, device.dialect, text);
            EXPECT_TRUE(frame) << text;
            if (!frame) {
                continue;
            }
            visit_alternatives(*frame, [&](const auto& part) {
                if constexpr (std::is_same_v<std::decay_t<decltype(part)>, T>) {
                    messages.push_back(part);
                }
            });
        }
        return messages;
    }
    template <typename T>
    T take_one(const Device& device) {
        auto messages = take<T>(device);
        EXPECT_EQ(messages.size(), 1U);
        return messages.empty() ? T{} : messages.back();
    }
    std::vector<std::string> take_frames(const Device& device) { return std::exchange(frames_[device.session], {}); }
    [[nodiscard]] bool is_closed(const Device& device) const { return closed_.contains(device.session); }

    Rng rng_ = Rng::from_number(1);
    FaultyStorage storage_;
    Instant now_{std::chrono::hours{1}};
    Site site_{SiteId::random(rng_), "hq"};
    Actor actor_{ActorId::random(rng_), ActorType::kServiceAccount, "alice", "alice@example.com"};
    Group group_{GroupId::random(rng_), "engineers"};
    Membership membership_{MembershipId::random(rng_), actor_.id, group_.id};
    Resource resource_{.id = ResourceId::random(rng_),
                       .type = ResourceType::kCidr,
                       .name = "lan",
                       .address = "10.20.0.0/24",
                       .address_description = std::nullopt,
                       .filters = {},
                       .sites = {site_.id}};
    Policy policy_{.id = PolicyId::random(rng_), .group = group_.id, .resource = resource_.id};
    std::optional<ControlPlane> portal_;
    TokenId last_token_;

private:
    /// Calls `visitor` with the alternative a frame holds, down to the application message.
    template <typename Visitor>
    static void visit_alternatives(const portal_api::ToDeviceFrame& frame, const Visitor& visitor) {
        std::visit(
            [&](const auto& kind) {
                visitor(kind);
                if constexpr (std::is_same_v<std::decay_t<decltype(kind)>, portal_api::MessageFrame>) {
                    std::visit([&](const auto& of_role) { std::visit(visitor, of_role); }, kind.message);
                }
            },
            frame);
    }

    static constexpr std::chrono::milliseconds kWallOffset{1'760'000'000'000};

    std::map<SessionId, std::vector<std::string>> frames_;
    std::set<SessionId> closed_;
};

}  // namespace culvert::portal
