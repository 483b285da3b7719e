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
    write(machine_id_, "0123456789abcdef0123456789abcdef\n");
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

TEST_F(DeviceIdTest, ABrokenFileIsAnErrorThatNamesIt) {
    fs::create_directories(file_.parent_path());
    write(file_, "{");
    const auto id = load();
    ASSERT_FALSE(id);
    EXPECT_NE(id.error().find(file_.string()), std::string::npos);
}

}  // namespace
}  // namespace culvert::session
