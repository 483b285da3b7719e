// Who may use which route: every route with every kind of visitor. A route without a row fails.

#include <map>

#include "culvert/admin/api_fixture.h"

namespace culvert::admin {
namespace {

class ApiRoles : public ApiFixture {
protected:
    ApiRoles() {
        client_ = storage_.register_client(client_report(), rng_)->id;
        gateway_ = storage_.register_gateway(gateway_report(), rng_)->id;
        relay_ = storage_.register_relay(relay_report(), rng_)->id;
        site_token_ = add_token({.type = portal::TokenType::kGateway, .account = account(), .site = site_.id});
        user_token_ = add_token({.type = portal::TokenType::kClient, .account = account(), .actor = user_.id});
        relay_token_ = add_token({.type = portal::TokenType::kRelay});
    }

    AccountId account() { return surroundings_.directory().account.id; }
    std::string add_token(const portal::TokenOwner& owner) {
        const auto token = portal::create_token(owner, std::nullopt, storage_.token_keys(), rng_, WallTime{wall_});
        storage_.put(token.row);
        return token.row.id.to_string();
    }
    portal::LastSeen seen() {
        return {"Debian/12 gateway/1.4.18", "1.4.18", *net::IpAddress::parse("203.0.113.7"), wall_};
    }
    portal::ClientReport client_report() {
        return {.actor = user_.id,
                .external_id = "c",
                .name = "laptop",
                .public_key = {rng_.array<32>()},
                .last_seen = seen()};
    }
    portal::GatewayReport gateway_report() {
        return {
            .site = site_.id, .external_id = "g", .name = "gw", .public_key = {rng_.array<32>()}, .last_seen = seen()};
    }
    portal::RelayReport relay_report() {
        return {.name = "relay", .ipv4 = *net::IpAddress::parse("203.0.113.9"), .last_seen = seen()};
    }

    struct Row {
        /// What an administrator and a program get.
        unsigned administrator = 200;
        unsigned program = 200;
        std::string body = {};
        /// Of what the path names, in order.
        std::vector<std::string> ids = {};
        std::string query = {};
    };

