#include "culvert/flow_upload/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "culvert/flow_upload/test_folder.h"

namespace culvert::flow_upload {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using portal_api::FlowRole;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr UnixSeconds kNow{1'787'393'702s};
constexpr UnixSeconds kExpiry = kNow + 1h;

class SpoolTest : public testing::Test {
protected:
    using Records = std::vector<std::string>;

    void reopen(UnixSeconds now = kNow) { spool = Spool::open(root, limits, now); }
    std::size_t add(std::uint8_t authorization, const Records& records, UnixSeconds expires_at = kExpiry) {
        return spool->add(key(authorization), test::token(authorization, expires_at), expires_at, records);
    }
    static Spool::Key key(std::uint8_t authorization) { return {FlowRole::kInitiator, test::uuid(authorization)}; }
    fs::path folder(std::uint8_t authorization) const {
        return root / "initiator" / test::uuid(authorization).to_string();
    }
    Records read(std::uint8_t authorization, std::size_t limit = 1000) {
        return spool->read(key(authorization), limit).records;
    }
    /// Files below the root, but for the note.
    std::vector<fs::path> files() const {
        std::vector<fs::path> found;
        for (const auto& entry : fs::recursive_directory_iterator{root}) {
            if (entry.is_regular_file() && entry.path().filename() != "upload.json") {
                found.push_back(entry.path());
            }
        }
        std::ranges::sort(found);
        return found;
    }

