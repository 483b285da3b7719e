#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include "culvert/admin/api.h"
#include "culvert/portal/memory_storage.h"
#include "culvert/portal/token.h"

namespace culvert::admin {

/// A portal that only keeps books.
class FakeSurroundings final : public Surroundings {
public:
    explicit FakeSurroundings(portal::Storage& storage) : storage_{storage} { reload(); }

    void reload() { directory_ = storage_.load_directory(); }

    const portal::Directory& directory() override { return directory_; }
    bool is_online(const ClientId& id) override { return online.contains(id.uuid()); }
    bool is_online(const GatewayId& id) override { return online.contains(id.uuid()); }
    bool is_online(const RelayId& id) override { return online.contains(id.uuid()); }
    void handle_change(std::string_view kind, std::string_view id) override {
        changes.emplace_back(kind, id);
        reload();
    }
    void tell_setup_code(std::string_view code) override { setup_code = code; }

    std::set<Uuid> online;
    std::vector<std::pair<std::string, std::string>> changes;
    std::string setup_code;

private:
    portal::Storage& storage_;
    portal::Directory directory_;
};

/// An API over a portal with one of everything, and requests to it.
class ApiFixture : public testing::Test {
protected:
    ApiFixture() {
        storage_.put(site_);
        for (const auto& actor : {admin_, other_admin_, user_, program_}) {
            storage_.put(actor);
        }
        storage_.put(group_);
        storage_.put(portal::Membership{portal::MembershipId::random(rng_), user_.id, group_.id});
        storage_.put(resource_);
        storage_.put(policy_);
        surroundings_.reload();
        start();
    }

    static UnixSeconds at(std::int64_t seconds) { return UnixSeconds{std::chrono::seconds{seconds}}; }

    /// Starts the API, again.
    void start() { api_.emplace(storage_, surroundings_, rng_.fork(), PasswordCost{.passes = 1, .memory = 8192}); }

    http::Response send(const ApiRequest& request) {
        auto answer = api_->answer(request, now_, wall_);
        if (auto* task = std::get_if<PasswordTask>(&answer)) {
            return Api::finish(*task, task->work());
        }
        if (std::holds_alternative<EventStream>(answer)) {
            return {.status = 200, .body = "events"};
        }
        return std::get<http::Response>(std::move(answer));
    }

    /// Nobody's request.
    static ApiRequest request(const std::string& method, const std::string& target, const std::string& body = "") {
        const auto question = target.find('?');
        ApiRequest made{.method = method, .path = target.substr(0, question)};
        for (auto rest = question == std::string::npos ? "" : target.substr(question + 1); !rest.empty();) {
            const auto pair = rest.substr(0, rest.find('&'));
            rest.erase(0, pair.size() + 1);
            const auto equals = pair.find('=');
            made.query.emplace_back(pair.substr(0, equals), equals == std::string::npos ? "" : pair.substr(equals + 1));
        }
        made.content_type = "application/json";
        made.remote_ip = *net::IpAddress::parse("203.0.113.5");
        made.user_agent = "test/1.0";
        made.body = body;
        return made;
    }

    /// The cookie of a session that is there, not by signing in.
    std::string session_of(const portal::ActorId& actor, UnixSeconds expires_at) {
        auto rng = rng_.fork();
        Authenticator authentication{storage_, surroundings_, rng_.fork()};
        auto session = authentication.new_session(actor, wall_);
        session.row.expires_at = expires_at;
        storage_.put(session.row);
        return session.secret;
    }
    static ApiRequest with_session(ApiRequest request, const std::string& secret) {
        request.cookie = "other=1; culvert_session=" + secret;
        request.csrf_token = Authenticator::csrf_token_of(secret);
        return request;
    }
    std::string token_of(const portal::Actor& actor, portal::TokenType type, std::optional<UnixSeconds> expires_at) {
        const auto token =
            portal::create_token({.type = type, .account = surroundings_.directory().account.id, .actor = actor.id},
                                 expires_at, storage_.token_keys(), rng_, WallTime{wall_});
        storage_.put(token.row);
        return token.text;
    }
    static ApiRequest with_token(ApiRequest request, const std::string& token) {
        request.authorization = "Bearer " + token;
        return request;
    }

    /// An administrator's request.
    http::Response ask(const std::string& method, const std::string& target, const std::string& body = "") {
        if (session_.empty()) {
            session_ = session_of(admin_.id, wall_ + std::chrono::hours{1});
        }
        return send(with_session(request(method, target, body), session_));
    }

    static boost::json::value data_of(const http::Response& response) {
        return boost::json::parse(response.body).as_object().at("data");
    }
    static std::string code_of(const http::Response& response) {
        const auto value = boost::json::parse(response.body);
        return std::string{value.as_object().at("code").as_string()};
    }
    /// The first message about that field.
    static std::string error_of(const http::Response& response, const std::string& field) {
        const auto value = boost::json::parse(response.body);
        const auto* errors = value.as_object().if_contains("errors");
        const auto* messages = errors == nullptr ? nullptr : errors->as_object().if_contains(field);
        return messages == nullptr ? "" : std::string{messages->as_array().at(0).as_string()};
    }
    static std::string header_of(const http::Response& response, std::string_view name) {
        for (const auto& [key, value] : response.headers) {
            if (key == name) {
                return value;
            }
        }
        return "";
    }

    Rng rng_ = Rng::from_number(7);
    portal::MemoryStorage storage_{rng_};
    FakeSurroundings surroundings_{storage_};
    std::optional<Api> api_;
    Instant now_{std::chrono::hours{1}};
    UnixSeconds wall_ = at(1'700'000'000);
    std::string session_;

    portal::Site site_{SiteId::random(rng_), "hq"};
    portal::Actor admin_{portal::ActorId::random(rng_), portal::ActorType::kAdminUser, "Ana", "ana@example.com"};
    portal::Actor other_admin_{portal::ActorId::random(rng_), portal::ActorType::kAdminUser, "Otto",
                               "otto@example.com"};
    portal::Actor user_{portal::ActorId::random(rng_), portal::ActorType::kUser, "Ute", "ute@example.com"};
    portal::Actor program_{portal::ActorId::random(rng_), portal::ActorType::kApiClient, "terraform", std::nullopt};
    portal::Group group_{portal::GroupId::random(rng_), "engineers"};
    portal::Resource resource_{.id = ResourceId::random(rng_),
                               .type = portal::ResourceType::kCidr,
                               .name = "lan",
                               .address = "10.0.0.0/8",
                               .address_description = std::nullopt,
                               .filters = {{portal::FilterProtocol::kTcp, {{443, 443}}}},
                               .sites = {site_.id}};
    portal::Policy policy_{.id = portal::PolicyId::random(rng_), .group = group_.id, .resource = resource_.id};
};

}  // namespace culvert::admin
