#include "apps/portal/sqlite_storage.h"

#include <algorithm>
#include <chrono>
#include <fstream>

#include "apps/portal/schema.h"
#include "culvert/portal/storage_contract.h"

namespace culvert::portal {
namespace {

struct MakeSqliteStorage {
    static std::unique_ptr<Storage> make(Rng& rng) {
        return std::make_unique<portal_server::SqliteStorage>(":memory:", rng);
    }
};

CULVERT_STORAGE_CONTRACT(Sqlite, MakeSqliteStorage);

}  // namespace
}  // namespace culvert::portal

namespace culvert::portal_server {
namespace {

class DatabaseFile : public testing::Test {
protected:
    DatabaseFile() {
        std::string folder = testing::TempDir() + "culvert-portal-XXXXXX";
        folder_ = ::mkdtemp(folder.data());
    }
    ~DatabaseFile() override { std::filesystem::remove_all(folder_); }

    std::string error_of_opening(const std::filesystem::path& path) {
        try {
            SqliteStorage{path, rng_};
            return "";
        } catch (const portal::StorageError& error) {
            return error.what();
        }
    }

    Rng rng_ = Rng::from_number(8);
    std::filesystem::path folder_;
};

TEST_F(DatabaseFile, IsCreatedWithItsFolderAndKeepsItsSecrets) {
    const auto path = folder_ / "a" / "b" / "portal.db";
    const auto keys = SqliteStorage{path, rng_}.token_keys();
    SqliteStorage again{path, rng_};

    EXPECT_FALSE(keys.key_base.empty());
    EXPECT_EQ(again.token_keys().key_base, keys.key_base);
    EXPECT_EQ(again.token_keys().salt, keys.salt);
}

TEST_F(DatabaseFile, IsForItsOwnerOnly) {
    const auto path = folder_ / "portal.db";
    SqliteStorage storage{path, rng_};
    storage.put(portal::Site{SiteId::random(rng_), "hq"});

    for (const auto& file : std::filesystem::directory_iterator{folder_}) {
        EXPECT_EQ(file.status().permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
            << file.path();
    }
}

TEST_F(DatabaseFile, GetsAFolderForItsOwnerOnly) {
    SqliteStorage{folder_ / "a" / "b" / "portal.db", rng_};

    for (const auto& folder : {folder_ / "a", folder_ / "a" / "b"}) {
        EXPECT_EQ(std::filesystem::status(folder).permissions(), std::filesystem::perms::owner_all) << folder;
    }
}

TEST_F(DatabaseFile, ThatOthersMayReadIsNamed) {
    const auto path = folder_ / "portal.db";
    SqliteStorage storage{path, rng_};
    EXPECT_TRUE(storage.exposed_files().empty());

    std::filesystem::permissions(path, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
    EXPECT_EQ(storage.exposed_files(), std::vector{path});
}

TEST_F(DatabaseFile, ThatIsDeletedOrReplacedIsNotUsedAnyMore) {
    const auto path = folder_ / "portal.db";
    const auto aside = folder_ / "aside.db";
    SqliteStorage storage{path, rng_};
    EXPECT_NO_THROW((void)storage.foreign_changes());
    EXPECT_NO_THROW(storage.try_to_write());

    std::filesystem::rename(path, aside);
    EXPECT_THROW(storage.try_to_write(), portal::StorageError);
    EXPECT_THROW((void)storage.load_directory(), portal::StorageError);
    std::filesystem::copy(aside, path);
    EXPECT_THROW((void)storage.foreign_changes(), portal::StorageError) << "another file of the same name";
    EXPECT_THROW(storage.erase_expired_flows(UnixSeconds{}), portal::StorageError);

    std::filesystem::rename(aside, path);
    EXPECT_NO_THROW((void)storage.foreign_changes());
    EXPECT_NO_THROW(storage.try_to_write());

    std::filesystem::remove(path.string() + "-wal");
    EXPECT_THROW((void)storage.foreign_changes(), portal::StorageError) << "half of the database is in its journal";
}

TEST_F(DatabaseFile, ShowsTokensAndDevices) {
    const portal::Site site{SiteId::random(rng_), "hq"};
    const portal::Actor actor{portal::ActorId::random(rng_), portal::ActorType::kUser, "alice", std::nullopt};
    const portal::Token of_site{.id = portal::TokenId::random(rng_),
                                .type = portal::TokenType::kGateway,
                                .site = site.id,
                                .expires_at = UnixSeconds{std::chrono::seconds{2'000'000'000}}};
    const portal::Token of_actor{.id = portal::TokenId::random(rng_), .actor = actor.id};
    const portal::LastSeen seen{"ua", "1.4.18", *net::IpAddress::parse("203.0.113.7"),
                                UnixSeconds{std::chrono::seconds{1'900'000'000}}};
    SqliteStorage storage{folder_ / "portal.db", rng_};
    storage.put(site);
    storage.put(actor);
    storage.put(of_site);
    storage.put(of_actor);
    storage.record_use(of_site.id, seen);
    const auto gateway = storage.register_gateway(
        {.site = site.id, .token = of_site.id, .external_id = "x", .name = "gw", .public_key = {}, .last_seen = seen},
        rng_);
    ASSERT_TRUE(gateway);

    auto tokens = storage.list_tokens();
    ASSERT_EQ(tokens.size(), 2U);
    std::ranges::sort(tokens, {}, &TokenListing::actor);  // that without an actor first
    EXPECT_EQ(tokens[0].id, of_site.id);
    EXPECT_EQ(tokens[0].site, "hq");
    EXPECT_EQ(tokens[0].expires_at, of_site.expires_at);
    EXPECT_EQ(tokens[0].last_seen_at, seen.at);
    EXPECT_EQ(tokens[0].last_seen_remote_ip, "203.0.113.7");
    EXPECT_EQ(tokens[1].actor, "alice");
    EXPECT_FALSE(tokens[1].last_seen_at);

    EXPECT_TRUE(storage.revoke(gateway->id, seen.at));
    const auto devices = storage.list_devices();
    ASSERT_EQ(devices.size(), 1U);
    EXPECT_EQ(devices[0].id, gateway->id.uuid());
    EXPECT_EQ(devices[0].kind, DeviceKind::kGateway);
    EXPECT_EQ(devices[0].name, "gw");
    EXPECT_EQ(devices[0].site, "hq");
    EXPECT_EQ(devices[0].token, of_site.id);
    EXPECT_EQ(devices[0].ipv4, gateway->ipv4.to_string());
    EXPECT_EQ(devices[0].last_seen_at, seen.at);
    EXPECT_EQ(devices[0].revoked_at, seen.at);

    EXPECT_TRUE(storage.erase(of_site.id));
    EXPECT_FALSE(storage.list_devices()[0].token) << "its token is gone, the device is not";
}

TEST_F(DatabaseFile, OfTheSecondVersionIsBroughtUpToDate) {
    const auto path = folder_ / "portal.db";
    {
        Database database{path};
        migrate(database, path.string(), rng_, 2);
    }

    SqliteStorage storage{path, rng_};

    EXPECT_NO_THROW(storage.try_to_write());
    EXPECT_TRUE(storage.list_devices().empty());
}

TEST_F(DatabaseFile, OfTheFourthVersionKeepsItsRulesAndTakesPools) {
    const auto path = folder_ / "portal.db";
    {
        Database database{path};
        migrate(database, path.string(), rng_, 4);
        database.run("INSERT INTO resources (id, account_id, type, name, address) SELECT '" +
                     ResourceId::random(rng_).to_string() + "', id, 'cidr', 'lan', '10.0.0.0/8' FROM accounts");
    }
    SqliteStorage storage{path, rng_};
    EXPECT_EQ(storage.load_directory().resources.size(), 1U);
    storage.put(portal::Resource{.id = ResourceId::random(rng_),
                                 .type = portal::ResourceType::kStaticDevicePool,
                                 .name = "build hosts",
                                 .address = {},
                                 .filters = {},
                                 .sites = {}});
    EXPECT_EQ(storage.load_directory().resources.size(), 2U);

    Database database{path};
    for (const auto* row : {"'unknown', 'x', NULL", "'cidr', 'x', NULL", "'static_device_pool', 'x', 'address'"}) {
        EXPECT_THROW(database.run("INSERT INTO resources (id, account_id, type, name, address) SELECT 'x', id, " +
                                  std::string{row} + " FROM accounts"),
                     portal::StorageError)
            << row;
    }
    auto check = database.prepare("PRAGMA integrity_check");
    ASSERT_TRUE(check.step());
    EXPECT_EQ(check.text(0), "ok");
}

TEST_F(DatabaseFile, ShowsChangesOfOtherConnectionsOnly) {
    SqliteStorage one{folder_ / "portal.db", rng_};
    SqliteStorage two{folder_ / "portal.db", rng_};
    const auto seen = one.foreign_changes();

    one.put(portal::Site{SiteId::random(rng_), "mine"});
    EXPECT_EQ(one.foreign_changes(), seen);

    two.put(portal::Site{SiteId::random(rng_), "theirs"});
    EXPECT_NE(one.foreign_changes(), seen);
    EXPECT_EQ(one.load_directory().sites.size(), 2U);
}

TEST_F(DatabaseFile, OfANewerVersionIsLeftAlone) {
    const auto path = folder_ / "portal.db";
    EXPECT_EQ(error_of_opening(path), "");
    Database{path}.run("INSERT INTO schema_versions (version) VALUES (" + std::to_string(kSchemaVersion + 1) + ")");

    EXPECT_NE(error_of_opening(path).find("was written by a newer culvert-portal"), std::string::npos)
        << error_of_opening(path);
}

TEST_F(DatabaseFile, OfTheFirstVersionIsMigratedWithItsDuplicateKeys) {
    const auto path = folder_ / "portal.db";
    const portal::Actor alice{portal::ActorId::random(rng_), portal::ActorType::kUser, "alice", {}};
    const portal::Actor bob{portal::ActorId::random(rng_), portal::ActorType::kUser, "bob", {}};
    const auto key = [](std::uint64_t number) { return crypto::PublicKey{Rng::from_number(number).array<32>()}; };
    const auto report = [&](const portal::Actor& actor, const char* name, std::uint64_t number, std::int64_t seen_at) {
        return portal::ClientReport{.actor = actor.id,
                                    .external_id = name,
                                    .name = name,
                                    .public_key = key(number),
                                    .last_seen = {"ua", "1.4.18", *net::IpAddress::parse("203.0.113.7"),
                                                  UnixSeconds{std::chrono::seconds{seen_at}}}};
    };
    {
        Database first{path};
        migrate(first, path.string(), rng_, 1);
        for (const auto& actor : {alice, bob}) {
            first.run("INSERT INTO actors (id, account_id, type, name) SELECT '" + actor.id.to_string() +
                      "', id, 'account_user', '" + actor.name + "' FROM accounts");
        }
        const auto insert = [&](const portal::ClientReport& client, int number) {
            const auto id = ClientId::random(rng_);
            first.run(
                "INSERT INTO clients (id, account_id, actor_id, external_id, name, public_key, psk_base, ipv4, ipv6,"
                " last_seen_user_agent, last_seen_version, last_seen_remote_ip, last_seen_at) SELECT '" +
                id.to_string() + "', id, '" + client.actor.to_string() + "', '" + client.external_id + "', 'x', '" +
                client.public_key.to_string() + "', zeroblob(32), '100.64.0." + std::to_string(number) +
                "', 'fd00:2021:1111::" + std::to_string(number) + "', 'ua', '1.4.18', '203.0.113.7', " +
                std::to_string(client.last_seen.at.time_since_epoch().count()) + " FROM accounts");
            return id;
        };
        const auto older = insert(report(alice, "older", 1, 10), 5);
        const auto newer = insert(report(bob, "newer", 1, 20), 6);
        const auto other = insert(report(bob, "other", 2, 5), 7);
        SqliteStorage migrated{path, rng_};
        EXPECT_FALSE(migrated.find_client(older));
        EXPECT_TRUE(migrated.find_client(newer));
        EXPECT_TRUE(migrated.find_client(other));
    }
    SqliteStorage storage{path, rng_};
    EXPECT_EQ(storage.register_client(report(alice, "older", 1, 30), rng_),
              std::unexpected{portal::RegisterError::kPublicKeyTaken});
    EXPECT_TRUE(storage.register_client(report(alice, "older", 3, 30), rng_));
}

TEST_F(DatabaseFile, KnowsWhatOthersGaveOutAndDeleted) {
    const auto path = folder_ / "portal.db";
    SqliteStorage one{path, rng_};
    SqliteStorage two{path, rng_};
    const portal::Actor alice{portal::ActorId::random(rng_), portal::ActorType::kUser, "alice", {}};
    one.put(alice);
    // Both draw the same numbers, so they would give out the same addresses if they looked at their own pools only.
    const auto draw = [&](SqliteStorage& storage, std::uint64_t number) {
        auto rng = Rng::from_number(5);
        for (std::uint64_t i = 0; i < number; ++i) {
            (void)rng.fork();
        }
        auto same = Rng::from_number(6);
        const portal::ClientReport report{.actor = alice.id,
                                          .external_id = std::to_string(number),
                                          .name = "x",
                                          .public_key = {rng.fork().array<32>()},
                                          .last_seen = {"ua", "1.4.18", *net::IpAddress::parse("203.0.113.7"), {}}};
        return storage.register_client(report, same);
    };
    const auto first = draw(one, 1);
    ASSERT_TRUE(first);
    two.erase(alice.id);
    two.put(alice);
    const auto second = draw(two, 2);
    ASSERT_TRUE(second);
    EXPECT_NE(first->ipv4, second->ipv4) << "in quarantine";
    two.erase(alice.id);
    two.put(alice);
    const auto third = draw(one, 3);
    ASSERT_TRUE(third);
    EXPECT_NE(third->ipv4, first->ipv4);
    EXPECT_NE(third->ipv4, second->ipv4);
}

TEST_F(DatabaseFile, OfAnotherProgramIsLeftAlone) {
    const auto path = folder_ / "other.db";
    Database{path}.run("CREATE TABLE bookmarks (url TEXT)");

    EXPECT_NE(error_of_opening(path).find("belongs to another program"), std::string::npos) << error_of_opening(path);
}

TEST_F(DatabaseFile, ThatIsNoneIsLeftAlone) {
    const auto path = folder_ / "letter.txt";
    std::ofstream{path} << std::string(10'000, 'x');

    EXPECT_NE(error_of_opening(path).find("is not an SQLite database"), std::string::npos) << error_of_opening(path);
}

TEST_F(DatabaseFile, ThatIsLockedIsNamed) {
    const auto path = folder_ / "portal.db";
    EXPECT_EQ(error_of_opening(path), "");
    Database other{path};
    other.run("BEGIN EXCLUSIVE");

    EXPECT_NE(error_of_opening(path).find("is locked by another process"), std::string::npos) << error_of_opening(path);
}

TEST_F(DatabaseFile, ThatIsLockedStopsWritersOnlyAndNoLongerThanTheyAccept) {
    const auto path = folder_ / "portal.db";
    SqliteStorage storage{path, rng_};
    storage.set_lock_timeout(std::chrono::milliseconds{1});
    Database other{path};
    other.run("BEGIN IMMEDIATE");
    const auto before = std::chrono::steady_clock::now();

    EXPECT_NO_THROW((void)storage.load_directory());
    EXPECT_THROW(storage.erase_expired_flows(UnixSeconds{}), portal::StorageError);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{1}) << "the usual wait is 2 s";
}

TEST_F(DatabaseFile, InAFolderThatIsAFileIsNamed) {
    std::ofstream{folder_ / "file"} << "x";

    EXPECT_NE(error_of_opening(folder_ / "file" / "portal.db").find("cannot create the folder"), std::string::npos);
    EXPECT_NE(error_of_opening(folder_).find("it is a folder"), std::string::npos) << error_of_opening(folder_);
}

TEST_F(DatabaseFile, WithARowThatMakesNoSenseIsAStorageError) {
    const auto path = folder_ / "portal.db";
    SqliteStorage storage{path, rng_};
    Database{path}.run("UPDATE accounts SET upstream_dns = '[7'");

    EXPECT_THROW((void)storage.load_directory(), portal::StorageError);

    Database{path}.run("UPDATE accounts SET upstream_dns = '[7]'");
    EXPECT_THROW((void)storage.load_directory(), portal::StorageError);
}

}  // namespace
}  // namespace culvert::portal_server
