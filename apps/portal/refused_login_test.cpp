#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "apps/portal/sqlite_storage.h"
#include "culvert/portal/control_plane.h"

namespace culvert::portal_server {
namespace {

using namespace std::chrono_literals;
using portal::ConnectRequest;
using portal_api::Role;

/// Every row of every table, as text.
std::map<std::string, std::string> read_everything(const std::filesystem::path& path) {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    const auto query = [&](const std::string& sql) {
        std::string text;
        const auto append = [](void* out, int columns, char** values, char**) {
            for (int i = 0; i < columns; ++i) {
                *static_cast<std::string*>(out) += std::string{values[i] == nullptr ? "-" : values[i]} + "\n";
            }
            return 0;
        };
        EXPECT_EQ(sqlite3_exec(database, sql.c_str(), append, &text, nullptr), SQLITE_OK) << sql;
        return text;
    };
    std::map<std::string, std::string> tables;
    auto names = query("SELECT name FROM sqlite_master WHERE type = 'table'");
    for (std::size_t end = 0; (end = names.find('\n')) != std::string::npos; names.erase(0, end + 1)) {
        const auto name = names.substr(0, end);
        tables[name] = query("SELECT * FROM \"" + name + "\"");
    }
    sqlite3_close(database);
    return tables;
}

/// A portal over a database file, with a client, a gateway and a relay that were seen long ago.
class RefusedLogin : public testing::Test {
protected:
    RefusedLogin() {
        std::string folder = testing::TempDir() + "culvert-portal-XXXXXX";
        folder_ = ::mkdtemp(folder.data());
        storage_.emplace(path(), rng_);
        storage_->put(site_);
        storage_->put(actor_);
        client_token_ = create_token({.type = portal::TokenType::kClient, .actor = actor_.id});
        gateway_token_ = create_token({.type = portal::TokenType::kGateway, .site = site_.id});
        relay_token_ = create_token({.type = portal::TokenType::kRelay});
        portal_.emplace(*storage_, rng_.fork(), now_, portal::Limits{.devices_per_owner = 2});
        EXPECT_EQ(login(client("one")), 0U);
        EXPECT_EQ(login(gateway("one")), 0U);
        EXPECT_EQ(login(relay()), 0U);
        wait(40 * 24h);
    }
    ~RefusedLogin() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::filesystem::path path() const { return folder_ / "portal.db"; }

    std::string create_token(portal::TokenOwner owner, std::optional<UnixSeconds> expires_at = {}) {
        if (owner.type != portal::TokenType::kRelay) {
            owner.account = storage_->load_directory().account.id;
        }
        const auto token = portal::create_token(owner, expires_at, storage_->token_keys(), rng_, wall_);
        storage_->put(token.row);
        return token.text;
    }

    static std::string key(const std::string& name) {
        auto rng = Rng::from_number(std::hash<std::string>{}(name));
        return crypto::PublicKey{rng.array<32>()}.to_string();
    }
    ConnectRequest client(const std::string& name) {
        return {.role = Role::kClient,
                .parameters = {{"token", client_token_}, {"external_id", name}, {"public_key", key(name)}},
                .user_agent = "Debian/12.0.0 headless-client/1.5.5",
                .remote_ip = *net::IpAddress::parse("203.0.113.30")};
    }
    ConnectRequest gateway(const std::string& name) {
        return {
            .role = Role::kGateway,
            .parameters = {{"token", gateway_token_}, {"external_id", name}, {"public_key", key("gateway " + name)}},
            .user_agent = "Debian/12.0.0 gateway/1.4.18",
            .remote_ip = *net::IpAddress::parse("203.0.113.31")};
    }
    ConnectRequest relay() {
        return {.role = Role::kRelay,
                .parameters = {{"token", relay_token_}, {"ipv4", "203.0.113.32"}},
                .user_agent = "Debian/12.0.0 relay/0.1.0",
                .remote_ip = *net::IpAddress::parse("203.0.113.32")};
    }
    static ConnectRequest with(ConnectRequest request, const std::string& name, const std::string& value) {
        request.parameters.emplace_back(name, value);  // the last one counts
        return request;
    }

    /// 0 if it is accepted. The connection ends at once, as far as it is not held.
    unsigned login(const ConnectRequest& request, bool is_held = false) {
        const auto session = portal_->connect(request, now_, wall_);
        if (!session) {
            return session.error().status;
        }
        if (is_held) {
            portal_->handle_frame(*session, portal_api::encode_join(request.role, 0, {}), now_, wall_);
        } else {
            portal_->disconnect(*session, now_);
        }
        return 0;
    }
    void expect_refusal(unsigned status, const ConnectRequest& request, const std::string& reason) {
        const auto before = read_everything(path());
        EXPECT_EQ(login(request), status) << reason;
        EXPECT_EQ(read_everything(path()), before) << reason;
    }
    portal::ActorId add_actor_with_devices(int count) {
        const portal::Actor actor{portal::ActorId::random(rng_), portal::ActorType::kServiceAccount, "bob",
                                  std::nullopt};
        storage_->put(actor);
        const auto token = create_token({.type = portal::TokenType::kClient, .actor = actor.id});
        for (int i = 0; i < count; ++i) {
            EXPECT_EQ(login(with(client("bobs-" + std::to_string(i)), "token", token)), 0U);
        }
        return actor.id;
    }
    void wait(std::chrono::seconds time) {
        now_ += time;
        wall_ += time;
    }