    /// By method and pattern.
    std::map<std::string, Row> rows() {
        const auto site = site_.id.to_string();
        const auto user = user_.id.to_string();
        const auto group = group_.id.to_string();
        const auto resource = resource_.id.to_string();
        const auto policy = policy_.id.to_string();
        const auto client = client_.to_string();
        const auto gateway = gateway_.to_string();
        const auto member = R"({"memberships":[{"actor_id":")" + user + R"("}]})";
        const std::string new_resource =
            R"({"resource":{"name":"wiki","type":"dns","address":"wiki.corp.example","site_ids":[")" + site + R"("]}})";
        const std::string password = R"({"password":{"new":"a long password"}})";
        return {
            {"GET /setup", {}},
            {"POST /setup", {.administrator = 422, .program = 422, .body = R"({"setup":{"code":"x"}})"}},
            {"POST /session",
             {.administrator = 401, .program = 401, .body = R"({"session":{"email":"x","password":"y"}})"}},
            {"GET /session", {.program = 403}},
            {"DELETE /session", {.administrator = 204, .program = 403}},
            {"PUT /session/password",
             {.administrator = 422, .program = 403, .body = R"({"password":{"current":"x","new":"a long password"}})"}},
            {"GET /account", {}},
            {"PATCH /account", {.body = R"({"account":{"name":"Acme"}})"}},
            {"PUT /account", {.body = R"({"account":{"name":"Acme"}})"}},
            {"GET /sites", {}},
            {"POST /sites", {.administrator = 201, .program = 201, .body = R"({"site":{"name":"lab"}})"}},
            {"GET /sites/:id", {.ids = {site}}},
            {"PATCH /sites/:id", {.body = R"({"site":{"name":"lab"}})", .ids = {site}}},
            {"PUT /sites/:id", {.body = R"({"site":{"name":"lab"}})", .ids = {site}}},
            {"DELETE /sites/:id", {.ids = {site}}},
            {"GET /sites/:id/gateways", {.ids = {site}}},
            {"GET /sites/:id/tokens", {.ids = {site}}},
            {"POST /sites/:id/tokens", {.administrator = 201, .program = 201, .ids = {site}}},
            {"DELETE /sites/:id/tokens", {.ids = {site}}},
            {"DELETE /sites/:id/tokens/:token_id", {.ids = {site, site_token_}}},
            {"GET /gateways", {}},
            {"GET /gateways/:id", {.ids = {gateway}}},
            {"DELETE /gateways/:id", {.ids = {gateway}}},
            {"PUT /gateways/:id/revoke", {.ids = {gateway}}},
            {"PUT /gateways/:id/restore", {.ids = {gateway}}},
            {"GET /actors", {}},
            {"POST /actors",
             {.administrator = 201, .program = 201, .body = R"({"actor":{"name":"Bo","type":"account_user"}})"}},
            {"GET /actors/:id", {.ids = {user}}},
            {"PATCH /actors/:id", {.body = R"({"actor":{"name":"Bo"}})", .ids = {user}}},
            {"PUT /actors/:id", {.body = R"({"actor":{"name":"Bo"}})", .ids = {user}}},
            {"DELETE /actors/:id", {.ids = {user}}},
            {"PUT /actors/:id/password", {.administrator = 204, .program = 403, .body = password, .ids = {user}}},
            {"GET /actors/:id/tokens", {.ids = {user}}},
            {"POST /actors/:id/tokens", {.administrator = 201, .program = 201, .ids = {user}}},
            {"DELETE /actors/:id/tokens", {.ids = {user}}},
            {"DELETE /actors/:id/tokens/:token_id", {.ids = {user, user_token_}}},
            {"GET /groups", {}},
            {"POST /groups", {.administrator = 201, .program = 201, .body = R"({"group":{"name":"ops"}})"}},
            {"GET /groups/:id", {.ids = {group}}},
            {"PATCH /groups/:id", {.body = R"({"group":{"name":"ops"}})", .ids = {group}}},
            {"PUT /groups/:id", {.body = R"({"group":{"name":"ops"}})", .ids = {group}}},
            {"DELETE /groups/:id", {.ids = {group}}},
            {"GET /groups/:id/memberships", {.ids = {group}}},
            {"PUT /groups/:id/memberships", {.body = member, .ids = {group}}},
            {"PATCH /groups/:id/memberships",
             {.body = R"({"memberships":{"add":[")" + user + R"("]}})", .ids = {group}}},
            {"GET /resources", {}},
            {"POST /resources", {.administrator = 201, .program = 201, .body = new_resource}},
            {"GET /resources/:id", {.ids = {resource}}},
            {"PATCH /resources/:id", {.body = R"({"resource":{"name":"net"}})", .ids = {resource}}},
            {"PUT /resources/:id", {.body = R"({"resource":{"name":"net"}})", .ids = {resource}}},
            {"DELETE /resources/:id", {.ids = {resource}}},
            {"GET /policies", {}},
            {"POST /policies",
             {.administrator = 422,  // there is one
              .program = 422,
              .body = R"({"policy":{"group_id":")" + group + R"(","resource_id":")" + resource + R"("}})"}},
            {"GET /policies/:id", {.ids = {policy}}},
            {"PATCH /policies/:id", {.body = R"({"policy":{"is_disabled":true}})", .ids = {policy}}},
            {"PUT /policies/:id", {.body = R"({"policy":{"is_disabled":true}})", .ids = {policy}}},
            {"DELETE /policies/:id", {.ids = {policy}}},
            {"GET /clients", {}},
            {"GET /clients/:id", {.ids = {client}}},
            {"PATCH /clients/:id", {.body = R"({"client":{"name":"phone"}})", .ids = {client}}},
            {"PUT /clients/:id", {.body = R"({"client":{"name":"phone"}})", .ids = {client}}},
            {"DELETE /clients/:id", {.ids = {client}}},
            {"PUT /clients/:id/revoke", {.ids = {client}}},
            {"PUT /clients/:id/restore", {.ids = {client}}},
            {"PUT /clients/:id/verify", {.ids = {client}}},
            {"PUT /clients/:id/unverify", {.ids = {client}}},
            {"GET /relays", {.program = 403}},
            {"DELETE /relays/:id", {.program = 403, .ids = {relay_.to_string()}}},
            {"GET /relay_tokens", {.program = 403}},
            {"POST /relay_tokens", {.administrator = 201, .program = 403}},
            {"DELETE /relay_tokens/:id", {.program = 403, .ids = {relay_token_}}},
            {"GET /flows", {}},
            {"GET /audit", {.program = 403}},
            {"GET /access", {.query = "?actor_id=" + user + "&resource_id=" + resource}},
            {"GET /events", {.program = 403}},
        };
    }

