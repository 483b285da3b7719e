#include "culvert/session/device_id.h"

#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "culvert/portal_api/external_id.h"

namespace culvert::session {
namespace {

namespace fs = std::filesystem;

class DeviceIdTest : public testing::Test {
protected:
    DeviceIdTest() { fs::create_directories(folder_); }
    ~DeviceIdTest() override { fs::remove_all(folder_); }

    void write(const fs::path& path, const std::string& text) { std::ofstream{path} << text; }

    std::expected<std::string, std::string> load() {
        return load_device_id(file_, portal_api::kClientAppId, rng_, machine_id_);
    }

    fs::path folder_ = fs::temp_directory_path() / ("culvert-device-id-" + std::to_string(::getpid()));
    fs::path file_ = folder_ / "config" / "firezone-id.json";
    fs::path machine_id_ = folder_ / "machine-id";
    Rng rng_ = Rng::from_number(1);
};

TEST_F(DeviceIdTest, TheFileWins) {
    fs::create_directories(file_.parent_path());
    write(file_, R"({"id":"from-file"})");
    write(machine_id_, "machine\n");
    EXPECT_EQ(load(), "from-file");
}

TEST_F(DeviceIdTest, DerivedIdsAreStableAndNotWritten) {
    write(machine_id_, "6f1e9a8bd3c24e57a0b1c2d3e4f50617\n");
    const auto id = load();
    ASSERT_TRUE(id);
    EXPECT_EQ(id->size(), 64U);
    EXPECT_EQ(load(), id);
    EXPECT_FALSE(fs::exists(file_));
}

TEST_F(DeviceIdTest, GeneratedIdsAreKept) {
    const auto id = load();
    ASSERT_TRUE(id);
    EXPECT_EQ(load(), id);
    EXPECT_TRUE(fs::exists(file_));
    EXPECT_EQ(std::distance(fs::directory_iterator{file_.parent_path()}, {}), 1);
}

TEST_F(DeviceIdTest, AMachineIdThatIsNoneIsNotUsed) {
    write(machine_id_, "6f1e9a8bd3c24e57a0b1c2d3e4f50617\n");
    const auto derived = load();
    for (const auto* none : {"", "\n", "uninitialized\n", "00000000000000000000000000000000\n",
                             "ffffffffffffffffffffffffffffffff\n", "6f1e9a8b\n", "not a machine id\n"}) {
        fs::remove(file_);
        write(machine_id_, none);
        const auto id = load();
        ASSERT_TRUE(id) << id.error();
        EXPECT_TRUE(fs::exists(file_)) << "generated and kept, instead of \"" << none << "\"";
        EXPECT_NE(id, derived);
    }
}

TEST_F(DeviceIdTest, AFileThatOthersCanChangeIsRefused) {
    fs::create_directories(file_.parent_path());
    write(file_, R"({"id":"from-file"})");
    for (const auto extra : {fs::perms::others_write, fs::perms::group_write}) {
        fs::permissions(file_, fs::perms::owner_read | fs::perms::owner_write | extra);
        const auto id = load();
        ASSERT_FALSE(id);
        EXPECT_NE(id.error().find("chmod 600 " + file_.string()), std::string::npos);
    }
    fs::permissions(file_, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
    EXPECT_EQ(load(), "from-file");
}

TEST_F(DeviceIdTest, NothingIsWrittenWhereEveryoneCanWrite) {
    fs::create_directories(file_.parent_path());
    fs::permissions(file_.parent_path(), fs::perms::all);
    EXPECT_FALSE(load());
    EXPECT_FALSE(fs::exists(file_));
}

TEST_F(DeviceIdTest, GeneratedIdsAreForTheirOwnerAlone) {
    ASSERT_TRUE(load());
    EXPECT_EQ(fs::status(file_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(DeviceIdTest, LinksAreNotFollowedWhenWriting) {
    fs::create_directories(file_.parent_path());
    const auto elsewhere = folder_ / "elsewhere";
    fs::create_symlink(elsewhere, file_);
    const auto id = load();
    ASSERT_FALSE(id) << "it would be another one next time";
    EXPECT_NE(id.error().find(file_.string()), std::string::npos);
    EXPECT_FALSE(fs::exists(elsewhere));
}

TEST_F(DeviceIdTest, ABrokenFileIsAnErrorThatNamesIt) {
    fs::create_directories(file_.parent_path());
    write(file_, "{");
    const auto id = load();
    ASSERT_FALSE(id);
    EXPECT_NE(id.error().find(file_.string()), std::string::npos);
}

}  // namespace
}  // namespace culvert::session
