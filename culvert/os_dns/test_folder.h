#pragma once

// For tests: a root directory of their own, so that nothing touches the machine's.

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace culvert::os_dns {

class TestFolder {
public:
    TestFolder() {
        // Memory, where there is some: on a disk each fsync() of the many tests takes its time.
        const std::string parent = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        std::string path = parent + "/culvert-os-dns-XXXXXX";
        EXPECT_NE(::mkdtemp(path.data()), nullptr);
        EXPECT_EQ(::chmod(path.c_str(), 0755), 0);
        root_ = path;
        std::filesystem::create_directory(root_ / "etc");
    }
    ~TestFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& root() const { return root_; }
    [[nodiscard]] std::filesystem::path live() const { return root_ / "etc/resolv.conf"; }
    [[nodiscard]] std::filesystem::path backup() const { return root_ / "etc/resolv.conf.before-firezone"; }

    /// As an editor that saves in place.
    static void write(const std::filesystem::path& path, const std::string& text) {
        std::ofstream{path, std::ios::binary} << text;
    }
    /// As a program that renames a new file to the old one's name.
    static void replace(const std::filesystem::path& path, const std::string& text) {
        const auto next = path.string() + ".next";
        write(next, text);
        std::filesystem::rename(next, path);
    }
    static std::string read(const std::filesystem::path& path) {
        std::ifstream file{path, std::ios::binary};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    static struct stat status(const std::filesystem::path& path) {
        struct stat found{};
        EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
        return found;
    }

private:
    std::filesystem::path root_;
};

}  // namespace culvert::os_dns