    static std::string name_of(const Route& route) {
        return std::string{route.method} + " " + std::string{route.pattern};
    }

    /// The route's path, with `ids` in place of what begins with a colon.
    static std::string path_of(const Route& route, const std::vector<std::string>& ids) {
        std::string path;
        std::size_t next = 0;
        for (auto rest = route.pattern; !rest.empty();) {
            rest.remove_prefix(1);
            const auto part = rest.substr(0, rest.find('/'));
            rest.remove_prefix(part.size());
            path += '/' + (part.starts_with(':') ? ids.at(next++) : std::string{part});
        }
        return path;
    }

    ClientId client_;
    GatewayId gateway_;
    RelayId relay_;
    std::string site_token_;
    std::string user_token_;
    std::string relay_token_;
};

/// Every route, against a portal of its own.
template <typename Visit>
void for_each_route(const Visit& visit) {
    for (const auto& route : routes()) {
        visit(route);
    }
}

/// Lets tests make fixtures.
class Portal : public ApiRoles {
public:
    void TestBody() override {}

    /// What the route answers to the request that its row makes, once `dress` has added who asks.
    template <typename Dress>
    unsigned status(const Route& route, const Dress& dress, const std::optional<std::string>& id = std::nullopt,
                    std::size_t place = 0) {
        const auto row = rows().at(name_of(route));
        auto ids = row.ids;
        if (id) {
            ids.at(place) = *id;
        }
        return send(dress(request(std::string{route.method}, path_of(route, ids) + row.query, row.body))).status;
    }

    using ApiRoles::admin_;
    using ApiRoles::at;
    using ApiRoles::name_of;
    using ApiRoles::program_;
    using ApiRoles::rng_;
    using ApiRoles::Row;
    using ApiRoles::rows;
    using ApiRoles::session_of;
    using ApiRoles::storage_;
    using ApiRoles::surroundings_;
    using ApiRoles::token_of;
    using ApiRoles::user_;
    using ApiRoles::wall_;
    using ApiRoles::with_session;
    using ApiRoles::with_token;