    Rng rng_ = Rng::from_number(5);
    std::filesystem::path folder_;
    std::optional<SqliteStorage> storage_;
    std::optional<portal::ControlPlane> portal_;
    Instant now_{1h};
    WallTime wall_{1'760'000'000s};
    portal::Site site_{SiteId::random(rng_), "hq"};
    portal::Actor actor_{portal::ActorId::random(rng_), portal::ActorType::kServiceAccount, "alice", std::nullopt};
    std::string client_token_;
    std::string gateway_token_;
    std::string relay_token_;
};

TEST_F(RefusedLogin, ForItsTokenLeavesTheDatabaseAsItWas) {
    const auto expired =
        create_token({.type = portal::TokenType::kClient, .actor = actor_.id}, UnixSeconds{1'700'000'000s});
    expect_refusal(401, with(client("one"), "token", ""), "no token");
    expect_refusal(401, with(client("one"), "token", "nonsense"), "not a token");
    expect_refusal(401, with(client("one"), "token", gateway_token_), "another role's token");
    expect_refusal(401, with(client("one"), "token", expired), "expired");
}

TEST_F(RefusedLogin, ForWhatItSaysLeavesTheDatabaseAsItWas) {
    auto nameless = client("one");
    nameless.user_agent = "curl";
    expect_refusal(400, nameless, "unknown component");
    expect_refusal(400, with(client("one"), "external_id", ""), "no id");
    expect_refusal(400, with(gateway("one"), "public_key", "AAAA"), "no key");
    expect_refusal(400, with(relay(), "ipv4", ""), "no address");
}

TEST_F(RefusedLogin, OfOneDeviceTooManyLeavesTheForgottenOneItsKey) {
    EXPECT_EQ(login(client("two")), 0U);
    EXPECT_EQ(login(client("three")), 503U);
    expect_refusal(503, client("three"), "too many clients");
    EXPECT_EQ(login(gateway("two")), 0U);
    // "one" of each was not seen for 40 days, so that its key could be had: but not by whom there is no room for.
    const auto other = create_token({.type = portal::TokenType::kClient, .actor = add_actor_with_devices(2)});
    expect_refusal(503, with(with(client("three"), "token", other), "public_key", key("one")), "too many clients");
    expect_refusal(503, with(with(client("three"), "token", other), "public_key", key("gateway one")), "of a gateway");
    expect_refusal(503, with(gateway("three"), "public_key", key("one")), "too many gateways");
}

TEST_F(RefusedLogin, ForItsKeyLeavesTheDatabaseAsItWas) {
    EXPECT_EQ(login(client("two")), 0U);
    expect_refusal(503, with(gateway("one"), "public_key", key("two")), "a key in use");
    EXPECT_EQ(login(gateway("one")), 0U);
    expect_refusal(503, with(client("two"), "public_key", key("gateway one")), "a gateway's key in use");
}

TEST_F(RefusedLogin, OfARevokedDeviceLeavesTheDatabaseAsItWas) {
    for (const auto& statement : {"clients", "gateways", "relays"}) {
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
        const auto sql = "UPDATE " + std::string{statement} + " SET revoked_at = 1";
        ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(database);
    }
    expect_refusal(401, client("one"), "client");
    expect_refusal(401, with(client("one"), "public_key", key("gateway one")), "client with another key");
    expect_refusal(401, gateway("one"), "gateway");
    expect_refusal(401, relay(), "relay");
}

/// Else whoever may not come in would have all others wait, and wait for them.
TEST_F(RefusedLogin, WaitsForNobodyWhoWrites) {
    EXPECT_EQ(login(client("two")), 0U);
    EXPECT_EQ(login(gateway("two")), 0U);
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "UPDATE relays SET revoked_at = 1; BEGIN IMMEDIATE", nullptr, nullptr, nullptr),
              SQLITE_OK);
    storage_->set_lock_timeout(1ms);
    const auto refusal = [&](const ConnectRequest& request) {
        const auto session = portal_->connect(request, now_, wall_);
        return session ? "accepted" : session.error().text.substr(0, 16);
    };
    EXPECT_EQ(refusal(client("two")), "Storage failure") << "nobody else is let in meanwhile";
    EXPECT_EQ(refusal(client("three")), "Too many devices");
    EXPECT_EQ(refusal(gateway("three")), "Too many devices");
    EXPECT_EQ(refusal(with(client("one"), "public_key", key("two"))), "public_key: anot");
    EXPECT_EQ(refusal(with(gateway("one"), "public_key", key("two"))), "public_key: anot");
    EXPECT_EQ(refusal(relay()), "This device was ");
    sqlite3_close(other);
}

TEST_F(RefusedLogin, OfASecondMachineLeavesTheDatabaseAsItWas) {
    EXPECT_EQ(login(client("one"), true), 0U);
    EXPECT_EQ(login(with(client("one"), "public_key", key("copy")), true), 0U);
    expect_refusal(503, client("one"), "perhaps the same machine");
}

TEST_F(RefusedLogin, ThatComesTooOftenLeavesTheDatabaseAsItWas) {
    unsigned status = 0;
    while (status == 0) {
        status = login(relay());
    }
    expect_refusal(503, relay(), "too often");
}

}  // namespace
}  // namespace culvert::portal_server