    test::Folder parent;
    fs::path root = parent.path() / "flow-logs";
    Spool::Limits limits;
    std::expected<Spool, std::string> spool = Spool::open(root, limits, kNow);
};

TEST_F(SpoolTest, KeepsRecordsUntilTheyHaveArrived) {
    EXPECT_EQ(add(1, {"a", "b"}), 0U);
    EXPECT_EQ(add(1, {"c"}), 0U);
    EXPECT_EQ(add(2, {"d"}), 0U);

    EXPECT_THAT(spool->waiting(), ElementsAre(key(1), key(2)));
    const auto batch = spool->read(key(1), 1000);
    EXPECT_THAT(batch.records, ElementsAre("a", "b", "c"));
    EXPECT_FALSE(batch.has_more);
    EXPECT_THAT(read(1), ElementsAre("a", "b", "c")) << "reading takes nothing away";
    EXPECT_EQ(add(1, {"e"}), 0U);
    spool->remove(key(1), batch.files);
    EXPECT_THAT(read(1), ElementsAre("e"));
    spool->remove(key(1), spool->read(key(1), 1).files);

    EXPECT_THAT(spool->waiting(), ElementsAre(key(2)));
    EXPECT_FALSE(fs::exists(folder(1))) << "its token is of no use any more";
    EXPECT_EQ(spool->records(), 1U);
}

TEST_F(SpoolTest, SurvivesTheProgram) {
    EXPECT_EQ(add(1, {"a", "b"}), 0U);
    const auto bytes = spool->bytes();
    reopen();

    EXPECT_EQ(spool->bytes(), bytes);
    EXPECT_EQ(spool->records(), 2U);
    EXPECT_THAT(read(1), ElementsAre("a", "b"));
    EXPECT_EQ(spool->token(key(1)), test::token(1, kExpiry));
    EXPECT_EQ(add(1, {"c"}), 0U);
    EXPECT_THAT(read(1), ElementsAre("a", "b", "c")) << "no file took another's name";
}

TEST_F(SpoolTest, IsForItsOwnerOnly) {
    EXPECT_EQ(add(1, {"a"}), 0U);
    spool->keep_note("x");
    const auto mode = [](const fs::path& path) {
        struct stat status{};
        EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
        return status.st_mode & 07777U;
    };
    for (const auto& path : {root, root / "initiator", root / "responder", folder(1)}) {
        EXPECT_EQ(mode(path), 0700U) << path;
    }
    EXPECT_EQ(files().size(), 2U);
    for (const auto& path : files()) {
        EXPECT_EQ(mode(path), 0600U) << path;
    }
    EXPECT_EQ(mode(root / "upload.json"), 0600U);
}

TEST_F(SpoolTest, GivesBatchesOfWholeFiles) {
    EXPECT_EQ(add(1, Records(600, "r")), 0U) << "three files";
    EXPECT_EQ(files().size(), 4U) << "and the token";

    auto batch = spool->read(key(1), 500);
    EXPECT_EQ(batch.records.size(), 500U);
    EXPECT_TRUE(batch.has_more);
    batch = spool->read(key(1), 499);
    EXPECT_EQ(batch.records.size(), 250U);
    batch = spool->read(key(1), 10);
    EXPECT_EQ(batch.records.size(), 250U) << "one at least";
    EXPECT_EQ(spool->read(key(1), 600).records.size(), 600U);
}

TEST_F(SpoolTest, PutsOffWhatWasRefused) {
    EXPECT_EQ(add(1, {"a"}), 0U);
    EXPECT_EQ(add(1, {"b"}), 0U);
    EXPECT_EQ(add(1, {"c"}), 0U);
    spool->put_off(key(1), spool->read(key(1), 2).files);
    EXPECT_THAT(read(1), ElementsAre("c", "a", "b"));
}

TEST_F(SpoolTest, HasRoomForSoManyRecordsOfAnAuthorization) {
    limits.records_of_authorization = 5;
    reopen();
    EXPECT_EQ(add(1, {"a", "b", "c"}), 0U);
    EXPECT_EQ(add(1, {"d", "e", "f", "g"}), 2U);
    EXPECT_EQ(add(1, {"h"}), 1U);
    EXPECT_EQ(add(2, {"x"}), 0U) << "others are not touched";
    EXPECT_THAT(read(1), ElementsAre("a", "b", "c", "d", "e"));

    spool->remove(key(1), spool->read(key(1), 3).files);
    EXPECT_EQ(add(1, {"i"}), 0U) << "there is room again";
}

TEST_F(SpoolTest, HasRoomForSoManyBytes) {
    limits.bytes = 3 * kFolderBytes;
    reopen();
    EXPECT_EQ(add(1, {std::string(kFolderBytes, 'a')}), 0U);
    EXPECT_EQ(add(1, {std::string(kFolderBytes, 'b')}), 1U);
    EXPECT_EQ(add(2, {std::string(kFolderBytes, 'c')}), 1U);
    EXPECT_FALSE(fs::exists(folder(2))) << "nothing of it is left";
    EXPECT_LE(spool->bytes(), limits.bytes);
    for (std::uint8_t n = 3; n < 100; ++n) {
        EXPECT_EQ(add(n, {"d"}), n == 3 ? 1U : 1U) << "folders count as well";
    }
    EXPECT_EQ(spool->waiting().size(), 1U);

    spool->remove(key(1), spool->read(key(1), 1).files);
    EXPECT_EQ(spool->bytes(), 0U);
    EXPECT_EQ(add(2, {"e"}), 0U);
}

TEST_F(SpoolTest, DeletesWhatIsDamaged) {
    EXPECT_EQ(add(1, {"a"}), 0U);
    EXPECT_EQ(add(1, {"b"}), 0U);
    EXPECT_EQ(add(1, {"c"}), 0U);
    const auto second = files()[1];
    std::ofstream{second, std::ios::app} << "x";
    std::ofstream{folder(1) / ".unfinished"} << "half a fi";
    std::ofstream{folder(1) / "something else"} << "?";
    fs::create_directories(root / "initiator" / "no authorization" / "below");
    reopen();

    EXPECT_THAT(read(1), ElementsAre("a", "c"));
    EXPECT_EQ(spool->records(), 2U);
    EXPECT_EQ(files().size(), 3U);
    EXPECT_FALSE(fs::exists(root / "initiator" / "no authorization"));
    spool->remove(key(1), spool->read(key(1), 9).files);
    EXPECT_EQ(spool->bytes(), 0U);

    EXPECT_EQ(add(2, {"d"}), 0U);
    std::ofstream{folder(2) / "token"} << "no token";
    EXPECT_EQ(add(3, {"e"}), 0U);
    fs::rename(folder(3), folder(4));
    reopen();
    EXPECT_THAT(spool->waiting(), IsEmpty()) << "nobody would know whose they are";
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(SpoolTest, AllFilesOfAnAuthorizationMayBeDamaged) {
    EXPECT_EQ(add(1, {"a"}), 0U);
    std::ofstream{files()[0]} << "x";
    EXPECT_THAT(read(1), IsEmpty());
    EXPECT_THAT(spool->waiting(), IsEmpty());
    EXPECT_EQ(spool->bytes(), 0U);
}

TEST_F(SpoolTest, PrunesWhatHasExpired) {
    EXPECT_EQ(add(1, {"a"}), 0U);
    EXPECT_EQ(add(2, {"b"}, kExpiry + 1s), 0U);
    spool->prune(kExpiry - 1s);
    EXPECT_EQ(spool->waiting().size(), 2U);
    spool->prune(kExpiry);
    EXPECT_THAT(spool->waiting(), ElementsAre(key(2)));
    EXPECT_FALSE(fs::exists(folder(1)));

    reopen(kExpiry + 1s);
    EXPECT_THAT(spool->waiting(), IsEmpty());
    EXPECT_FALSE(fs::exists(folder(2)));
}

TEST_F(SpoolTest, TakesTheNewestToken) {
    EXPECT_EQ(add(1, {"a"}), 0U);
    EXPECT_EQ(add(1, {"b"}, kExpiry + 1h), 0U);
    EXPECT_EQ(spool->token(key(1)), test::token(1, kExpiry + 1h));
    spool->prune(kExpiry);
    EXPECT_THAT(read(1), ElementsAre("a", "b"));
    reopen();
    EXPECT_EQ(spool->token(key(1)), test::token(1, kExpiry + 1h));
}

TEST_F(SpoolTest, KeepsANote) {
    EXPECT_FALSE(spool->note());
    spool->keep_note("one");
    spool->keep_note("two");
    reopen();
    EXPECT_EQ(spool->note(), "two");
}

TEST_F(SpoolTest, SaysWhatIsWrongWithItsFolder) {
    const auto refused = Spool::open(parent.path() / "missing" / "flow-logs", limits, kNow);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error(), testing::HasSubstr("No such file or directory"));
}

TEST_F(SpoolTest, CountsWhatTheDiskDoesNotTake) {
    fs::remove_all(root);
    EXPECT_EQ(add(1, {"a", "b"}), 2U);
    const auto error = spool->take_error();
    ASSERT_TRUE(error);
    EXPECT_THAT(*error, testing::HasSubstr("cannot create"));
    EXPECT_FALSE(spool->take_error());
    EXPECT_EQ(spool->records(), 0U);
}

}  // namespace
}  // namespace culvert::flow_upload
