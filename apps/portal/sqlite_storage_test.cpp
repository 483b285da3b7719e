#include "sqlite_storage.h"

#include <chrono>
#include <fstream>

#include "culvert/portal/storage_contract.h"
#include "schema.h"

namespace culvert::portal {
namespace {

struct MakeSqliteStorage {
    static std::unique_ptr<Storage> make(Rng& rng) {
        return std::make_unique<portal_server::SqliteStorage>(":memory:", rng);
    }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StorageContract, MakeSqliteStorage);

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
    EXPECT_NE(error_of_opening(folder_).find("cannot open database"), std::string::npos) << error_of_opening(folder_);
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
