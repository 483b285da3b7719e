#include "apps/portal/held_database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "apps/portal/sqlite_storage.h"
#include "culvert/sandbox/privileges.h"
#include "culvert/sandbox/testing/child.h"

namespace culvert::portal_server {
namespace {

namespace fs = std::filesystem;

const sandbox::Identity kService{60964, 60964, "60964"};

class HeldDatabaseTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!sandbox::testing::is_root() || !sandbox::can_become(kService)) {
            GTEST_SKIP() << "needs root, whose folders are the point, and who can become another user";
        }
        std::string pattern = fs::temp_directory_path() / "held_database_test.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);  // mode 0700: nobody else enters
        folder_ = pattern;
    }
    void TearDown() override {
        if (!folder_.empty()) {
            fs::remove_all(folder_);
        }
    }

    [[nodiscard]] fs::path database() const { return folder_ / "portal.db"; }

    /// Runs `work` as the service, in a process of its own; its result is the exit code. 90 and up: it could not start.
    template <typename Work>
    sandbox::testing::Ending as_service(Work work) const {
        return sandbox::testing::in_child([&] {
            const auto held = hold_database(database(), kService);
            if (!held || !sandbox::drop_privileges(kService, {})) {
                return held ? 91 : 90;
            }
            try {
                return work(held->path);
            } catch (const portal::StorageError&) {
                return 92;
            }
        });
    }

    static void add_site(SqliteStorage& storage, const std::string& name) {
        Rng rng = Rng::from_number(static_cast<std::uint64_t>(name.size()));
        storage.put(portal::Site{.id = SiteId::random(rng), .name = name});
    }
    static std::size_t sites(SqliteStorage& storage) { return storage.load_directory().sites.size(); }

    fs::path folder_;
    Rng rng_ = Rng::from_number(1);
};

TEST_F(HeldDatabaseTest, ItsUserNeedsNoAccessToTheFolder) {
    EXPECT_TRUE(as_service([&](const fs::path& path) {
                    SqliteStorage storage{path, rng_};
                    add_site(storage, "a");
                    return ::access(folder_.c_str(), X_OK) != 0 && sites(storage) == 1 ? 0 : 1;
                }).exited_with(0));

    SqliteStorage as_root{database(), rng_};
    EXPECT_EQ(sites(as_root), 1U);
}

TEST_F(HeldDatabaseTest, WhatRootMadeIsHandedOver) {
    {
        SqliteStorage as_root{database(), rng_};
        add_site(as_root, "a");
    }
    ASSERT_EQ(owner_of_database(database()), std::nullopt);

    EXPECT_TRUE(as_service([&](const fs::path& path) {
                    SqliteStorage storage{path, rng_};
                    add_site(storage, "bb");
                    return sites(storage) == 2 ? 0 : 1;
                }).exited_with(0));
    EXPECT_EQ(owner_of_database(database()), kService.uid);
    struct stat folder{};
    ASSERT_EQ(::stat(folder_.c_str(), &folder), 0);
    EXPECT_EQ(folder.st_uid, 0U) << "only the files are";
}

TEST_F(HeldDatabaseTest, RootAndTheUserTakeTurns) {
    SqliteStorage as_root{database(), rng_};
    add_site(as_root, "a");
    const auto before = as_root.foreign_changes();

    EXPECT_TRUE(as_service([&](const fs::path& path) {
                    SqliteStorage storage{path, rng_};
                    add_site(storage, "bb");
                    return sites(storage) == 2 ? 0 : 1;
                }).exited_with(0));
    EXPECT_NE(as_root.foreign_changes(), before);
    EXPECT_EQ(sites(as_root), 2U);

    add_site(as_root, "ccc");
    EXPECT_TRUE(as_service([&](const fs::path& path) {
                    SqliteStorage storage{path, rng_};
                    return sites(storage) == 3 ? 0 : 1;
                }).exited_with(0));
}

TEST_F(HeldDatabaseTest, AJournalThatRootsProgramsLeaveIsUsable) {
    as_service([&](const fs::path& path) {
        SqliteStorage storage{path, rng_};
        return 0;
    });
    {
        // The last to close it removes the journals, and the first to open it makes new ones.
        SqliteStorage as_root{database(), rng_};
        add_site(as_root, "a");
    }
    SqliteStorage as_root{database(), rng_};
    add_site(as_root, "bb");
    struct stat journal{};
    ASSERT_EQ(::stat((database().string() + "-wal").c_str(), &journal), 0);
    EXPECT_EQ(journal.st_uid, kService.uid);

    EXPECT_TRUE(as_service([&](const fs::path& path) {
                    SqliteStorage storage{path, rng_};
                    return sites(storage) == 2 ? 0 : 1;
                }).exited_with(0));
}

TEST_F(HeldDatabaseTest, NothingIsWrittenToAJournalThatIsGone) {
    EXPECT_TRUE(as_service([&](const fs::path& path) {
                    SqliteStorage storage{path, rng_};
                    return 0;
                }).exited_with(0));

    const auto ending = sandbox::testing::in_child([&] {
        const auto held = hold_database(database(), kService);
        fs::remove(database().string() + "-wal");
        if (!held || !sandbox::drop_privileges(kService, {})) {
            return 90;
        }
        try {
            SqliteStorage storage{held->path, rng_};
            add_site(storage, "a");
            return 1;
        } catch (const portal::StorageError&) {
            return 0;
        }
    });

    EXPECT_TRUE(ending.exited_with(0));
}

TEST_F(HeldDatabaseTest, FilesOfAnotherUserAreNotTaken) {
    std::ofstream{database()} << "";
    ASSERT_EQ(::chown(database().c_str(), 60965, 60965), 0);

    const auto held = hold_database(database(), kService);

    ASSERT_FALSE(held);
    EXPECT_NE(held.error().find("chown"), std::string::npos) << held.error();
    EXPECT_EQ(owner_of_database(database()), 60965U);
}

TEST_F(HeldDatabaseTest, LinksToOtherFilesAreNotFollowed) {
    std::ofstream{folder_ / "secret"} << "root's";
    fs::create_symlink(folder_ / "secret", database().string() + "-wal");
    EXPECT_FALSE(hold_database(database(), kService));

    fs::remove(database().string() + "-wal");
    fs::create_hard_link(folder_ / "secret", database().string() + "-wal");
    EXPECT_FALSE(hold_database(database(), kService));

    struct stat secret{};
    ASSERT_EQ(::stat((folder_ / "secret").c_str(), &secret), 0);
    EXPECT_EQ(secret.st_uid, 0U);
}

TEST_F(HeldDatabaseTest, ALinkOfRootsLeadsToTheDatabase) {
    fs::create_directory(folder_ / "disk");
    fs::create_symlink(folder_ / "disk" / "real.db", database());
    std::ofstream{folder_ / "disk" / "real.db"} << "";

    EXPECT_TRUE(as_service([&](const fs::path& path) {
                    SqliteStorage storage{path, rng_};
                    return path.filename() == "real.db" ? 0 : 1;
                }).exited_with(0));
}

TEST_F(HeldDatabaseTest, AnUnusableFolderIsExplained) {
    std::ofstream{folder_ / "file"} << "";

    const auto held = hold_database(folder_ / "file" / "portal.db", kService);

    ASSERT_FALSE(held);
    EXPECT_NE(held.error().find("--database"), std::string::npos) << held.error();
}

}  // namespace
}  // namespace culvert::portal_server