    ApiRequest as_administrator(const ApiRequest& request) {
        return with_session(request, session_of(admin_.id, wall_ + std::chrono::seconds{1}));
    }
    ApiRequest as_program(const ApiRequest& request) {
        return with_token(request, token_of(program_, portal::TokenType::kApi, wall_ + std::chrono::seconds{1}));
    }
};

TEST(ApiRoutes, HaveARowEach) {
    Portal portal;
    auto rows = portal.rows();
    for_each_route([&](const Route& route) {
        EXPECT_EQ(rows.erase(Portal::name_of(route)), 1U) << "no row for " << Portal::name_of(route);
    });
    EXPECT_TRUE(rows.empty()) << "no route " << rows.begin()->first;
}

TEST(ApiRoutes, AnswerNobodyWhoHasNotSignedIn) {
    const std::string stale = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for_each_route([&](const Route& route) {
        if (route.access == Access::kEverybody) {
            return;
        }
        Portal portal;
        const auto as_nobody = [](const ApiRequest& request) { return request; };
        const auto with_stale_cookie = [&](const ApiRequest& request) { return Portal::with_session(request, stale); };
        const auto with_junk = [](const ApiRequest& request) { return Portal::with_token(request, ".x.y.z"); };
        const auto with_basic = [](ApiRequest request) {
            request.authorization = "Basic YTpi";
            return request;
        };
        EXPECT_EQ(portal.status(route, as_nobody), 401U) << Portal::name_of(route);
        EXPECT_EQ(portal.status(route, with_stale_cookie), 401U) << Portal::name_of(route);
        EXPECT_EQ(portal.status(route, with_junk), 401U) << Portal::name_of(route);
        EXPECT_EQ(portal.status(route, with_basic), 401U) << Portal::name_of(route);
    });
}

TEST(ApiRoutes, AnswerNobodyWhoseTimeIsUp) {
    for_each_route([&](const Route& route) {
        if (route.access == Access::kEverybody) {
            return;
        }
        Portal portal;
        const auto session = portal.session_of(portal.admin_.id, portal.wall_);
        const auto token = portal.token_of(portal.program_, portal::TokenType::kApi, portal.wall_);
        EXPECT_EQ(portal.status(route, [&](const auto& request) { return Portal::with_session(request, session); }),
                  401U)
            << Portal::name_of(route);
        EXPECT_EQ(portal.status(route, [&](const auto& request) { return Portal::with_token(request, token); }), 401U)
            << Portal::name_of(route);
    });
}

TEST(ApiRoutes, AnswerNoUsersAndNoDevices) {
    for_each_route([&](const Route& route) {
        if (route.access == Access::kEverybody) {
            return;
        }
        Portal portal;
        const auto session = portal.session_of(portal.user_.id, Portal::at(2'000'000'000));
        const auto device = portal.token_of(portal.user_, portal::TokenType::kClient, std::nullopt);
        const auto as_api = portal.token_of(portal.user_, portal::TokenType::kApi, std::nullopt);
        EXPECT_EQ(portal.status(route, [&](const auto& request) { return Portal::with_session(request, session); }),
                  401U)
            << Portal::name_of(route);
        for (const auto& token : {device, as_api}) {
            EXPECT_EQ(portal.status(route, [&](const auto& request) { return Portal::with_token(request, token); }),
                      401U)
                << Portal::name_of(route);
        }
    });
}

TEST(ApiRoutes, AnswerAdministrators) {
    for_each_route([&](const Route& route) {
        Portal portal;
        EXPECT_EQ(portal.status(route, [&](const auto& request) { return portal.as_administrator(request); }),
                  portal.rows().at(Portal::name_of(route)).administrator)
            << Portal::name_of(route);
    });
}

TEST(ApiRoutes, ChangeNothingWithoutTheTokenAgainstForgery) {
    for_each_route([&](const Route& route) {
        if (route.access == Access::kEverybody || route.method == "GET") {
            return;
        }
        for (const auto* token : {"", "x"}) {
            Portal portal;
            const auto forged = [&](const ApiRequest& request) {
                auto dressed = portal.as_administrator(request);
                dressed.csrf_token = token;
                return dressed;
            };
            EXPECT_EQ(portal.status(route, forged), 403U) << Portal::name_of(route);
            EXPECT_TRUE(portal.surroundings_.changes.empty()) << Portal::name_of(route);
        }
    });
}

TEST(ApiRoutes, ChangeNothingForOtherSitesPages) {
    for_each_route([&](const Route& route) {
        if (route.method == "GET") {
            return;
        }
        for (const auto* site : {"cross-site", "same-site"}) {
            Portal portal;
            const auto from_elsewhere = [&](const ApiRequest& request) {
                auto dressed = portal.as_administrator(request);
                dressed.fetch_site = site;
                return dressed;
            };
            EXPECT_EQ(portal.status(route, from_elsewhere), 403U) << Portal::name_of(route);
            EXPECT_TRUE(portal.surroundings_.changes.empty()) << Portal::name_of(route);
        }
    });
}

TEST(ApiRoutes, AnswerPrograms) {
    for_each_route([&](const Route& route) {
        Portal portal;
        EXPECT_EQ(portal.status(route, [&](const auto& request) { return portal.as_program(request); }),
                  portal.rows().at(Portal::name_of(route)).program)
            << Portal::name_of(route);
    });
}

TEST(ApiRoutes, FindNothingUnderForeignAndMalformedIds) {
    for_each_route([&](const Route& route) {
        Portal first;
        const auto row = first.rows().at(Portal::name_of(route));
        for (std::size_t place = 0; place < row.ids.size(); ++place) {
            for (const auto& id : {Uuid::random(first.rng_).to_string(), std::string{"x"}, std::string{},
                                   std::string{".."}, std::string{"' OR 1=1 --"}, std::string(5000, 'a')}) {
                Portal portal;
                EXPECT_EQ(portal.status(
                              route, [&](const auto& request) { return portal.as_administrator(request); }, id, place),
                          404U)
                    << Portal::name_of(route) << " with " << id.substr(0, 50);
                EXPECT_TRUE(portal.surroundings_.changes.empty()) << Portal::name_of(route);
            }
        }
    });
}

}  // namespace
}  // namespace culvert::admin
